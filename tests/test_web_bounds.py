"""One visitor neither starves nor fills the machine: large, slow, broken and many requests, sent by hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from gradio.utils import get_upload_folder
from running_app import RunningApp, until

from paints_undo.errors import InputError
from paints_undo.web import bodies, calls, connections, jobs
from paints_undo.web.connections import SilentConnections
from paints_undo.web.jobs import MOST_JOBS_OF_CLIENT

JSON = "Content-Type: application/json\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        with RunningApp(tmp_path_factory.mktemp("bounds") / "runs") as running:
            yield running


def opened(server: RunningApp, sent: str) -> socket.socket:
    """A connection on which this was sent."""
    url = server.client.base_url
    connection = socket.create_connection((url.host, url.port), timeout=20)
    connection.sendall(sent.replace("HOST", f"Host: {url.host}:{url.port}\r\n").encode())
    return connection


def answer_of(connection: socket.socket) -> str:
    """Everything that comes until the server closes the connection or has answered."""
    said = b""
    while b"\r\n\r\n" not in said and (more := connection.recv(65536)):
        said += more
    return said.decode()


# Bodies


@pytest.mark.parametrize("route", ["queue/join", "component_server", "call/generate_prompt", "run/predict", "cancel"])
def test_a_body_that_is_too_large_is_refused_before_it_comes(server: RunningApp, route: str) -> None:
    with opened(server, f"POST /gradio_api/{route} HTTP/1.1\r\nHOST{JSON}Content-Length: 200000000\r\n\r\n{{") as sent:
        assert answer_of(sent).startswith("HTTP/1.1 413")


def test_an_upload_that_is_too_large_is_refused_in_the_picture_reader_s_words(server: RunningApp) -> None:
    head = "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 300000000\r\n\r\n--b"
    with opened(server, f"POST /gradio_api/upload HTTP/1.1\r\nHOST{head}") as sent:
        said = answer_of(sent)
        while "\n" not in said.partition("\r\n\r\n")[2] and (more := sent.recv(65536)):
            said += more.decode()
    sentence = "the uploaded file is too large (300 MB, limit 256 MB): make it smaller first"
    assert said.startswith("HTTP/1.1 413") and said.endswith(f"\r\n\r\n{sentence}\n")


def test_a_body_that_does_not_say_how_large_it_is_is_refused_on_the_way(server: RunningApp) -> None:
    def pieces() -> Iterator[bytes]:
        yield b'{"data": ["'
        for _ in range(50):
            yield b"a" * 100_000

    answer = server.client.post(
        "/gradio_api/queue/join", content=pieces(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413 and "larger than the 4 MB" in answer.text


def test_a_body_that_stops_coming_is_given_up(server: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "IDLE_S", 0.3)
    for route in ("queue/join", "component_server", "call/generate_prompt"):
        with opened(server, f"POST /gradio_api/{route} HTTP/1.1\r\nHOST{JSON}Content-Length: 1000\r\n\r\n{{") as sent:
            assert answer_of(sent).startswith("HTTP/1.1 408"), route


def test_a_body_that_comes_too_slowly_is_given_up(server: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "SLOW_S", 0.3)
    with opened(server, f"POST /gradio_api/queue/join HTTP/1.1\r\nHOST{JSON}Content-Length: 1000\r\n\r\n") as sent:
        for _ in range(40):
            try:
                sent.sendall(b" ")
            except OSError:
                break
            time.sleep(0.02)
        assert answer_of(sent).startswith("HTTP/1.1 408")


def test_bodies_under_way_are_counted(server: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MOST_OF_ONE", 3)
    begun = f"POST /gradio_api/queue/join HTTP/1.1\r\nHOST{JSON}Content-Length: 1000\r\n\r\n{{"
    held = [opened(server, begun) for _ in range(3)]
    time.sleep(0.3)
    with opened(server, begun) as one_too_many:
        assert answer_of(one_too_many).startswith("HTTP/1.1 503")
    for each in held:
        each.close()
    until(lambda: server.client.post("/gradio_api/queue/join", json={}).status_code != 503)


def parts() -> list[str]:
    return [each.name for each in Path(get_upload_folder()).iterdir() if each.is_file()]


def test_uploads_that_break_off_leave_nothing(server: RunningApp) -> None:
    head = "POST /gradio_api/upload HTTP/1.1\r\nHOSTContent-Type: multipart/form-data; boundary=x\r\n"
    head += (
        'Content-Length: 9000000\r\n\r\n--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    )
    begun = [opened(server, head + "a" * 100_000) for _ in range(4)]
    until(lambda: len(parts()) == 4)
    for each in begun[:-1]:
        each.close()
    begun[-1].sendall(b"b" * 10)
    begun[-1].close()
    until(lambda: not parts())
    assert Path(server.upload()).is_file(), "and whole ones are kept"
    assert not parts()


def test_an_upload_does_not_fill_the_disk(server: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(bodies.shutil, "disk_usage", lambda place: usage(10**12, 10**12 - 10**9, 10**9))
    answer = server.client.post("/gradio_api/upload", files={"files": ("a.png", b"x" * 1000)})
    assert answer.status_code == 507 and "nearly full" in answer.text
    assert "error" not in server.ask("runs"), "what needs no room goes on"


# Connections


def test_requests_that_are_half_sent_are_not_held_for_ever(server: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADERS_S", 1.0)
    begun = [opened(server, start) for start in ("", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHOSTX-A: ", "POST /lo")]
    for each in begun:
        each.settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            assert each.recv(1) == b"", "closed by the server, without an answer"
        each.close()


def test_many_that_are_half_sent_make_way_for_others(server: RunningApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_SILENT", 5)
    begun = [opened(server, "GET / HTTP/1.1\r\nX-Half: ") for _ in range(40)]
    begin = time.monotonic()
    until(lambda: len(server.app.server.server_state.connections) < 15)
    assert time.monotonic() - begin < 10 < connections.HEADERS_S
    assert httpx.get(f"{server.client.base_url}config").status_code == 200
    for each in begun:
        each.close()


def connection(cycle: Any = None, timer: Any = None) -> Any:
    """As uvicorn keeps one: the request under way, and the timer of one that it will close itself."""
    return Mock(cycle=cycle, timeout_keep_alive_task=timer, transport=Mock(is_closing=lambda: False))


def test_only_silent_connections_are_closed() -> None:
    working = connection(SimpleNamespace(response_complete=False))
    idle = connection(SimpleNamespace(response_complete=True), timer=object())  # closed by the server itself
    half, second_half = connection(), connection(SimpleNamespace(response_complete=True))
    watch, all_of_them = SilentConnections(), [working, idle, half, second_half]
    assert [watch.look(all_of_them, now) for now in (0.0, 10.0, 19.9)] == [0, 0, 0]
    assert watch.look(all_of_them, 20.0) == 2
    assert [each.transport.abort.called for each in all_of_them] == [False, False, True, True]


def test_a_connection_that_is_used_again_starts_anew() -> None:
    one, watch = connection(), SilentConnections()
    watch.look([one], 0.0)
    one.cycle = SimpleNamespace(response_complete=False)
    watch.look([one], 15.0)
    one.cycle = None
    assert watch.look([one], 16.0) == 0 and watch.look([one], 30.0) == 0 and watch.look([one], 36.0) == 1


def test_too_many_open_files_are_said_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    told, context = connections._Told(), {"message": "x", "exception": OSError(24, "Too many open files")}
    loop = asyncio.new_event_loop()
    with caplog.at_level("WARNING"):
        for _ in range(1000):
            told(loop, context)
        told(loop, {"message": "something else"})
    loop.close()
    assert [record.getMessage() for record in caplog.records] == [
        "no more connections can be opened (Too many open files); see ulimit -n", "something else",
    ]  # fmt: skip


# Calls and jobs


def test_one_session_does_not_fill_the_line(server: RunningApp) -> None:
    server.engine.seconds_per_step = 1.0
    named = server.named()
    index = next(d["id"] for d in server.app.get_config_file()["dependencies"] if d["api_name"] == "generate_prompt")
    body = {"data": [named], "fn_index": index, "session_hash": "greedy"}
    statuses = [server.client.post("/gradio_api/queue/join", json=body).status_code for _ in range(80)]
    running = server.app.fns[index].concurrency_limit
    assert statuses.count(200) <= running + calls.MOST_OF_ONE + 8 and 503 in statuses, "some may be done by now"
    others = {**body, "session_hash": "modest"}
    assert server.client.post("/gradio_api/queue/join", json=others).status_code == 200
    server.engine.seconds_per_step = 0
    until(lambda: not jobs.queue_of("cpu")._line and not len(server.app._queue), 60)


def test_calls_of_many_sessions_leave_room_for_the_doctor(server: RunningApp) -> None:
    """The line of the endpoints is full; the doctor has a line of its own."""
    dependencies = server.app.get_config_file()["dependencies"]
    kinds = {each["id"]: server.app.fns[each["id"]].concurrency_id for each in dependencies if each["backend_fn"]}
    public = {each["id"] for each in dependencies if each["api_visibility"] == "public" and each["backend_fn"]}
    assert len({kinds[each] for each in public}) == 1
    assert not {kinds[each] for each in public} & {kinds[each] for each in kinds.keys() - public}
    assert server.app._queue.max_size is None


def test_fresh_secrets_do_not_make_room_for_more_jobs(server: RunningApp) -> None:
    server.engine.seconds_per_step = 1.0
    settings = {"width": 64, "height": 64, "sampling_steps": 100, "operation_steps": [400]}
    artwork, told, runs = server.upload(), [], []
    for number in range(MOST_JOBS_OF_CLIENT + 8):
        visitor = f"a fresh secret of sixteen letters {number}"
        pressed = {"step": "keyframes", "run_id": None, "artwork": artwork, "settings": settings}
        said = server.ask("press", visitor, **pressed)
        told.append(said["result"].get("error"))
        runs.append((visitor, said["result"]["run"]))
    sentence = "32 pictures from your address are being drawn or wait for it; let some be done first"
    assert told == [None] * MOST_JOBS_OF_CLIENT + [sentence] * 8
    for visitor, run in runs:
        server.ask("cancel", visitor, run_id=run)
    server.engine.seconds_per_step = 0
    until(lambda: not jobs.queue_of("cpu")._line)


def test_nobodys_address_is_not_counted() -> None:
    queue = jobs.Queue("test")
    nobodys, theirs = (jobs.Job(queue, lambda report: None) for _ in range(2))
    theirs.client = "10.0.0.1"
    queue._line = [nobodys] * 100 + [theirs] * MOST_JOBS_OF_CLIENT
    queue.refuse_many_of("")
    queue.refuse_many_of("10.0.0.2")
    with pytest.raises(InputError, match="from your address"):
        queue.refuse_many_of("10.0.0.1")


def test_sizes_and_work_far_beyond_the_family_are_refused(server: RunningApp) -> None:
    begin, artwork = time.monotonic(), server.upload()
    large = {"width": 4096, "height": 4096, "operation_steps": list(range(0, 960, 30)), "sampling_steps": 100}
    assert server.ask("open", artwork=artwork, settings=large)["error"].startswith("width is 4096; use at most 1024")
    for steps, side, said in (
        (large["operation_steps"], 4096, "width is 4096"),
        ([5] * 1_000_000, 256, "1000000 times"),
    ):
        values = ("1girl", "", steps, 1, side, side, 100, 3.0)
        assert said in server.called("generate_keyframes", server.named(artwork), *values)
    assert time.monotonic() - begin < 20
