"""The runs of every visitor: which folders there are, whose they are, and what was last said about each.

Beside a run's own files its folder holds app.json: the owner (a hash of the visitor's secret), title, time, parent,
what was asked for and not yet done, how it ended, the message of the last thing that happened, and the edits of the
timeline that can be taken back.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import re
import secrets
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from paints_undo.atomic import explained, sweep, temporary_for, write_atomically
from paints_undo.errors import InputError, Sentence
from paints_undo.validation import legible
from paints_undo.web.jobs import Job
from paints_undo.web.playable import LivePreview, PlayableRun

log = logging.getLogger(__name__)

CARD = "app.json"
DONE, UNDONE = "done", "undone"  # of a card: edits that can be taken back, and done again; each the state before it
RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{16}")
_GONE = Sentence("this run is not there (any more); choose one from the history or start with a new picture")


class Entry:
    """One run as the app keeps it.  One object for each folder: its edits and its job share one record in memory."""

    def __init__(self, path: Path, card: dict[str, Any]) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.job: Job | None = None
        self.planned: list[int] = []  # operation steps or segments that the stage under way draws, in this order
        self.exports: list[dict[str, Any]] = []  # files of the last export: path, name, size, whether it is a picture
        self.preview = LivePreview(path / "preview.jpg")
        self._card = card
        self._run: PlayableRun | None = None
        # Larger than any of an earlier process; a page that was open before notices the change.
        self._versions = itertools.count(time.time_ns() // 1000)
        self.version = next(self._versions)

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def run(self) -> PlayableRun:
        """The run folder. Raises InputError when it was deleted under the app."""
        with self.lock:
            self.check_is_there()
            if self._run is None:
                self._run = PlayableRun.open(self.path)
            return self._run

    def check_is_there(self) -> None:
        """Raises InputError when the run folder was deleted under the app."""
        if not (self.path / "run.json").is_file():
            raise InputError(_GONE)

    @property
    def at_work(self) -> bool:
        """Whether a job has this run in hand, waiting and paused ones included."""
        return self.job is not None and not self.job.ended

    def refuse_while_at_work(self) -> None:
        """Raises InputError while a job has this run in hand."""
        if self.at_work:
            raise InputError("this picture is being drawn: wait until it is done, or cancel it first")

    def __getitem__(self, field: str) -> Any:
        return self._card[field]

    def note(self, **fields: Any) -> None:
        """Keep fields of the card: state, message, wanted, frames."""
        with self.lock:
            self._card = {**self._card, **fields}
            if self.path.is_dir():
                write_atomically(self.path / CARD, json.dumps(self._card, ensure_ascii=False).encode())
            self.touch()

    def touch(self) -> None:
        """Tell pages that something changed."""
        self.version = next(self._versions)


def message(key: str, **values: Any) -> dict[str, Any]:
    """What a page says in its own language, as a key of its texts and the values in it."""
    return {"key": key, "values": values}


class History:
    """All runs under a folder, by visitor."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._guard = threading.Lock()
        sweep(out, older_than_s=3600)  # what an interrupted delete left; another app may be deleting there just now
        self._entries = {path.parent.name: entry for path in sorted(out.glob(f"*/{CARD}")) if (entry := _read(path))}

    def entry(self, visitor: str, run_id: str) -> Entry:
        """A run of this visitor. Raises InputError where there is none, whoever else may have one of that name."""
        entry = self._entries.get(run_id) if isinstance(run_id, str) else None
        if entry is None or entry["owner"] != owner_of(visitor) or not (entry.path / "run.json").is_file():
            raise InputError(_GONE)
        return entry

    def entries(self, visitor: str) -> list[Entry]:
        """All runs of this visitor, newest first."""
        owner = owner_of(visitor)
        with self._guard:
            own = [entry for entry in self._entries.values() if entry["owner"] == owner]
        return sorted((entry for entry in own if entry.path.is_dir()), key=lambda p: (p["created"], p.id), reverse=True)

    def put_back(self, visitor: str, picture: np.ndarray) -> None:
        """Give the visitor's earlier runs of a picture, uint8 (H, W, 3), their artwork back, where its file is gone."""
        for entry in self.entries(visitor):
            with entry.lock, suppress(InputError, OSError):  # what else is wrong with such a run is told there
                if not entry.at_work and not entry.run.artwork_file.exists() and entry.run.is_of(picture):
                    entry.run.keep_artwork(picture)

    def new_folder(self) -> Path:
        """Where a new run belongs: not derived from the upload's name, and not to be guessed by another visitor."""
        return self._out / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(8)}"

    def add(self, visitor: str, run: PlayableRun, title: str, parent: str | None, said: dict[str, Any]) -> Entry:
        """Keep a new run as this visitor's."""
        with self._guard:  # a clock that was put back does not change the order
            newest = max((entry["created"] for entry in self._entries.values()), default=0.0)
        card = {
            "owner": owner_of(visitor),
            "title": title_of(title),
            "created": max(time.time(), newest + 0.001),
            "parent": parent,
            "wanted": None,
            "state": "idle",
            "message": said,
            "frames": 0,
            DONE: [],
            UNDONE: [],
        }
        entry = Entry(run.path, card)
        entry.note()
        with self._guard:
            self._entries[entry.id] = entry
        return entry

    def delete(self, entry: Entry) -> None:
        """Remove a run and its folder."""
        with entry.lock, explained("delete", entry.path):
            entry.refuse_while_at_work()
            doomed = temporary_for(entry.path)  # first out of sight as a whole, then gone
            entry.path.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
        with self._guard:
            self._entries.pop(entry.id, None)


def title_of(words: str) -> str:
    """What is kept of a title."""
    return legible(words).strip()[:100]


def owner_of(visitor: str) -> str:
    """What the disk keeps of a visitor's secret. Raises InputError for a visitor without one."""
    if not isinstance(visitor, str) or not 8 <= len(visitor) <= 200:
        raise InputError("this page has no secret of its own; reload it, with its cookies and storage allowed")
    return hashlib.sha256(visitor.encode("utf-8", "surrogatepass")).hexdigest()


def _read(path: Path) -> Entry | None:
    """The run that a card belongs to, offered to be continued if the program ended while it was at work."""
    try:
        card = json.loads(path.read_bytes())
        if not RUN_ID.fullmatch(path.parent.name) or not (path.parent / "run.json").is_file():
            return None
        known = {"owner", "title", "created", "parent", "wanted", "state", "message", "frames"}
        told = {field: card[field] for field in known}
        entry = Entry(path.parent, told | {field: list(card.get(field, [])) for field in (DONE, UNDONE)})
        if entry["wanted"] and entry["message"]["key"] != "paused":
            entry.note(message=message("unfinished"))
        return entry
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        log.warning("%s is left out of the history (%s)", path.parent, error)
        return None
