"""A server with a password: what it answers before the login, how often it can be guessed, and how a session ends."""

from __future__ import annotations

import importlib.util
import resource
import socket
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from gradio_client import handle_file
from running_app import EVIL, GIRL, RunningApp, until
from starlette.routing import Mount

from paints_undo.web.logins import MOST_FAILURES

RIGHT = {"username": "ann", "password": "a good password"}
WRONG = urlencode({"username": "ann", "password": "guess"})
PAGES = {"Accept": "text/html,*/*;q=0.8"}
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")


class Locked(RunningApp):
    """A running app with a password that counts how often one was looked at."""

    def __init__(self, out: Path, *arguments: str) -> None:
        super().__init__(out, "--auth", "ann:a good password", *arguments)
        self.server, self.looked_at = self.app.server_app, 0
        self.port = self.client.base_url.port or 0
        accounts = dict(self.server.auth)

        def look(name: str, password: str) -> bool:
            self.looked_at += 1
            return accounts.get(name) == password

        self.server.auth = look

    def visitor(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.client.base_url, headers=headers, timeout=30)

    def asked(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer to exactly this request."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        kind = {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        connection.request(method, path, body or None, {**kind, **headers})
        answer = connection.getresponse()
        told = {name.lower(): value for name, value in answer.getheaders()}
        status, whole = answer.status, b"" if told.get("content-type", "").startswith("text/event") else answer.read()
        connection.close()
        return status, told, whole


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Locked]:
    with Locked(tmp_path / "runs") as running:
        yield running


def paths_of(routes: Any, before: str = "") -> Iterator[str]:
    for route in routes:
        path = before + getattr(route, "path", "")
        if hasattr(route, "original_router"):
            yield from paths_of(route.original_router.routes, before)
        elif isinstance(route, Mount):
            yield from (path, f"{path}/", *paths_of(route.routes or (), path))
        else:
            yield "".join("x" if index % 2 else part for index, part in enumerate(path.replace("}", "{").split("{")))


def written_otherwise(path: str) -> set[str]:
    encoded = f"{path[:-1]}%{ord(path[-1]):02X}" if path[-1] != "/" else path
    return {path, f"{path}/", f"/{path}", encoded, f"/.{path}", f"{path}?all_endpoints=true"}


def test_before_the_login_only_the_login_page_answers(tmp_path: Path) -> None:
    with Locked(tmp_path / "runs", *(["--mcp"] if importlib.util.find_spec("mcp") else [])) as running:
        paths = {way for path in paths_of(running.server.routes) for way in written_otherwise(path)}
        assert {"/config", "/gradio_api/queue/join", "/gradio_api/heartbeat/x", "/logout"} < paths and len(paths) > 300
        answered = set()
        for path in sorted(paths):
            for method in METHODS:
                status, told, body = running.asked(method, path)
                assert told["x-content-type-options"] == "nosniff", path
                if status == 401:
                    assert body == (b"" if method == "HEAD" else b"Log in first.\n")
                else:
                    answered.add((method, path.partition("?")[0]))
                    assert b"generate_" not in body and b"gradio" not in body.lower(), path
        reading = {
            (method, path) for method in ("GET", "HEAD") for path in ("/", "//", "/login", "/login/", "/logi%6E")
        }
        sending = {("POST", path) for path in ("/login", "/login/", "/logi%6E")}
        assert answered == reading | sending
        assert running.looked_at == 0
        for start in ("/gradio_api/startup-events", "/gradio_api/app_id", "/gradio_api/openapi.json"):
            assert running.asked("GET", start, Cookie=f"access-token-{running.server.cookie_id}=x")[0] == 401


def test_a_shared_link_asks_for_the_password_too(tmp_path: Path) -> None:
    with Locked(tmp_path / "runs", "--share") as running:
        public = "0123456789abcdef.gradio.live"
        visitor = running.visitor(**PAGES, Host=public, Origin=f"https://{public}", **{"X-Forwarded-Host": public})
        assert 'name="password"' in visitor.get("/").text and visitor.get("/config").status_code == 401
        cookies = visitor.post("/login", data=RIGHT).headers.get_list("set-cookie")
        session = {"Cookie": "; ".join(cookie.split(";")[0] for cookie in cookies), "X-Forwarded-Proto": "https"}
        assert visitor.get("/config", headers=session).json()["root"] == f"https://{public}"
        assert visitor.get("/", headers={"Host": "gradio.live.evil.example"}).status_code == 421


