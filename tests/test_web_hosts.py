"""The loopback server answers to its own names only."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from paints_undo.web.hosts import LoopbackOnly


def answer(host: str) -> int:
    sent: list[dict[str, Any]] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": [(b"host", host.encode())]}
    asyncio.run(LoopbackOnly(app)(scope, None, send))
    return sent[0]["status"]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:7860", "localhost", "localhost:7860"])
def test_own_names_are_answered(host: str) -> None:
    assert answer(host) == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "127.0.0.1.evil.example", "", "localhost.evil:1"]
)
def test_other_names_are_refused(host: str) -> None:
    assert answer(host) == 421
