"""A call made by hand with the wrong inputs is refused; everything else is left alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from paints_undo.web.refusals import RefusedNotFailed


def status_of(path: str, status: int) -> int:
    sent: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def keep(message: Any) -> None:
        sent.append(message)

    asyncio.run(RefusedNotFailed(app)({"type": "http", "path": path}, None, keep))
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
