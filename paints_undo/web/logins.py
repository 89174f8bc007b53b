"""How often a wrong password may be tried."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from paints_undo.web.hosts import App, Receive, Send, given_again, refuse, route_of, whole_body

MOST_FAILURES = 10  # of one address within WINDOW_S
MOST_FAILURES_OF_ALL = 100  # of all addresses together: guessing from many computers is bounded, too
WINDOW_S = 300.0
LARGEST_FORM = 16_384  # bytes of a name and a password


class BoundedLogins:
    """ASGI middleware that refuses further logins for a while after too many failed ones.

    With those ten wrong passwords in five minutes, a random one of eight letters and digits takes ages to guess. An
    attempt counts from before it is looked at, one at a time, until it has turned out right: however many are sent
    side by side, no more than these are looked at. What is not sent whole is neither looked at nor counted.
    Behind a proxy (without --behind-proxy) or a shared link everybody has one address: then everybody's count together.
    """

    def __init__(self, app: App, clock: Callable[[], float] = time.monotonic) -> None:
        self.app = app
        self._clock = clock
        self._attempts: deque[tuple[float, str]] = deque()
        self._turn = asyncio.Lock()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or route_of(scope) != "/login":
            await self.app(scope, receive, send)
            return
        address = _place_of(scope)
        if (wait_s := self._wait_s(address)) > 0:
            await _make_wait(scope, send, wait_s)
            return
        form = await whole_body(receive, LARGEST_FORM)
        if form is None:
            return
        if len(form) > LARGEST_FORM:
            await refuse(scope, send, 413, "This is no name and password.")
            return
        answer: list[dict[str, Any]] = []
        async with self._turn:
            wait_s = self._wait_s(address)
            if wait_s <= 0:
                answer = await self._looked_at(address, scope, given_again(form, _gone))
        if wait_s > 0:
            await _make_wait(scope, send, wait_s)
        for message in answer:  # after the turn: who does not read it keeps nobody waiting
            await send(message)

    async def _looked_at(self, address: str, scope: dict[str, Any], receive: Receive) -> list[dict[str, Any]]:
        attempt = (self._clock(), address)
        self._attempts.append(attempt)
        answer: list[dict[str, Any]] = []

        async def keep(message: dict[str, Any]) -> None:
            answer.append(message)

        await self.app(scope, receive, keep)
        if answer and answer[0]["status"] < 400:
            self._attempts.remove(attempt)
        return answer

    def _wait_s(self, address: str) -> float:
        """Seconds until one more failure may be afforded; 0 or less where it may now."""
        now = self._clock()
        while self._attempts and self._attempts[0][0] + WINDOW_S <= now:
            self._attempts.popleft()
        of_all = [when for when, _ in self._attempts]
        own = [when for when, place in self._attempts if place == address]
        until = [
            times[-most] + WINDOW_S
            for times, most in ((own, MOST_FAILURES), (of_all, MOST_FAILURES_OF_ALL))
            if len(times) >= most
        ]
        return max(until) - now if until else 0.0


def _place_of(scope: dict[str, Any]) -> str:
    """The client's address; of IPv6 the network of 64 bits, which one client has to itself."""
    text = (scope.get("client") or ("unknown",))[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return text
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.IPv6Network((int(address), 64), strict=False))
    return str(address)


async def _gone() -> dict[str, Any]:
    return {"type": "http.disconnect"}


async def _make_wait(scope: dict[str, Any], send: Send, wait_s: float) -> None:
    after = (b"retry-after", str(int(wait_s) + 1).encode())
    await refuse(scope, send, 429, "Too many wrong passwords; try again in some minutes.", after)
