"""Answers requests that no page of this program would send with a refusal, not with a server error."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

log = logging.getLogger(__name__)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class RefusedNotFailed:
    """ASGI middleware for gradio's routes, some of which fail where a request names what is not there.

    Pages and clients get their errors as events of the queue, and the page's own calls never raise; what fails here was
    made by hand: a call of the direct route with the wrong inputs, which gradio answers with status 500, or an unknown
    component, function or file, at which gradio raises.
    """

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "/gradio_api/" not in scope["path"]:
            await self.app(scope, receive, send)
            return
        direct, begun = "/gradio_api/run/" in scope["path"], False

        async def refuse(message: Message) -> None:
            nonlocal begun
            begun = True
            if direct and message["type"] == "http.response.start" and message["status"] == 500:
                message = {**message, "status": 422}
            await send(message)

        try:
            await self.app(scope, receive, refuse)
        except Exception as error:
            if begun:
                raise
            log.warning("refused a request to %s (%r)", scope["path"][:200], error)
            body = json.dumps({"detail": "this request is not understood"}).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 400, "headers": headers})
            await send({"type": "http.response.body", "body": body})
