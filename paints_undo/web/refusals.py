"""Answers requests that no page of this program would send with a refusal, not with a server error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class RefusedNotFailed:
    """ASGI middleware for gradio's direct route, which answers a call with the wrong inputs with status 500.

    Pages and clients use the queue, where such a call is an error event; what comes here directly was made by hand.
    """

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "/gradio_api/run/" not in scope["path"]:
            await self.app(scope, receive, send)
            return

        async def refuse(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 500:
                message = {**message, "status": 422}
            await send(message)

        await self.app(scope, receive, refuse)
