"""What became of each work item, told by every process in files of its own, so that none waits for another.

A line is written before an item is begun and after it has ended.  An item that was begun and never ended, though
nobody works on it any more, took its process with it.
"""

from __future__ import annotations

import io
import json
import logging
import os
import secrets
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from paints_undo import __version__
from paints_undo.atomic import explained
from paints_undo.batch.items import Found, WorkItem, printable
from paints_undo.batch.store import Store
from paints_undo.errors import InputError

log = logging.getLogger(__name__)

FORMAT = 1
ABOUT = "batch/format.json"
FOLDER = "batch/ledger"
LINES = 500  # in each file; an object store writes a file again for every line

COLUMNS = {  # of the run table
    "key": str,
    "artwork": str,
    "state": str,  # done, failed, waiting, begun, duplicate or rejected
    "folder": str,
    "reason": str,
    "attempts": int,
    "seconds": float,
    "prompt": str,
    "time": float,  # of the last change, seconds since 1970
    "where": str,  # host and process
}

BEGUN, STOPPED, DONE, FAILED, DIED = "begun", "stopped", "done", "failed", "died"


@dataclass
class History:
    """What the ledger says of one item."""

    begun: int = 0
    ended: int = 0
    failures: int = 0  # failed, or took a worker with it
    final: bool = False  # its failure would come again
    row: dict[str, Any] | None = None  # the last line about it

    @property
    def done(self) -> bool:
        return self.row is not None and self.row["state"] == DONE

    @property
    def attempts(self) -> int:
        """How often it failed; counts an attempt that never ended, and so is right only while nobody is at it."""
        return self.failures + max(0, self.begun - self.ended)


class Ledger:
    """The lines of all processes about all items under one place, and the writing of our own."""

    def __init__(self, store: Store):
        self.store = store
        self.session = f"{time.strftime('%Y%m%dT%H%M%S')}-{secrets.token_hex(4)}"
        self.histories: dict[str, History] = {}
        self._written = 0
        self._read: dict[str, int] = {}  # bytes of each file that are in the histories
        self._check_format()
        self.refresh()

    def refresh(self) -> None:
        """Read what other processes have written since the last time."""
        for name, size in sorted(self.store.sizes(FOLDER).items()):
            before = self._read.get(name, 0)
            if name.startswith(self.session) or size <= before:
                continue
            content = (self.store.read(f"{FOLDER}/{name}") or b"")[before:]
            whole = content[: content.rfind(b"\n") + 1]  # the last line of a killed process may be torn
            for line in whole.splitlines():
                self._take_in(line, name)
            self._read[name] = before + len(whole)

    def history(self, key: str) -> History:
        """What happened to an item so far."""
        return self.histories.setdefault(key, History())

    def note(self, item: WorkItem, state: str, **facts: Any) -> dict[str, Any]:
        """Write that an item is in this state now; returns the line, which is on the disk then."""
        row = {
            "key": item.key,
            "artwork": item.artwork,
            "folder": item.folder,
            "state": state,
            "time": round(time.time(), 3),
            "where": f"{socket.gethostname()}:{os.getpid()}",
            **facts,
        }
        line = json.dumps(row).encode() + b"\n"
        self.store.append(f"{FOLDER}/{self.session}-{self._written // LINES:06d}.jsonl", line)
        self._written += 1
        self._count(row)
        return row

    def forget_failures(self) -> None:
        """Count no failure of earlier calls any more."""
        for key, history in self.histories.items():
            if not history.done:
                self.histories[key] = History(row=history.row)

    def forget(self, items: Iterable[WorkItem]) -> None:
        """Take these items for new ones: what was done for them is not there any more."""
        for item in items:
            self.histories[item.key] = History()

    def _take_in(self, line: bytes, name: str) -> None:
        try:
            row = json.loads(line)
            row["key"], row["state"]
        except (ValueError, TypeError, KeyError):
            log.warning("a line of %s/%s is damaged and left out", FOLDER, name)
        else:
            self._count(row)

    def _count(self, row: dict[str, Any]) -> None:
        history, state = self.history(row["key"]), row["state"]
        history.begun += state == BEGUN
        history.ended += state != BEGUN
        history.failures += state in (FAILED, DIED)
        history.final = bool(row.get("final"))
        if not history.done:
            history.row = row

    def _check_format(self) -> None:
        """Refuse a place with results of another kind; an empty one becomes ours."""
        about = self.store.read(ABOUT)
        if about is None:
            if self.store.read("run.json") is not None:
                raise InputError("this is the folder of one run; give the folder above it, or a new one")
            self.store.write(ABOUT, json.dumps({"format": FORMAT, "paints_undo": __version__}).encode() + b"\n")
            return
        try:
            found = json.loads(about)["format"]
        except (ValueError, TypeError, KeyError):
            raise InputError(f"{ABOUT} in the results folder is damaged; give another folder for the results") from None
        if found != FORMAT:
            raise InputError(
                f"the results folder has format {found!r} and this version works with format {FORMAT}; go on with the "
                "version that began it, or give another folder"
            )


