"""Wrong passwords: a few are forgiven, many have to wait."""

from __future__ import annotations

import asyncio
from typing import Any

from asgi import unread

from paints_undo.web.logins import MOST_FAILURES, MOST_FAILURES_OF_ALL, WINDOW_S, BoundedLogins


class Door:
    """A login page behind the guard, with a clock of its own."""

    def __init__(self) -> None:
        self.now, self.asked = 0.0, 0
        self.guard = BoundedLogins(self._app, lambda: self.now)

    async def _app(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.asked += 1
        await send({"type": "http.response.start", "status": 200 if scope["right"] else 400, "headers": []})

    def knock(
        self, right: bool = False, address: str = "192.0.2.1", path: str = "/login", method: str = "POST"
    ) -> dict:
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "path": path, "method": method, "client": (address, 5), "right": right, "headers": []}
        asyncio.run(self.guard(scope, unread, send))
        return sent[0]


def test_too_many_wrong_passwords_have_to_wait_and_the_right_one_too():
    door = Door()
    assert [door.knock()["status"] for _ in range(MOST_FAILURES)] == [400] * MOST_FAILURES
    refused = door.knock(right=True)
    assert refused["status"] == 429 and dict(refused["headers"])[b"retry-after"] == b"301"
    assert door.asked == MOST_FAILURES
    door.now += WINDOW_S + 1
    assert door.knock(right=True)["status"] == 200


def test_others_are_not_locked_out():
    door = Door()
    for _ in range(MOST_FAILURES + 3):
        door.knock()
    assert door.knock(right=True, address="192.0.2.2")["status"] == 200


def test_right_passwords_and_other_pages_do_not_count():
    door = Door()
    for _ in range(3 * MOST_FAILURES):
        assert door.knock(right=True)["status"] == 200
        assert door.knock(path="/gradio_api/queue/join")["status"] == 400
        assert door.knock(method="GET")["status"] == 400
    assert door.knock()["status"] == 400


def test_many_addresses_together_are_bounded_and_forgotten():
    door = Door()
    statuses = [door.knock(address=f"192.0.2.{number}")["status"] for number in range(MOST_FAILURES_OF_ALL + 5)]
    assert statuses == [400] * MOST_FAILURES_OF_ALL + [429] * 5
    for number in range(12_000):
        door.now += WINDOW_S
        door.guard._note(f"address {number}")
    assert len(door.guard._failures) <= 10_000
    assert door.knock(path="/login/", right=True)["status"] == 200
