"""Before the login nothing but the login page, and an end to a session: for servers that were given a password."""

from __future__ import annotations

from html import escape
from pathlib import Path
from string import Template
from typing import Any

from starlette.requests import HTTPConnection

from paints_undo.web.hosts import App, Receive, Send, answer, header, refuse, route_of
from paints_undo.words.languages import LANGUAGES, say

_PAGE = Template((Path(__file__).parent / "static" / "login.html").read_text(encoding="utf-8"))
_POLICY = b"default-src 'none'; img-src data:; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"
_FIELDS = (("username", "text", "username"), ("password", "password", "current-password"))
_READING = ("GET", "HEAD")


class LoginFirst:
    """ASGI middleware that lets who has not logged in reach the login page and POST /login, and nothing else.

    Gradio asks for the login at most of its routes, and forgets some; its own login page tells what the program can do.
    The page needs no script: browsers get pages in answer, programs what gradio answers.  /logout ends the one session
    that asks for it, by POST, which other pages cannot send.  Without a password everything is let through.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        server = scope.get("app")
        if scope["type"] not in ("http", "websocket") or getattr(server, "auth", None) is None:
            await self.app(scope, receive, send)
            return
        route, method = route_of(scope), scope.get("method", "")
        token = _token(scope, server)
        if route == "/login" and method == "POST" and scope["type"] == "http":
            await self.app(scope, receive, _in_pages(scope, send) if _wants_pages(scope) else send)
        elif token and route == "/logout":
            await _log_out(scope, send, server, token)
        elif token or _is_starting(server, route):
            await self.app(scope, receive, send)
        elif method in _READING and route in ("/", "/login"):
            await _show(scope, send, 200, "login")
        else:
            await refuse(scope, send, 401, "Log in first.")


def _token(scope: dict[str, Any], server: Any) -> str:
    """The token of the session that a request belongs to; empty where it belongs to none."""
    cookies = HTTPConnection(scope).cookies
    found = next(filter(None, (cookies.get(name) for name in _cookie_names(server))), "")
    return found if server.tokens.get(found) is not None else ""


def _cookie_names(server: Any) -> list[str]:
    return [f"access-token{kind}-{server.cookie_id}" for kind in ("", "-unsecure")]


def _is_starting(server: Any, route: str) -> bool:
    """Whether gradio may be asking its own server whether it is up, which it does once, before it settles this."""
    return route == "/gradio_api/startup-events" and server.get_blocks().enable_monitoring is None


async def _log_out(scope: dict[str, Any], send: Send, server: Any, token: str) -> None:
    if scope.get("method") != "POST":
        await _show(scope, send, 405, "logout", (b"allow", b"POST"))
        return
    server.tokens.pop(token, None)
    gone = [(b"set-cookie", f"{name}=; Path=/; Max-Age=0; HttpOnly".encode()) for name in _cookie_names(server)]
    await refuse(scope, send, 303, "You have logged out.", (b"location", f"{_root(scope)}/".encode()), *gone)


def _in_pages(scope: dict[str, Any], send: Send) -> Send:
    """What sends the answer to a login as pages: back to the start when it is right, else the login page again."""

    async def send_on(message: dict[str, Any]) -> None:
        if message["type"] != "http.response.start":
            return
        headers, status = message.get("headers", []), message["status"]
        if status >= 400:
            kept = [each for each in headers if each[0] == b"retry-after"]
            await _show(scope, send, status, "login.wait" if status == 429 else "login.wrong", *kept)
            return
        secure = b"; Secure" if scope.get("scheme") == "https" else b""
        cookies = [(name, value + secure) for name, value in headers if name == b"set-cookie"]
        await refuse(scope, send, 303, "You have logged in.", (b"location", f"{_root(scope)}/".encode()), *cookies)

    return send_on


async def _show(scope: dict[str, Any], send: Send, status: int, said: str, *headers: tuple[bytes, bytes]) -> None:
    """Answer with the page of a login, or of a logout, in the visitor's language. said: the key of its sentence."""
    language, out = _language(header(scope, b"accept-language")), said == "logout"
    fields = "" if out else "\n".join(
        f'<label>{escape(say(f"login.{name}", language))}'
        f'<input name="{name}" type="{kind}" autocomplete="{hint}" required></label>'
        for name, kind, hint in _FIELDS
    )  # fmt: skip
    page = _PAGE.substitute(
        language=language,
        action=escape(f"{_root(scope)}/{'logout' if out else 'login'}", quote=True),
        said=f"<p{'' if said in ('login', 'logout') else ' role=alert'}>{escape(say(said, language))}</p>",
        fields=fields,
        press=escape(say("logout.press" if out else "login.press", language)),
    )
    told = ((b"cache-control", b"no-store"), (b"content-security-policy", _POLICY), *headers)
    await answer(send, status, b"text/html; charset=utf-8", page.encode(), *told)


def _root(scope: dict[str, Any]) -> str:
    return scope.get("root_path", "").rstrip("/")


def _wants_pages(scope: dict[str, Any]) -> bool:
    return "text/html" in header(scope, b"accept")


def _language(wished: str) -> str:
    """The first language of an Accept-Language header that this program speaks, else English."""
    for wish in wished.split(","):
        tag = wish.partition(";")[0].strip()
        if tag.startswith("zh") and any(part in tag for part in ("hant", "tw", "hk", "mo")):
            return "zh-TW"
        near = [code for code in LANGUAGES if code.lower() == tag]
        near += [code for code in LANGUAGES if code.partition("-")[0] == tag.partition("-")[0]]
        if near:
            return near[0]
    return "en"
