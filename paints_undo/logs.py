"""Logs: what a terminal shows, and one bounded file of JSON lines in each run folder that holds nothing private.

A line of run.log is an object: time (UTC), level, part (the module), message, and what else belongs to the event.
Folders, the user's name and the computer's never appear in it, prompts neither; the settings are in run.json beside it.
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import inspect
import json
import logging
import os
import platform
import re
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from datetime import datetime, timezone
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from paints_undo.errors import Cancelled
from paints_undo.progress import OnProgress, Progress

FILE = "run.log"
LARGEST = 512 * 1024  # bytes; one file more of at most this size holds what was before
LONGEST = 8_000  # characters of a message
OURS = ("paints_undo", "memory_management", "wd14_tagger")

_current: ContextVar[RunLog | None] = ContextVar("run_log", default=None)
# An absolute path, on Windows too, up to its last part, where no letter, colon or slash (https://) stands before it.
_FOLDERS = re.compile(r"(?<![\w:/\\.~…])(?:[A-Za-z]:)?[/\\](?:[^\s/\\'\"<>|;,]+[/\\])+")


def configure(verbose: bool) -> None:
    """Set up the logs of a program: warnings on the terminal, everything with `verbose`, and INFO in run folders."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.NOTSET if verbose else logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)


def without_private(text: str, folder: Path) -> str:
    """The text without folders, the user's and the computer's name, and not too long."""
    places = {str(folder.parent.absolute()): "…", str(Path.cwd()): ".", tempfile.gettempdir(): "…"}
    text = without_folders(text, places, "…/")
    for name in _names():
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "…", text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"


def without_folders(text: str, places: dict[str, str], others: str = "") -> str:
    """The text with names for folders: those of `places`, ~ for the home, and `others` for all the rest."""
    with contextlib.suppress(RuntimeError):  # no home
        places = {str(Path.home()): "~", **places}
    for place in sorted(places, key=len, reverse=True):
        if place != Path(place).anchor:
            text = text.replace(place, places[place])
    return _FOLDERS.sub(others, text)


@functools.cache
def _names() -> tuple[str, ...]:
    names = [platform.node()]
    with contextlib.suppress(Exception):  # a user without a name
        names.append(getpass.getuser())
    return tuple(name for name in names if len(name) > 2)


class RunLog:
    """The log file of one run; failures to write it never reach the run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stage, self._since = "", time.monotonic()
        self._file = _QuietFile(folder / FILE, maxBytes=LARGEST, backupCount=1, encoding="utf-8", delay=True)

    def note(self, message: str, level: int = logging.INFO, part: str = "run", **values: Any) -> None:
        """Write one line."""
        line = {
            "time": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
            "level": logging.getLevelName(level),
            "part": part,
            "message": message,
            **values,
        }
        clean = {name: self._clean(value) for name, value in line.items()}
        text = json.dumps(clean, ensure_ascii=False, default=str)
        self._file.handle(logging.LogRecord(part, level, "", 0, text, None, None))

    def _clean(self, value: Any) -> Any:
        return without_private(value, self._folder) if isinstance(value, str) else value

    def failed(self, error: BaseException) -> None:
        """Write how the run ended, with the places in the program where it did."""
        places = [f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in traceback.extract_tb(error.__traceback__)]
        self.note(f"failed: {error}", logging.ERROR, error=type(error).__name__, places=places[-30:])

    def watching(self, on_progress: OnProgress) -> OnProgress:
        """The same callback, which also notes how long each stage took."""

        def watched(progress: Progress) -> None:
            if progress.stage != self._stage:
                self.stage_done()
                self._stage, self._since = progress.stage, time.monotonic()
            on_progress(progress)

        return watched

    def stage_done(self) -> None:
        """Note the time of the stage that ends here, if one was begun."""
        if self._stage:
            self.note("stage done", stage=self._stage, seconds=round(time.monotonic() - self._since, 3))
            self._stage = ""

    def close(self) -> None:
        self._file.close()


class _QuietFile(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk, or a folder that cannot be written, stops the log; the run itself will say so."""


class _ToRunLog(logging.Handler):
    """Hands records of the thread that draws a run to that run's log."""

    def emit(self, record: logging.LogRecord) -> None:
        if log := _current.get():
            with contextlib.suppress(Exception):
                log.note(record.getMessage(), record.levelno, record.name)


_to_run_log = _ToRunLog()


@contextlib.contextmanager
def run_log(folder: Path) -> Iterator[RunLog]:
    """The log of the run in a folder, which also gets what this thread logs until the block ends."""
    log = RunLog(folder)
    for name in OURS:
        logging.getLogger(name).addHandler(_to_run_log)  # which changes nothing where it is already
    token = _current.set(log)
    try:
        yield log
    finally:
        _current.reset(token)
        log.close()


def logged(method: Callable) -> Callable:
    """A method of the engine that takes a run and on_progress, with all that happens in it kept in the run's log."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def within(engine: Any, run: Any, *arguments: Any, **options: Any) -> Any:
        if _current.get() is not None or run.path is None:  # another of these methods called this one, or no folder
            return method(engine, run, *arguments, **options)
        given = signature.bind(engine, run, *arguments, **options)
        given.apply_defaults()
        with run_log(run.path) as log:
            facts = {name: value for name, value in run.settings.items() if name != "options"}  # which hold prompts
            log.note("begins", work=method.__name__, process=os.getpid(), **facts, packages=run.packages)
            given.arguments["on_progress"] = log.watching(given.arguments["on_progress"])
            try:
                result = method(*given.args, **given.kwargs)
            except Cancelled:
                log.note("cancelled")
                raise
            except BaseException as error:
                log.failed(error)
                raise
            log.stage_done()
            log.note("done")
            return result

    return within
