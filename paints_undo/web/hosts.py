"""Keeps other web pages out of a server that is meant for this computer alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LOOPBACK_NAMES = ("127.0.0.1", "localhost")


class LoopbackOnly:
    """ASGI middleware that answers requests addressed to this computer by its loopback names, and refuses the rest.

    A page on the web can let its own host name point to 127.0.0.1 and would then be of the same origin as this server
    (DNS rebinding); the Host header still carries that name.
    """

    def __init__(self, app: Callable[[dict[str, Any], Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _host_name(scope) not in LOOPBACK_NAMES:
            sentence = b"This server answers on 127.0.0.1 and localhost only; start it with --listen to open it.\n"
            headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(sentence)).encode())]
            await send({"type": "http.response.start", "status": 421, "headers": headers})
            await send({"type": "http.response.body", "body": sentence})
            return
        await self.app(scope, receive, send)


def _host_name(scope: dict[str, Any]) -> str:
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
    return host.rpartition(":")[0] or host
