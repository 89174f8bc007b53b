"""How many calls may wait in gradio's line, so that nobody fills it alone."""

from __future__ import annotations

import json
import re
from typing import Any

from paints_undo.web.hosts import App, Receive, Send, given_again, refuse, whole_body

MOST_WAITING = 64  # of each kind: the endpoints, the doctor
MOST_OF_ONE = 8  # of one session
MOST_OF_ADDRESS = 32  # behind a proxy or a shared link many sessions have one
_JOIN = re.compile(r"/gradio_api/(?:queue/join|call/(?:v2/)?(?P<name>[^/]+))/?")


class BoundedCalls:
    """ASGI middleware that refuses calls of whoever has many waiting already.

    gradio bounds the line as a whole, so that one session could shut everybody out of everything.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        joins = _JOIN.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if joins is None:
            await self.app(scope, receive, send)
            return
        body = await whole_body(receive)
        if body is None:
            return
        if self._is_full(scope, joins["name"], body):
            await refuse(scope, send, 503, "Many calls are waiting already; try again when some are done.")
            return
        await self.app(scope, given_again(body, receive), send)

    def _is_full(self, scope: dict[str, Any], name: str | None, body: bytes) -> bool:
        try:
            call = json.loads(body)
            session, index = call.get("session_hash"), call.get("fn_index")
        except (ValueError, AttributeError, RecursionError):
            return False  # gradio refuses it
        blocks = scope["app"].get_blocks()
        functions = [each for number, each in blocks.fns.items() if number == index or each.api_name == name]
        if not functions:
            return False
        line = blocks._queue.event_queue_per_concurrency_id.get(functions[0].concurrency_id)
        waiting = list(line.queue) if line else []
        address = (scope.get("client") or ("",))[0]
        own = sum(event.session_hash == session for event in waiting)
        near = sum(event.request.client is not None and event.request.client.host == address for event in waiting)
        return len(waiting) >= MOST_WAITING or own >= MOST_OF_ONE or near >= MOST_OF_ADDRESS
