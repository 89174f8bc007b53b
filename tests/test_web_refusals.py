"""A call made by hand with the wrong inputs is refused; everything else is left alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgi import unread

from paints_undo.web.refusals import RefusedNotFailed


def status_of(path: str, status: int) -> int:
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def keep(message: Any) -> None:
        sent.append(message)

    asyncio.run(RefusedNotFailed(app)({"type": "http", "path": path}, unread, keep))
    assert sent[1]["body"] == b"{}"
    return sent[0]["status"]


@pytest.mark.parametrize(
    ("path", "status", "answered"),
    [
        ("/gradio_api/run/generate_prompt", 500, 422),
        ("/gradio_api/run/generate_prompt", 200, 200),
        ("/gradio_api/queue/join", 500, 500),
        ("/", 200, 200),
    ],
)
def test_only_failed_direct_calls_become_refusals(path: str, status: int, answered: int) -> None:
    assert status_of(path, status) == answered


@pytest.mark.parametrize(
    ("path", "begun"), [("/gradio_api/component_server", False), ("/", False), ("/gradio_api/x", True)]
)
def test_what_raises_is_refused_while_nothing_was_answered(path: str, begun: bool) -> None:
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError(99999)

    async def keep(message: Any) -> None:
        sent.append(message)

    asked = RefusedNotFailed(app)({"type": "http", "path": path}, unread, keep)
    if begun or "gradio_api" not in path:
        with pytest.raises(KeyError):
            asyncio.run(asked)
    else:
        asyncio.run(asked)
        assert sent[0]["status"] == 400 and b"not understood" in sent[1]["body"]
