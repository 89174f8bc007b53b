"""What every answer says beside itself: nothing to guess about it, and nothing for the pages of other origins."""

from __future__ import annotations

from typing import Any

from paints_undo.web.hosts import App, Receive, Send, refuse

_SAID = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"))
_STARTS = ("http.response.start", "websocket.http.response.start")


class CarefulAnswers:
    """ASGI middleware after which browsers take every answer for what it says it is, and show none to other origins.

    Gradio allows pages on other ports of this computer to read its answers (CORS); the own page needs no such header.
    What fails inside is answered here, so that this answer is like the others.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        begun = False

        async def send_on(message: dict[str, Any]) -> None:
            nonlocal begun
            begun = True
            if message["type"] in _STARTS:
                message = {**message, "headers": _careful(message.get("headers", ()))}
            await send(message)

        try:
            await self.app(scope, receive, send_on)
        except Exception:
            if scope["type"] == "http" and not begun:
                await refuse(scope, send_on, 500, "Something went wrong inside the program; its log says what.")
            raise


def _careful(headers: Any) -> list[tuple[bytes, bytes]]:
    replaced = {name for name, _ in _SAID}
    kept = [
        (name, value)
        for name, value in headers
        if not name.lower().startswith(b"access-control-") and name.lower() not in replaced
    ]
    return [*kept, *_SAID]
