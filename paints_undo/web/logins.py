"""How often a wrong password may be tried."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock
from typing import Any

from paints_undo.web.hosts import App, Receive, Send, refuse

MOST_FAILURES = 10  # of one address within WINDOW_S
MOST_FAILURES_OF_ALL = 100  # of all addresses together: guessing from many computers is bounded, too
WINDOW_S = 300.0
_MOST_ADDRESSES = 10_000  # remembered at a time
_ALL = ""


class BoundedLogins:
    """ASGI middleware that refuses further logins for a while after too many failed ones.

    With those ten wrong passwords in five minutes, a random one of eight letters and digits takes ages to guess.
    Behind a proxy or a shared link everybody has one address: then everybody's failures count together.
    """

    def __init__(self, app: App, clock: Callable[[], float] = time.monotonic) -> None:
        self.app = app
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._guard = Lock()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"].rstrip("/").split("/")[-1] != "login":
            await self.app(scope, receive, send)
            return
        address = (scope.get("client") or ("unknown",))[0]
        wait_s = max(self._wait_s(address, MOST_FAILURES), self._wait_s(_ALL, MOST_FAILURES_OF_ALL))
        if wait_s > 0:
            after = (b"retry-after", str(int(wait_s) + 1).encode())
            await refuse(scope, send, 429, "Too many wrong passwords; try again in some minutes.", after)
            return

        async def watch(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] >= 400:
                self._note(address)
                self._note(_ALL)
            await send(message)

        await self.app(scope, receive, watch)

    def _wait_s(self, address: str, most: int) -> float:
        """Seconds until one more failure may be afforded; 0 or less where it may now."""
        with self._guard:
            failures = self._failures.get(address, ())
            return failures[-most] + WINDOW_S - self._clock() if len(failures) >= most else 0.0

    def _note(self, address: str) -> None:
        with self._guard:
            self._failures.setdefault(address, deque(maxlen=MOST_FAILURES_OF_ALL)).append(self._clock())
            self._failures.move_to_end(address)
            if _ALL in self._failures:
                self._failures.move_to_end(_ALL)  # never among those that are forgotten
            while len(self._failures) > _MOST_ADDRESSES:
                self._failures.popitem(last=False)
