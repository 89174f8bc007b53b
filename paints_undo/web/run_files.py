"""Files of runs under addresses that do not tell where on the server they are."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder
from starlette.responses import FileResponse

from paints_undo import logs
from paints_undo.errors import Sentence
from paints_undo.web.history import CARD, RUN_ID
from paints_undo.web.hosts import App, Receive, Send, refuse

PREFIX = "runs"
_ADDRESS = f"/gradio_api/file={PREFIX}/"
# What the page shows of a run, by what is first below its folder.  Whatever else is kept there, such as its log and
# whose it is, is nobody's to fetch.
_FILES = ("artwork.png", "thumbnail.jpg", "preview.jpg", "timelapse.mp4")
_FOLDERS_OF_FILES = ("keyframes", "shown", "previews", "frames")
_KINDS = {".png": "image/png", ".jpg": "image/jpeg", ".mp4": "video/mp4"}


class RunFiles:
    """ASGI middleware that hands out files of runs that the app made, under /gradio_api/file=runs/<run id>/...

    The id, with its 64 random bits, is the key.  Runs of the command line in the same folder have names that can be
    guessed, so the app hands out nothing of them, and gradio, which never learns of the folder, of none.
    """

    def __init__(self, app: App, out: Path) -> None:
        self.app = app
        self._out = out

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        _, found, rest = scope.get("path", "").partition(_ADDRESS)
        if scope["type"] != "http" or not found:
            await self.app(scope, receive, send)
            return
        if scope["method"] not in ("GET", "HEAD") or (file := self._file(rest)) is None:
            why = "There is no such file of a run that this page made; other runs are opened where they lie."
            await refuse(scope, send, 404, why)
            return
        await FileResponse(file, media_type=_KINDS[file.suffix])(scope, receive, send)

    def _file(self, rest: str) -> Path | None:
        """The file of a run that is meant; None for whatever is not to be handed out, or not there."""
        run, *parts = PurePosixPath(rest).parts or ("",)
        if not RUN_ID.fullmatch(run) or not parts or ".." in parts or "\\" in rest or "\0" in rest:
            return None
        if not (parts[0] in _FOLDERS_OF_FILES if len(parts) > 1 else parts[0] in _FILES):
            return None
        folder = self._out / run
        try:
            file = folder.joinpath(*parts).resolve(strict=True)
            shown = (folder / CARD).is_file() and file.is_relative_to(folder.resolve()) and file.is_file()
        except (OSError, RuntimeError):
            return None
        return file if shown and file.suffix in _KINDS else None


def handed_out(path: str | Path) -> str:
    """A copy of a file of a run where gradio keeps what it hands out; the file itself it may not read."""
    return save_file_to_cache(path, get_upload_folder())


def without_place(values: Any, out: Path) -> Any:
    """Plain values with every path in the folder of the runs told from there on, as RunFiles takes it."""
    if isinstance(values, dict):
        return {name: without_place(value, out) for name, value in values.items()}
    if isinstance(values, list):
        return [without_place(value, out) for value in values]
    if isinstance(values, str) and values.startswith(str(out)):
        return PREFIX + values[len(str(out)) :].replace("\\", "/")
    return values


def without_folders(sentence: Sentence, out: Path | None = None) -> Sentence:
    """A sentence for visitors: a file's name may help them, where on the server it lies is not theirs to know."""
    places = {str(out): PREFIX} if out else {}
    return sentence.changed(lambda text: logs.without_folders(text, places))
