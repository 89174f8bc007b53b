"""How much a request may bring, and how long it may take to bring it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import time
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from paints_undo.errors import InputError
from paints_undo.pictures.files import MAX_BYTES, check_bytes
from paints_undo.web.hosts import App, Receive, Send, header, refuse
from paints_undo.web.jobs import CLIENT

MOST_BYTES = 4_000_000  # of a request that is no upload; a run's settings come to some thousand
MOST_UPLOADED = MAX_BYTES + 1_000_000  # one file and what is around it
IDLE_S = 30.0  # between two pieces of a body
SLOW_S = 60.0  # after this a body must have come at LEAST_RATE
LEAST_RATE = 2_000  # bytes a second
MOST_UNDER_WAY = 128  # bodies that are not all here yet
MOST_OF_ONE = 32  # of them from one address
FREE_BYTES = 1_000_000_000  # of the disk that uploads must leave
_PART = re.compile(r"tmp\w{8}")  # what gradio calls a file that is being uploaded


class _Refused(Exception):
    """A body that is not taken: status and sentence."""


class BoundedBodies:
    """ASGI middleware that refuses bodies that are too large or too slow, and clears away uploads that broke off."""

    def __init__(self, app: App) -> None:
        self.app = app
        self._under_way: set[_Body] = set()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        body = _Body(scope, receive)
        CLIENT.set(body.address)  # jobs are begun by such requests, and counted by where they come from
        try:
            body.check_size()
            self._check_count(body.address)
        except _Refused as refused:
            await refuse(scope, send, *refused.args)
            return
        self._under_way.add(body)
        try:
            await self._serve(scope, body, send)
        finally:
            self._under_way.remove(body)
            if body.upload and not body.complete:
                others = min((other.since for other in self._under_way), default=float("inf"))
                await asyncio.to_thread(_clear_parts, body.since, others)

    async def _serve(self, scope: dict[str, Any], body: _Body, send: Send) -> None:
        begun = False

        async def send_on(message: dict[str, Any]) -> None:
            nonlocal begun
            begun = True
            if not body.refused:
                await send(message)

        try:
            await self.app(scope, body.receive, send_on)
        except Exception:
            if body.complete or begun:
                raise
        if body.refused:
            await refuse(scope, send, *body.refused)

    def _check_count(self, address: str) -> None:
        waiting = [body for body in self._under_way if not body.complete]
        own = sum(body.address == address for body in waiting)
        if len(waiting) >= MOST_UNDER_WAY or own >= MOST_OF_ONE:
            raise _Refused(503, "Too many requests are under way; try again in a minute.")


class _Body:
    """The body of one request as it comes in."""

    def __init__(self, scope: dict[str, Any], receive: Receive) -> None:
        self.address = (scope.get("client") or ("",))[0]
        self.since = time.time()  # as files have it
        self.upload = scope["path"].rstrip("/").endswith("/gradio_api/upload")
        self.complete = False
        self.refused: tuple[int, str] | None = None
        self._receive = receive
        self._length = header(scope, b"content-length")
        self._bytes = 0
        self._began = time.monotonic()

    def check_size(self) -> None:
        """Raises _Refused for a body whose head says that it is too large, or that it would fill the disk."""
        length = int(self._length) if self._length.isdecimal() else 0
        self._check(length)
        if self.upload:
            with contextlib.suppress(OSError):  # no folder yet
                if shutil.disk_usage(get_upload_folder()).free < length + FREE_BYTES:
                    raise _Refused(507, "The disk of this server is nearly full; free some space there.")

    def _check(self, count: int) -> None:
        if self.upload and count > MOST_UPLOADED:
            try:
                check_bytes(count)  # as the picture reader says it
            except InputError as error:
                raise _Refused(413, f"the uploaded file {error}") from None
        if not self.upload and count > MOST_BYTES:
            raise _Refused(413, f"This is larger than the {MOST_BYTES // 10**6} MB that are taken here; send less.")

    async def receive(self) -> dict[str, Any]:
        """The next message of the server; that the client is gone, where the body is not taken any further."""
        if self.complete:
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), IDLE_S)
            self._bytes += len(message.get("body", b""))
            self._check(self._bytes)
            lasted_s = time.monotonic() - self._began
            if lasted_s > SLOW_S and self._bytes < LEAST_RATE * lasted_s:
                raise TimeoutError
        except (TimeoutError, asyncio.TimeoutError):
            self.refused = 408, "This request came too slowly; send it again."
        except _Refused as refused:
            self.refused = refused.args
        else:
            self.complete = message["type"] == "http.request" and not message.get("more_body", False)
            return message
        return {"type": "http.disconnect"}


def _clear_parts(began: float, others_began: float) -> None:
    """Remove what a broken upload left: parts last written after it began, and before any other one under way did."""
    with contextlib.suppress(OSError):
        for part in Path(get_upload_folder()).iterdir():
            if _PART.fullmatch(part.name) and part.is_file() and began - 1 <= part.stat().st_mtime < others_began:
                part.unlink()
