"""Keeps other web pages out: those that reach the server under a name of their own, and those that send to it."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import urlsplit

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
SHARE_NAMES = (".gradio.live",)
_ONLY_READING = ("GET", "HEAD", "OPTIONS")
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([0-9a-z_.-]+))(?::[0-9]{1,5})?")


class KnownHosts:
    """ASGI middleware that answers requests addressed to known names, and refuses the rest, on every route.

    A page on the web can let its own host name point to this computer and would then be of the same origin as this
    server (DNS rebinding); the Host header still carries that name.  An address in numbers is nobody's name, so
    `addresses` may all be let in.  A name that begins with a dot stands for all names that end so.

    Gradio would take its own address from X-Forwarded-Host, and tell it to others: unknown names there are left out.
    """

    def __init__(self, app: App, names: Collection[str] = LOOPBACK_NAMES, addresses: bool = False) -> None:
        self.app = app
        self._names = tuple(name.lower() for name in names)
        self._addresses = addresses

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and not self._known(host_name(header(scope, b"host"))):
            await refuse(scope, send, 421, "This server does not answer to this name; see --listen and --host-name.")
            return
        if scope["type"] == "http":
            scope = {**scope, "headers": [each for each in scope["headers"] if not self._misleading(*each)]}
        await self.app(scope, receive, send)

    def _misleading(self, name: bytes, value: bytes) -> bool:
        if name == b"x-forwarded-host":
            return not self._known(host_name(value.decode("latin-1").lower().partition(",")[0].strip()))
        return name == b"x-gradio-server"

    def _known(self, name: str) -> bool:
        if name and any(name == known or (known[:1] == "." and name.endswith(known)) for known in self._names):
            return True
        if not self._addresses:
            return False
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


class OwnPagesOnly:
    """ASGI middleware that refuses what pages of other origins send; browsers say in the header Origin where from.

    Programs send no such header, and are let through; so is reading, whose answers browsers keep from other pages.
    Behind a proxy that changes the header Host, name the public host.
    """

    def __init__(self, app: App, names: Collection[str] = ()) -> None:
        self.app = app
        self._names = tuple(name.lower() for name in names)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        sends = scope["type"] == "websocket" or (scope["type"] == "http" and scope["method"] not in _ONLY_READING)
        if sends and not self._own(scope):
            await refuse(scope, send, 403, "This server takes nothing from pages of other origins.")
            return
        await self.app(scope, receive, send)

    def _own(self, scope: dict[str, Any]) -> bool:
        origin = header(scope, b"origin")
        if not origin:
            return header(scope, b"sec-fetch-site") in ("", "same-origin", "none")
        try:
            origin_host = urlsplit(origin).netloc
        except ValueError:
            return False
        return bool(origin_host) and (origin_host == header(scope, b"host") or host_name(origin_host) in self._names)


def own_names() -> tuple[str, ...]:
    """What this computer is called on its own network."""
    name = socket.gethostname().lower()
    return (name, name if "." in name else f"{name}.local")


def header(scope: dict[str, Any], name: bytes) -> str:
    """A request header in lower case; empty where there is none, or more than one."""
    values = [value.decode("latin-1").lower() for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else ""


def host_name(host: str) -> str:
    """The name in a Host header in lower case, without port and brackets; empty where it is none."""
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]) if found else ""


def route_of(scope: dict[str, Any]) -> str:
    """The path of a request below the path that a proxy serves the program at, without a slash at its end."""
    path, root = scope["path"], scope.get("root_path", "")
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
    return path.removesuffix("/") or "/"


async def whole_body(receive: Receive, most: float = float("inf")) -> bytes | None:
    """The body of a request, or the beginning of one of more than `most` bytes; None where its sender is gone."""
    body, more = b"", True
    while more and len(body) <= most:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


def given_again(body: bytes, receive: Receive) -> Receive:
    """What gives a body that was read already to the application, and then what else comes."""
    given = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive_again() -> dict[str, Any]:
        return next(given, None) or await receive()

    return receive_again


async def refuse(scope: dict[str, Any], send: Send, status: int, sentence: str, *headers: tuple[bytes, bytes]) -> None:
    """Answer with one sentence and nothing else."""
    if scope["type"] == "websocket":
        # Before the handshake this is answered with status 403.
        await send({"type": "websocket.close", "code": 1008, "reason": sentence})
        return
    await answer(send, status, b"text/plain", f"{sentence}\n".encode(), *headers)


async def answer(send: Send, status: int, kind: bytes, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    """Answer with a body of this content type; the server leaves it out where only the head was asked for."""
    told = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": body})
