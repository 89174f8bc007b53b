"""Requests under foreign names, and from pages of other origins, get no further than the guards."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from asgi import asked

from paints_undo.web.hosts import KnownHosts, OwnPagesOnly, host_name, own_names, route_of


def answer(guard: type, headers: dict[str, str], method: str = "GET", kind: str = "http", **options: Any) -> Any:
    """The status of the answer, or the code a websocket was closed with."""
    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    (first, *_), _ = asked(partial(guard, **options), type=kind, method=method, headers=given)
    return first.get("status", first.get("code"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:7860", "localhost", "LOCALHOST:7860", "[::1]:7860", "[::1]"])
def test_own_names_are_answered(host: str) -> None:
    assert answer(KnownHosts, {"host": host}) == 200


FOREIGN = ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "localhost.evil:1", "[evil]:7860"]
FOREIGN += ["localhost@evil.example", "192.0.2.7", "x.gradio.live", "[::1].evil.example", "[::1]evil:1", "[::1", "::1"]
FOREIGN += ["127.0.0.1@evil", "localhost:7860.evil", "localhost:", "localhost:x", "localhost:7860:1", "127.0.0.1, evil"]
FOREIGN += ["localhost.", " localhost", "localhost:123456", "localhost/evil", "127.0.0.1\t", "[127.0.0.1]:1:2", "127.1"]


@pytest.mark.parametrize("host", FOREIGN)
def test_other_names_are_refused(host: str) -> None:
    assert answer(KnownHosts, {"host": host}) == 421
    assert answer(KnownHosts, {"host": host}, kind="websocket") == 1008


def test_no_host_is_refused_and_more_than_one() -> None:
    assert answer(KnownHosts, {}) == 421
    assert asked_with([(b"host", b"localhost"), (b"host", b"localhost")])[0] == 421
    assert asked_with([(b"host", b"localhost"), (b"host", b"evil.example")])[0] == 421


def asked_with(headers: list[tuple[bytes, bytes]]) -> tuple[int, list[tuple[bytes, bytes]]]:
    """The status, and the headers that went further, for a server that is also known as paint.example."""
    sent, arrived = asked(partial(KnownHosts, names=("localhost", "paint.example")), headers=headers)
    return sent[0]["status"], arrived[0]["headers"] if arrived else []


def test_an_unknown_name_as_the_forwarded_one_is_left_out() -> None:
    host = (b"host", b"localhost")
    for name in (b"evil.example", b"evil.example, paint.example", b"", b"paint.example.evil"):
        assert asked_with([host, (b"x-forwarded-host", name), (b"x-gradio-server", b"http://evil")]) == (200, [host])
    known = (b"x-forwarded-host", b"paint.example, 10.0.0.1")
    assert asked_with([host, known]) == (200, [host, known])


def test_an_open_server_answers_to_numbers_and_to_what_it_is_given() -> None:
    opened: dict[str, Any] = {"names": ("paint.example", ".gradio.live"), "addresses": True}
    for host in ("192.0.2.7:7860", "[2001:db8::7]:7860", "paint.example", "abc.gradio.live"):
        assert answer(KnownHosts, {"host": host}, **opened) == 200
    for host in ("evil.example", "gradio.live.evil.example", "192.0.2.7.evil.example"):
        assert answer(KnownHosts, {"host": host}, **opened) == 421


OWN = {"host": "127.0.0.1:7860"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # a program
        ({"origin": "http://127.0.0.1:7860"}, 200),
        ({"origin": "http://127.0.0.1:7860", "sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:8000"}, 403),  # another server of this computer
        ({"origin": "http://127.0.0.1:7860.evil.example"}, 403),
        ({"origin": "null"}, 403),  # a page in a sandbox
        ({"origin": "http://["}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "https://paint.example"}, 200),  # named as the proxy's
    ],
)
@pytest.mark.parametrize(("method", "kind"), [("POST", "http"), ("DELETE", "http"), ("GET", "websocket")])
def test_what_other_pages_send_is_refused(headers: dict[str, str], status: int, method: str, kind: str) -> None:
    expected = 1008 if kind == "websocket" and status == 403 else status
    assert answer(OwnPagesOnly, {**OWN, **headers}, method, kind, names=("paint.example",)) == expected


def test_reading_is_left_to_the_browser() -> None:
    assert answer(OwnPagesOnly, {**OWN, "origin": "http://evil.example"}, "GET") == 200


def test_the_route_is_what_is_left_of_the_path_below_the_root() -> None:
    cases = [("/login", ""), ("/login/", ""), ("/paints/login", "/paints"), ("/login", "/paints")]
    assert {route_of({"path": path, "root_path": root}) for path, root in cases} == {"/login"}
    assert route_of({"path": "/paints", "root_path": "/paints"}) == "/" == route_of({"path": "/"})
    assert route_of({"path": "/paintsx/login", "root_path": "/paints"}) == "/paintsx/login"


def test_names() -> None:
    assert [host_name(host) for host in ("a:1", "a", "[::1]:1", "", "[::1]x")] == ["a", "a", "::1", "", ""]
    assert own_names() and all(name == name.lower() for name in own_names())
