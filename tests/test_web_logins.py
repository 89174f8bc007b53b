"""Wrong passwords: a few are forgiven, many have to wait, also those that are sent side by side."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from paints_undo.web.logins import LARGEST_FORM, MOST_FAILURES, MOST_FAILURES_OF_ALL, WINDOW_S, BoundedLogins

FORM = {"type": "http.request", "body": b"password=x", "more_body": False}


class Door:
    """A login page behind the guard, with a clock of its own; looking at a password takes a while."""

    def __init__(self) -> None:
        self.now, self.asked, self.at_work, self.most_at_work = 0.0, 0, 0, 0
        self.guard = BoundedLogins(self._app, lambda: self.now)

    async def _app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.asked += 1
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        if scope["path"].startswith("/login"):
            assert (await receive())["body"] == b"password=x"
        await asyncio.sleep(0)
        self.at_work -= 1
        await send({"type": "http.response.start", "status": 200 if scope["right"] else 400, "headers": []})

    async def arrives(
        self, right: bool, address: str, path: str = "/login", method: str = "POST", messages: Any = (FORM,)
    ) -> dict[str, Any]:
        sent: list[dict[str, Any]] = []
        coming = iter(messages)

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)  # the others' headers come first
            return next(coming)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "path": path, "method": method, "client": (address, 5), "right": right, "headers": []}
        await self.guard(scope, receive, send)
        return sent[0] if sent else {}

    def knock(self, right: bool = False, address: str = "192.0.2.1", **options: Any) -> dict[str, Any]:
        return asyncio.run(self.arrives(right, address, **options))

    def crowd(self, addresses: list[str], right: bool = False) -> list[int]:
        """The statuses for logins that all arrive at once."""

        async def all_of_them() -> list[dict[str, Any]]:
            return await asyncio.gather(*(self.arrives(right, address) for address in addresses))

        return [answer["status"] for answer in asyncio.run(all_of_them())]


def test_too_many_wrong_passwords_have_to_wait_and_the_right_one_too():
    door = Door()
    assert [door.knock()["status"] for _ in range(MOST_FAILURES)] == [400] * MOST_FAILURES
    refused = door.knock(right=True)
    assert refused["status"] == 429 and dict(refused["headers"])[b"retry-after"] == b"301"
    assert door.asked == MOST_FAILURES
    door.now += WINDOW_S + 1
    assert door.knock(right=True)["status"] == 200


def test_guesses_side_by_side_are_not_looked_at_beyond_the_bounds():
    door = Door()
    assert sorted(door.crowd(["192.0.2.1"] * 1000)) == [400] * MOST_FAILURES + [429] * (1000 - MOST_FAILURES)
    assert door.asked == MOST_FAILURES and door.most_at_work == 1
    many = Door()
    many.crowd([f"192.0.{number // 250}.{number % 250}" for number in range(1000)])
    assert many.asked == MOST_FAILURES_OF_ALL and many.most_at_work == 1


def test_a_class_that_logs_in_at_once_gets_in():
    door = Door()
    assert door.crowd(["192.0.2.1"] * 300, right=True) == [200] * 300


def test_others_are_not_locked_out_and_get_nobody_further_attempts():
    door = Door()
    for _ in range(MOST_FAILURES + 3):
        door.knock()
    assert door.knock(right=True, address="192.0.2.2")["status"] == 200
    assert door.knock()["status"] == 429


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),  # one client has 64 bits to itself
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_which_addresses_are_one(first: str, second: str, same: bool):
    door = Door()
    for _ in range(MOST_FAILURES):
        door.knock(address=first)
    assert door.knock(address=second)["status"] == (429 if same else 400)


def test_right_passwords_and_other_pages_do_not_count():
    door = Door()
    for _ in range(3 * MOST_FAILURES):
        assert door.knock(right=True)["status"] == 200
        assert door.knock(path="/gradio_api/queue/join")["status"] == 400
        assert door.knock(method="GET")["status"] == 400
    assert door.knock()["status"] == 400


def test_what_is_not_sent_whole_is_not_looked_at_and_not_counted():
    door, half = Door(), {**FORM, "more_body": True}
    for _ in range(3 * MOST_FAILURES):
        assert door.knock(messages=[half, {"type": "http.disconnect"}]) == {}
        assert door.knock(messages=[{**half, "body": b"x" * LARGEST_FORM}, half])["status"] == 413
    assert door.asked == 0 and door.knock()["status"] == 400


def test_many_addresses_together_are_bounded_and_forgotten():
    door = Door()
    statuses = [door.knock(address=f"192.0.2.{number}")["status"] for number in range(MOST_FAILURES_OF_ALL + 5)]
    assert statuses == [400] * MOST_FAILURES_OF_ALL + [429] * 5
    door.now += WINDOW_S
    assert door.knock(path="/login/", right=True)["status"] == 200
    assert not door.guard._attempts
