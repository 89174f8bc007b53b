"""Files of runs under addresses that do not tell where on the server they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from paints_undo.web.hosts import App, Receive, Send, refuse

PREFIX = "runs"
_ROUTE = "/gradio_api/file="
# An absolute path, on Windows too, up to its last part.
_FOLDERS = re.compile(r"(?<![\w.:/\\~])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\"<>|;,]+[/\\])+")


class RunFiles:
    """ASGI middleware that finds /gradio_api/file=runs/... in the folder of the runs.

    Only the address is changed: what may be read, and by whom, is decided where it always is.
    """

    def __init__(self, app: App, out: Path) -> None:
        self.app = app
        self._out = out

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        route, found, rest = scope.get("path", "").partition(f"{_ROUTE}{PREFIX}/")
        if scope["type"] == "http" and found and ".." not in rest:
            path = f"{route}{_ROUTE}{(self._out / rest).as_posix()}"
            scope, send = {**scope, "path": path, "raw_path": path.encode()}, _refused_in_few_words(scope, send)
        await self.app(scope, receive, send)


def _refused_in_few_words(scope: dict[str, Any], send: Send) -> Send:
    """What sends an answer, one that refuses without its text, which would name the file on the server."""
    refused = False

    async def send_on(message: dict[str, Any]) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and message["status"] >= 400:
            refused = True
            await refuse(scope, send, message["status"], "There is no such file of a run.")
        elif not refused:
            await send(message)

    return send_on


def without_place(values: Any, out: Path) -> Any:
    """Plain values with every path in the folder of the runs told from there on, as RunFiles takes it."""
    if isinstance(values, dict):
        return {name: without_place(value, out) for name, value in values.items()}
    if isinstance(values, list):
        return [without_place(value, out) for value in values]
    if isinstance(values, str) and values.startswith(str(out)):
        return PREFIX + values[len(str(out)) :].replace("\\", "/")
    return values


def without_folders(sentence: str, out: Path | None = None) -> str:
    """A sentence for visitors: a file's name may help them, where on the server it lies is not theirs to know."""
    for place, name in ((out, PREFIX), (Path.home(), "~")):
        if place is not None and place != Path(place.anchor):
            sentence = sentence.replace(str(place), name)
    return _FOLDERS.sub("", sentence)
