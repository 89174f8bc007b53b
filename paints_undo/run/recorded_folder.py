"""A folder with a run.json that vouches for the files beside it: none is taken for a piece that is not the one written.

A piece's digest is in the record before the file has its name. A write that is cut short between the two leaves a piece
missing; no file is ever there without a digest, and none with another is used.
"""

from __future__ import annotations

import contextlib
import errno
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from paints_undo.atomic import LONG_AGO, explained, sweep, write_atomically
from paints_undo.errors import FileError
from paints_undo.run.locks import FolderLock
from paints_undo.run.pieces import digest_of, file_digest
from paints_undo.run.record import read_run_record, write_run_record

logger = logging.getLogger(__name__)

EXPORTS = "exports"  # the folder in a run's that other formats go into
_GONE = (errno.ENOENT, errno.ENOTDIR)


class MovedFolder(FileError):
    """A run folder was renamed or deleted under the run."""


class RecordedFolder:
    """The folder, its record and its lock; every write goes through it, and refuses a folder that is not its own."""

    def __init__(self, path: Path, record: dict) -> None:
        self._path = path
        self._record = record
        self._lock = FolderLock(path)

    @property
    def path(self) -> Path:
        """Where the folder is."""
        return self._path

    @property
    def id(self) -> str:
        """A random name that the files of this run carry; empty in runs of earlier versions."""
        return self._record.get("id", "")

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """The folder for the block alone; whoever writes pieces holds it. The same thread may hold it again.

        What an interrupted write left is removed first. Raises InputError when another process is at work there.
        """
        with contextlib.ExitStack() as stack:
            try:
                alone = stack.enter_context(self._lock.held())
            except OSError as error:
                if error.errno in _GONE:
                    self._there()
                raise
            if alone:
                for place in (self.path, *(entry for entry in self.path.iterdir() if entry.is_dir())):
                    sweep(place, 0 if place.name != EXPORTS else LONG_AGO)  # exports are written without the lock
            if (self.path / "run.json").exists():
                self._record = self._there()  # another process may have gone on with the run meanwhile
            yield

    @property
    def digests(self) -> dict[str, str] | None:
        """The sha256 of every piece's file by its place in the folder; None in runs of earlier versions."""
        return self._record.get("pieces")

    def is_whole(self, path: Path) -> bool:
        """Whether a piece's file is there and the one that this run made; reads it. By name alone without digests."""
        if self.digests is None:
            return path.exists()
        found = file_digest(path)
        return found is not None and found == self.digests.get(self._place(path))

    def note_rewritten(self, path: Path) -> None:
        """Keep the digest of a piece's file that was rightly written anew, as signing does."""
        self._note({self._place(path): file_digest(path) or ""})

    def _place(self, path: Path) -> str:
        return path.relative_to(self.path).as_posix()

    def _read(self, path: Path, read: Callable[[Path], np.ndarray]) -> np.ndarray | None:
        """What is in a piece's file; None, and a warning, where it is not the file that this run made."""
        if not path.exists():
            return None
        reason = "its sha256 is not the one in run.json"
        try:
            if self.is_whole(path):
                return read(path)
        except ValueError as error:  # an InputError, too
            reason = str(error)
        logger.warning("%s is damaged or was replaced and will be made again (%s)", path, reason)
        return None

    def _keep(self, path: Path, content: bytes) -> None:
        """Put a piece at its place; first its digest in the record, so that no file has its final name without."""
        with self._in_place():
            if path.parent != self.path:
                make_directory(path.parent)
            before = self._record
            self._note({self._place(path): digest_of(content)})
            try:
                write_atomically(path, content)
            except BaseException:
                if not path.exists():
                    with contextlib.suppress(OSError):
                        self._become(before)
                raise

    def _note(self, digests: dict[str, str], instead_of: str | None = None) -> None:
        """Keep digests, in place of those that begin so; in a run of an earlier version none."""
        if self.digests is not None:
            kept = {p: d for p, d in self.digests.items() if instead_of is None or not p.startswith(instead_of)}
            self._become({**self._record, "pieces": {**kept, **digests}})

    def _become(self, record: dict) -> None:
        """Another record, on the disk first: what a failed write leaves is the state before, in memory as well."""
        with self._in_place():
            write_run_record(self.path / "run.json", record)
        self._record = record

    @contextlib.contextmanager
    def _in_place(self) -> Iterator[None]:
        """For a write: raises MovedFolder where the folder no longer is this run's, before it or when it fails."""
        self._there()
        try:
            yield
        except OSError:
            self._there()
            raise

    def _there(self) -> dict:
        """The record that is in the folder. Raises MovedFolder where that is no longer this run's."""
        try:
            record = read_run_record(self.path / "run.json")
        except OSError as error:
            if error.errno not in _GONE:
                raise
            record = None
        if record is None or record.get("id", "") != self.id:
            raise MovedFolder(
                "The run folder {folder} was renamed, moved or deleted while the run was at work; nothing "
                "more is written: give it its name back, or choose another one, and start the same command "
                "again.",
                self.path,
            )
        return record


def make_directory(path: Path, parents: bool = False) -> None:
    """Make a folder, if it is not there; OSError is one sentence."""
    with explained("make", path):
        path.mkdir(parents=parents, exist_ok=True)
