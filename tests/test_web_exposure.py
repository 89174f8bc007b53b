"""The running server against those who should not get in: real requests, every kind of route."""

from __future__ import annotations

import asyncio
import errno
import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from asgi import unread
from gradio.utils import get_upload_folder
from running_app import EVIL, QUICK, RunningApp

import gradio_app
from paints_undo.pictures.files import MAX_BYTES
from paints_undo.web.answers import CarefulAnswers
from paints_undo.web.exposure import guards, warning
from paints_undo.web.hosts import KnownHosts


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with RunningApp(tmp_path_factory.mktemp("exposure") / "place-of-runs") as running:
        yield running


ROUTES = ["/", "/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=x", "/gradio_api/heartbeat/x"]
ROUTES += ["/gradio_api/file=runs/x", "/theme.css", "/login", "/gradio_api/mcp/", "/nowhere", "/gradio_api/app_id"]
SENDING = ["/gradio_api/queue/join", "/gradio_api/call/generate_prompt", "/gradio_api/run/generate_prompt", "/login"]
SENDING += ["/gradio_api/upload", "/gradio_api/component_server", "/gradio_api/cancel", "/gradio_api/reset"]


@pytest.mark.parametrize("route", [*ROUTES, *SENDING])
def test_no_route_answers_under_a_foreign_name(served: RunningApp, route: str) -> None:
    host = {"Host": f"evil.example:{served.client.base_url.port}"}
    for method in ("GET", "POST", "OPTIONS"):
        answer = served.client.request(method, route, headers={**host, "Access-Control-Request-Method": "POST"})
        assert answer.status_code == 421 and "access-control-allow-origin" not in answer.headers
    handshake = {**host, "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert served.client.get(route, headers={**handshake, "Sec-WebSocket-Key": "x" * 22 + "=="}).status_code in (
        403,
        421,
    )


@pytest.mark.parametrize("route", SENDING)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_nothing_is_taken_from_pages_of_other_origins(served: RunningApp, route: str, kind: str) -> None:
    steps = served.engine.steps_done
    body = json.dumps({"data": [None], "fn_index": 0, "session_hash": "x"})
    answer = served.client.post(route, content=body, headers={**EVIL, "Content-Type": kind})
    assert answer.status_code == 403 and answer.text == "This server takes nothing from pages of other origins.\n"
    assert served.engine.steps_done == steps


ORIGINS = ["http://localhost:9999", "http://127.0.0.1:9999", "http://0.0.0.0:1", "null", "http://evil.example"]


@pytest.mark.parametrize("origin", [*ORIGINS, "the own one"])
def test_pages_of_other_origins_may_read_nothing(served: RunningApp, origin: str) -> None:
    own = str(served.client.base_url).rstrip("/")
    asking = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for route in (*ROUTES, *SENDING, "/gradio_api/upload", "/gradio_api/run/nothing"):
        for method, more in (("GET", {}), ("POST", {}), ("OPTIONS", asking), ("DELETE", {})):
            headers = {"Origin": own if origin == "the own one" else origin, **more}
            with served.client.stream(method, route, headers=headers) as answer:
                assert not [name for name in answer.headers if name.startswith("access-control-")], (method, route)


def test_every_answer_is_what_it_says_it_is(served: RunningApp) -> None:
    view = served.finished_run()
    routes = [*ROUTES, *SENDING, *(f"/gradio_api/file={view[name]}" for name in ("video", "artwork"))]
    routes += [f"/gradio_api/file={served.upload()}", "/gradio_api/file=/etc/passwd", "/assets/x"]
    for route in routes:
        for method in ("GET", "HEAD", "POST", "OPTIONS", "BREW"):
            for headers in ({}, EVIL, {"Host": "evil.example"}, {"Range": "bytes=0-3"}, {"Upgrade": "websocket"}):
                with served.client.stream(method, route, headers=headers) as answer:
                    said = answer.headers.get_list("x-content-type-options", split_commas=True)
                    assert said == ["nosniff"], (method, route, answer.status_code)


@pytest.mark.parametrize(
    ("path", "begins", "answered"),
    [
        ("/gradio_api/run/generate_prompt", 500, 422),  # a call of the direct route made by hand
        ("/gradio_api/run/generate_prompt", 200, 200),
        ("/gradio_api/queue/join", 500, 500),
        ("/gradio_api/component_server", None, 400),  # it names what is not there, at which gradio raises
        ("/", None, 500),
    ],
)
def test_what_fails_inside_is_answered_in_few_words(path: str, begins: int | None, answered: int) -> None:
    sent: list[dict[str, Any]] = []

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        if begins is None:
            raise KeyError("/secret/place")
        await send({"type": "http.response.start", "status": begins})

    async def keep(message: dict[str, Any]) -> None:
        sent.append(message)

    asked = CarefulAnswers(failing)({"type": "http", "path": path}, unread, keep)
    with pytest.raises(KeyError) if (begins, answered) == (None, 500) else nullcontext():
        asyncio.run(asked)
    assert sent[0]["status"] == answered and (b"x-content-type-options", b"nosniff") in sent[0]["headers"]
    assert begins is not None or (b"secret" not in sent[1]["body"] and sent[1]["body"].count(b"\n") == 1)


