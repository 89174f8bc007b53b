"""A request to a guard of the server, behind which an application keeps what reaches it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


async def unread() -> dict[str, Any]:
    raise AssertionError("the request was read")


async def stays() -> dict[str, Any]:
    """A client that has sent everything, and waits."""
    await asyncio.Event().wait()
    raise AssertionError


def asked(guard: Callable[[Any], Any], receive: Any = unread, **scope: Any) -> tuple[list[Any], list[Any]]:
    """The messages in answer to a request of HTTP by GET, if nothing else is said, and the scopes that went further."""
    sent: list[Any] = []
    arrived: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        arrived.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def keep(message: Any) -> None:
        sent.append(message)

    asyncio.run(guard(app)({"type": "http", "method": "GET", "headers": [], **scope}, receive, keep))
    return sent, arrived