class Leases:
    """Locks on work items, in a folder that all processes see: each belongs to one process at a time.

    They are the kernel's locks: they end with their holder, however it ends, so that nothing stale stays behind and no
    heartbeat is needed.  An object store has none: there each call needs items of its own: a
    shard, or one driver for all.
    """

    def __init__(self, folder: Path | None):
        self.folder = folder
        self._held: dict[str, FileLock] = {}

    def take(self, key: str) -> bool:
        """Whether the item is ours now, and nobody else's."""
        if self.folder is None:
            return True
        with explained("make", self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._file(self.folder, key), timeout=0)
        try:
            lock.acquire()
        except Timeout:
            return False
        self._held[key] = lock
        return True

    def give_back(self, key: str, done: bool = False) -> None:
        """Let go of an item; the lock of one that is done is not needed any more."""
        if lock := self._held.pop(key, None):
            if done and self.folder:  # whoever takes it between these lines reads in the ledger that it is done
                self._file(self.folder, key).unlink(missing_ok=True)
            lock.release()

    @staticmethod
    def _file(folder: Path, key: str) -> Path:
        return folder / f"{key[:32]}.lock"


def rows_of(histories: dict[str, History], found: Found) -> list[dict[str, Any]]:
    """The run table: a row for everything that any process has worked on, and for each of our own inputs beside it."""
    rows = [row_of(history) for history in histories.values() if history.row]
    begun = {row["key"] for row in rows}
    for item in found.items:
        if item.key not in begun:
            rows.append({"key": item.key, "artwork": item.artwork, "state": "waiting", "folder": item.folder})
    for path, item in found.duplicates:
        rows.append({"key": item.key, "artwork": path, "state": "duplicate", "folder": item.folder})
    rows += [{"artwork": what, "state": "rejected", "reason": reason} for what, reason in found.rejected]
    rows = [{name: row.get(name) for name in COLUMNS} for row in rows]
    for row in rows:
        row.update({name: printable(value) for name, value in row.items() if isinstance(value, str)})
    return sorted(rows, key=lambda row: (row["artwork"], row["key"] or ""))


def row_of(history: History) -> dict[str, Any]:
    row = history.row or {"state": STOPPED}
    state = {STOPPED: "waiting", DIED: "failed"}.get(row["state"], row["state"])
    return {**row, "state": state, "attempts": history.begun}


def write_table(store: Store, rows: Iterable[dict[str, Any]]) -> None:
    """runs.jsonl, and runs.parquet where pyarrow is installed, there with the time as a timestamp."""
    rows = list(rows)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    store.write("runs.jsonl", lines.encode())
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        log.info("no runs.parquet: that needs pyarrow (pip install 'paints-undo[cluster]')")
        return
    kinds = {str: pyarrow.string(), int: pyarrow.int32(), float: pyarrow.float64()}
    # what reads tables asks for a day or an hour of it
    types = {name: kinds[kind] for name, kind in COLUMNS.items()} | {"time": pyarrow.timestamp("ms", "UTC")}
    schema = pyarrow.schema(types)
    rows = [{**row, "time": row["time"] and datetime.fromtimestamp(row["time"], timezone.utc)} for row in rows]
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), buffer, compression="zstd")
    store.write("runs.parquet", buffer.getvalue())