def test_what_fails_on_the_way_is_not_answered_twice() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        raise KeyError

    async def keep(message: dict[str, Any]) -> None:
        assert message["status"] == 200

    with pytest.raises(KeyError):
        asyncio.run(CarefulAnswers(failing)({"type": "http", "path": "/gradio_api/x"}, unread, keep))


def test_the_own_page_is_served(served: RunningApp) -> None:
    own = str(served.client.base_url).rstrip("/")
    answer = served.client.post("/gradio_api/call/generate_prompt", json={"data": [None]}, headers={"Origin": own})
    assert answer.status_code == 200


def test_a_run_is_shown_without_telling_where_it_is(served: RunningApp) -> None:
    view = served.finished_run()
    assert view["video"].startswith("runs/") and str(served.out.parent) not in json.dumps(view)
    for path in (view["video"], view["artwork"], view["keyframes"][0]["path"], view["frames"][0]):
        assert served.client.get(f"/gradio_api/file={path}").status_code == 200
    assert served.client.get(f"/gradio_api/file={view['video']}").content.startswith(b"\0\0\0")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../../../etc/passwd",
        "runs/../../../../etc/passwd",
        "runs/%2e%2e/%2e%2e/etc/passwd",
        "runs/..%2f..%2fetc/passwd",
        "runs",
        "runs/",
        "/proc/self/environ",
        "file:///etc/passwd",
        "http://127.0.0.1:1/x",
        "http://169.254.169.254/latest/meta-data",
        str(Path(gradio_app.__file__)),
        str(Path(gradio_app.__file__).parent / "requirements.txt"),
        "runs/\0",
        "C:\\Windows\\win.ini",
    ],
)
def test_only_files_of_runs_are_handed_out(served: RunningApp, path: str) -> None:
    base = str(served.client.base_url)
    for route in ("gradio_api/file=", "file=", "gradio_api/file/", "static/", "assets/"):
        answer = served.client.get(base + route + path.replace("\0", "%00"))
        assert 400 <= answer.status_code < 500 or answer.text.startswith("<!doctype html>"), route
        assert "root:" not in answer.text and "def build_app" not in answer.text and "torch==" not in answer.text
        assert str(served.out.parent) not in answer.text


def test_no_answer_tells_a_path_or_a_traceback(served: RunningApp) -> None:
    asked = [served.client.get(route) for route in ("/", "/config", "/gradio_api/info", "/nowhere", "/manifest.json")]
    bodies: list[Any] = [None, 5, "x", [], {}, {"data": None}, {"data": [{"path": "/etc/passwd"}], "fn_index": 0}]
    for route in SENDING:
        asked += [served.client.post(route, json=body) for body in bodies]
        asked.append(served.client.post(route, content=b"{bad"))
    asked += [served.client.post("/gradio_api/component_server", json={"fn_name": "ask", "component_id": served.bench,
              "session_hash": "s", "data": body}) for body in bodies]  # fmt: skip
    for answer in asked:
        assert "Traceback" not in answer.text and 'File "' not in answer.text
        # the place for uploads is in gradio's protocol; nothing else is told
        told = set(re.findall(r"/(?:home|root|usr|srv|work|opt|tmp)/[\w./-]+", answer.text))
        assert not {path for path in told if not path.startswith(get_upload_folder())}, answer.request.url


def test_a_full_disk_is_told_without_its_folder(served: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("paints_undo.atomic.os.replace", full)
    answer = served.ask("press", step="prompt", run_id=None, artwork=served.upload(), settings=QUICK)
    assert "no space left on device; free some space" in answer["error"]
    assert str(served.out.parent) not in answer["error"]
    monkeypatch.undo()
    assert served.finished_run()["state"] == "finished"  # and the next one goes well


def test_uploads_have_the_limit_of_every_other_door_and_a_name_without_folders(served: RunningApp) -> None:
    assert served.app.max_file_size == MAX_BYTES
    assert served.upload(name="../../evil.png").endswith("/evil.png")


def test_the_monitor_is_closed(served: RunningApp) -> None:
    for route in ("/monitoring", "/gradio_api/monitoring", "/monitoring/summary"):
        assert served.client.get(route).status_code in (403, 404)


def test_who_can_reach_the_server_is_said_aloud() -> None:
    assert warning(False, False, None) == warning(True, True, ("ann", "pw")) == ""
    assert "everybody on your network can use" in warning(True, False, None)
    assert "everybody on the internet" in warning(False, True, None) and "--auth USER:PASSWORD" in warning(
        True, True, ""
    )


def test_what_an_open_server_answers_to() -> None:
    def names(listen: bool, share: bool, hosts: list[str]) -> dict[str, Any]:
        return {guard: options for guard, _, options in guards(listen, share, hosts, Path("x"))}[KnownHosts]

    assert names(False, False, []) == {"names": ("127.0.0.1", "localhost", "::1"), "addresses": False}
    assert ".gradio.live" in names(False, True, [])["names"] and not names(False, True, [])["addresses"]
    assert "paint.example" in names(True, False, ["paint.example"])["names"] and names(True, False, [])["addresses"]
