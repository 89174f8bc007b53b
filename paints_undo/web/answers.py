"""What every answer says beside itself: nothing to guess about it, and nothing for the pages of other origins."""

from __future__ import annotations

import logging
from typing import Any

from starlette.datastructures import MutableHeaders

from paints_undo.web.hosts import App, Receive, Send, refuse

log = logging.getLogger(__name__)

_SAID = {"x-content-type-options": "nosniff", "referrer-policy": "same-origin"}
_STARTS = ("http.response.start", "websocket.http.response.start")


class CarefulAnswers:
    """ASGI middleware after which browsers take every answer for what it says it is, and show none to other origins.

    Gradio allows pages on other ports of this computer to read its answers (CORS); the own page needs no such header.
    What fails inside is answered here, so that this answer is like the others. Where gradio's own routes fail, it is a
    request made by hand, and refused: pages and clients get their errors as events of the queue, and the page's own
    calls never raise. It is a call of the direct route with the wrong inputs, which gradio answers with status 500, or
    names an unknown component, function or file, at which gradio raises.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        begun, path = False, scope.get("path", "")

        async def send_on(message: dict[str, Any]) -> None:
            nonlocal begun
            begun = True
            if message["type"] in _STARTS:
                message = {"headers": [], **message}
                if message["status"] == 500 and "/gradio_api/run/" in path:
                    message["status"] = 422
                headers = MutableHeaders(scope=message)
                for name in [name for name in headers if name.startswith("access-control-")]:
                    del headers[name]
                headers.update(_SAID)
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except Exception as error:
            if scope["type"] != "http" or begun:
                raise
            if "/gradio_api/" not in path:
                await refuse(scope, send_on, 500, "Something went wrong inside the program; its log says what.")
                raise
            log.warning("refused a request to %s (%r)", path[:200], error)
            await refuse(scope, send_on, 400, "This request is not understood.")