def test_a_browser_logs_in_without_scripts_and_out_by_a_button(locked: Locked) -> None:
    browser, other = locked.visitor(**PAGES), locked.visitor(**PAGES)
    page = browser.get("/", headers={"Accept-Language": "de;q=0.9, zh-Hant-HK, ja"})
    assert page.status_code == 200 and 'lang="zh-TW"' in page.text and 'action="/login"' in page.text
    wrong = browser.post("/login", data={**RIGHT, "password": "<b>"})
    assert wrong.status_code == 400 and "is wrong" in wrong.text and "<b>" not in wrong.text
    for each in (browser, other):
        right = each.post("/login", data=RIGHT)
        assert right.status_code == 303 and right.headers["location"] == "/"
        assert each.get("/config").status_code == each.get("/").status_code == 200
    for method in ("GET", "HEAD", "PUT"):
        asked = browser.request(method, "/logout")
        assert asked.status_code == 405 and asked.headers["allow"] == "POST"
    assert 'action="/logout"' in browser.get("/logout").text
    assert browser.post("/logout", headers=EVIL).status_code == 403 and browser.get("/config").status_code == 200
    kept = dict(browser.cookies)
    left = browser.post("/logout", headers={"Origin": str(browser.base_url).rstrip("/")})
    assert left.status_code == 303 and left.headers["location"] == "/" and not browser.cookies
    assert browser.get("/config").status_code == browser.get("/config", cookies=kept).status_code == 401
    assert other.get("/config").status_code == 200, "the other session goes on"


def test_a_program_logs_in_and_its_calls_end_when_they_are_cancelled(locked: Locked) -> None:
    with pytest.raises(ValueError, match="login"):
        locked.program()
    client = locked.program(auth=tuple(RIGHT.values()))
    assert client.predict(handle_file(str(GIRL)), api_name="/generate_prompt").startswith("1girl")
    locked.engine.seconds_per_step = 0.1
    given = {"artwork": handle_file(str(GIRL)), "prompt": "x", "width": 256, "height": 320, "sampling_steps": 100}
    job = client.submit(api_name="/generate_keyframes", **given)
    until(lambda: locked.engine.at_work == 1)
    job.cancel()
    until(lambda: locked.engine.at_work == 0)
    assert locked.engine.steps_done < 60


def guesses_at_once(port: int, count: int) -> list[int]:
    """The statuses for wrong passwords whose headers all arrive before any body."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    head = f"POST /login HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(WRONG)}\r\nConnection: close\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    sockets = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(count)]
    try:
        for each in sockets:
            each.sendall(head.encode())
        for each in sockets:
            each.sendall(WRONG.encode())
        return [int(each.makefile("rb").readline().split()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_thousand_guesses_side_by_side_are_ten(locked: Locked) -> None:
    statuses = guesses_at_once(locked.port, 1000)
    assert statuses.count(400) == MOST_FAILURES
    assert set(statuses) == {400, 429, 503}, "many are not even waited for"
    assert locked.looked_at == MOST_FAILURES


def test_guesses_by_every_way_of_writing_the_route_count_together(locked: Locked) -> None:
    ways = ["/login", "/login/", "/logi%6E", "/%6cogin", "//login", "/login//", "/./login", "/login?x=/", "/LOGIN"]
    for way in ways * 3:
        for method in ("POST", "PUT", "HEAD", "GET"):
            locked.asked(method, way, WRONG, Accept="text/html")
    assert locked.looked_at == MOST_FAILURES
    refused = locked.asked("POST", "/login", urlencode(RIGHT), Accept="text/html")
    assert refused[0] == 429 and "retry-after" in refused[1] and b"try again in some minutes" in refused[2]


def looked_at_with(tmp_path: Path, forwarded: str, *arguments: str) -> int:
    """How many of 25 guesses from this computer are looked at; forwarded: their header, another {n} each."""
    with Locked(tmp_path / "runs", *arguments) as running:
        for number in range(25):
            running.asked("POST", "/login", WRONG, **{"X-Forwarded-For": forwarded.format(n=number)})
        return running.looked_at


def test_where_a_visitor_comes_from_is_believed_only_of_the_proxy_that_was_named(tmp_path: Path) -> None:
    assert looked_at_with(tmp_path, "203.0.113.{n}") == MOST_FAILURES
    assert looked_at_with(tmp_path, "203.0.113.{n}", "--behind-proxy", "10.0.0.2") == MOST_FAILURES
    assert looked_at_with(tmp_path, "203.0.113.{n}", "--behind-proxy") == 25
    assert looked_at_with(tmp_path, "203.0.113.{n}, 198.51.100.7", "--behind-proxy") == MOST_FAILURES
    assert looked_at_with(tmp_path, "x{n}, 203.0.113.9, 10.0.0.2", "--behind-proxy", "127.0.0.1,10.0.0.0/8") == 10


def test_behind_a_proxy_with_tls_no_cookie_goes_without_it(tmp_path: Path) -> None:
    with Locked(tmp_path / "runs", "--behind-proxy") as running:
        answer = httpx.post(
            f"{running.client.base_url}login", data=RIGHT, headers={**PAGES, "X-Forwarded-Proto": "https"}
        )
        cookies = answer.headers.get_list("set-cookie")
        assert len(cookies) == 2 and all("Secure" in cookie and "HttpOnly" in cookie for cookie in cookies)
