"""The two ends of an ASGI call in which nobody should take part."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any


async def unread() -> dict[str, Any]:
    raise AssertionError("the request was read")


async def unsent(message: MutableMapping[str, Any]) -> None:
    raise AssertionError(f"{message} was sent")
