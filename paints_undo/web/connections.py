"""Connections that were opened and then say nothing are closed, so that they keep nobody else out."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import time
from collections.abc import AsyncIterator, Collection
from typing import Any, Protocol
from weakref import WeakKeyDictionary

log = logging.getLogger(__name__)

HEADERS_S = 20.0  # for a request to arrive as far as the end of its headers
MOST_SILENT = 64  # connections without a request, of everybody; beyond that the oldest go first
LEAST_S = 2.0  # that a connection is given even then
_LOOK_S = 0.5  # between two looks
_QUIET_S = 60.0  # between two lines of the log about the same thing


class Connection(Protocol):
    """What a connection of uvicorn tells: the request under way, and the timer of an idle connection it keeps open."""

    cycle: Any
    transport: asyncio.Transport
    timeout_keep_alive_task: asyncio.TimerHandle | None


class SilentConnections:
    """Closes connections on which a request was begun, or none at all, and does not come."""

    def __init__(self) -> None:
        self._since: WeakKeyDictionary[Any, float] = WeakKeyDictionary()

    def look(self, connections: Collection[Connection], now: float) -> int:
        """Close those that were silent for too long; how many these were. now: seconds of a steady clock."""
        silent = [each for each in connections if _is_silent(each)]
        for gone in [each for each in self._since if each not in silent]:
            del self._since[gone]
        for each in silent:
            self._since.setdefault(each, now)
        oldest_first = sorted(silent, key=self._since.__getitem__)
        surplus = len(silent) - MOST_SILENT
        closed = 0
        for place, each in enumerate(oldest_first):
            if now - self._since[each] >= (LEAST_S if place < surplus else HEADERS_S):
                each.transport.abort()
                closed += 1
        return closed


def _is_silent(connection: Connection) -> bool:
    """Whether a connection is open without a request under way, and without the server's own timer that closes it."""
    cycle = connection.cycle
    waiting = cycle is None or (cycle.response_complete and connection.timeout_keep_alive_task is None)
    return waiting and connection.transport is not None and not connection.transport.is_closing()


@contextlib.asynccontextmanager
async def watched(app: Any) -> AsyncIterator[None]:
    """The life of a server (gradio's App), with its silent connections closed all along."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_Told())
    watch = asyncio.create_task(_watch(app))
    try:
        yield
    finally:
        watch.cancel()


async def _watch(app: Any) -> None:
    silent = SilentConnections()
    while True:
        await asyncio.sleep(_LOOK_S)
        server = getattr(app.get_blocks(), "server", None)  # there once gradio has started it
        if server is not None and (closed := silent.look(list(server.server_state.connections), time.monotonic())):
            log.info("closed %d silent connections", closed)


class _Told:
    """An exception handler of the loop that says once a minute that there are too many connections, not each time."""

    def __init__(self) -> None:
        self._next_s = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not (isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE)):
            loop.default_exception_handler(context)
        elif time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + _QUIET_S
            log.warning("no more connections can be opened (%s); see ulimit -n", error.strerror)
