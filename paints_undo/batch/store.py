"""Where results go: a folder on this machine or on a shared drive, or any place that fsspec knows (s3://, gs://).

Every file appears whole or not at all: on a drive by renaming, in an object store because a put is one.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from paints_undo.atomic import explained, write_atomically, written_atomically
from paints_undo.errors import InputError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class Store:
    """Files in a folder, by names with "/" between their parts; can be sent to another process."""

    def __init__(self, folder: Path):
        self.folder: Path | None = folder  # where the place is a folder that this program can see
        self._root = folder
        self._was_there = folder.is_dir()

    def read(self, name: str) -> bytes | None:
        """The file's content; None where there is none."""
        try:
            with explained("read", self._root / name):
                return (self._root / name).read_bytes()
        except OSError as error:
            if error.errno == errno.ENOENT:
                return None
            raise

    def write(self, name: str, data: bytes) -> None:
        """Put the file there."""
        self._make_room(name)
        write_atomically(self._root / name, data)

    def append(self, name: str, line: bytes) -> None:
        """Add to a file that nobody else writes."""
        self._make_room(name)
        with explained("write", self._root / name), open(self._root / name, "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def sizes(self, folder: str) -> dict[str, int]:
        """Names and bytes of the files in a folder, temporaries left out; nothing where it is not there."""
        with contextlib.suppress(FileNotFoundError), os.scandir(self._root / folder) as entries:
            return {e.name: e.stat().st_size for e in entries if e.is_file() and not e.name.startswith(".")}
        return {}

    @contextlib.contextmanager
    def new_file(self, name: str) -> Iterator[Path]:
        """A local file to write; it is there under its name after the block."""
        self._make_room(name)
        with written_atomically(self._root / name) as temporary:
            yield temporary

    @contextlib.contextmanager
    def working_copy(self, folder: str) -> Iterator[Path]:
        """A local folder whose content is in `folder` after the block, and may have been so on the way."""
        yield self._root / folder

    def _make_room(self, name: str) -> None:
        parent = (self._root / name).parent
        if self._was_there and not self._root.is_dir():  # made anew it would hold one half of the results
            raise OSError(
                f"The results folder {self._root} was renamed, moved or deleted meanwhile; nothing more is written: "
                "give it its name back and start the same command again."
            )
        with explained("make", parent):
            parent.mkdir(parents=True, exist_ok=True)
        self._was_there = True


BUCKETS = ("s3", "s3a", "gs", "gcs")  # which writing into would make, whatever the slip of the pen that named them


class RemoteStore(Store):
    """A place on any file system that fsspec knows; what is appended is kept here and written again as a whole."""

    def __init__(self, files: AbstractFileSystem, root: str):
        self.folder = None
        self._files = files
        self._place = root
        self._appended: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        try:
            return self._files.cat_file(self._path(name))
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        self._files.makedirs(posixpath.dirname(self._path(name)), exist_ok=True)
        self._files.pipe_file(self._path(name), data)

    def append(self, name: str, line: bytes) -> None:
        self._appended = {name: self._appended.get(name, b"") + line}  # an earlier file is complete
        self.write(name, self._appended[name])

    def sizes(self, folder: str) -> dict[str, int]:
        self._files.invalidate_cache()
        try:
            listed = self._files.ls(self._path(folder), detail=True)
        except FileNotFoundError:
            return {}
        return {posixpath.basename(f["name"]): f["size"] for f in listed if f["type"] == "file"}

    @contextlib.contextmanager
    def new_file(self, name: str) -> Iterator[Path]:
        with self.working_copy(posixpath.dirname(name)) as folder:
            folder.mkdir()
            yield folder / posixpath.basename(name)

    @contextlib.contextmanager
    def working_copy(self, folder: str) -> Iterator[Path]:
        """An empty folder; what is in it at the end of the block is put there, and nothing after an exception."""
        with tempfile.TemporaryDirectory(prefix="paints-undo-") as scratch:
            local = Path(scratch, "run")
            yield local
            for file in sorted(path for path in local.rglob("*") if path.is_file()):
                target = self._path(f"{folder}/{file.relative_to(local).as_posix()}")
                self._files.makedirs(posixpath.dirname(target), exist_ok=True)
                self._files.put_file(str(file), target)

    def _path(self, name: str) -> str:
        return posixpath.join(self._place, name)


def open_store(place: str) -> Store:
    """The store at a path or an fsspec address; InputError where nothing can be kept there."""
    if "://" not in place:
        folder = Path(place).absolute()
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{place} is a file; give a folder for the results")
        return Store(folder)
    import fsspec

    try:
        files, root = fsspec.core.url_to_fs(place)
    except (ImportError, ValueError) as error:
        raise InputError(f"results cannot go to {place}: {error}") from None
    if place.split("://")[0] in BUCKETS and not files.exists(bucket := root.strip("/").split("/")[0]):
        sentence = "there is no bucket {bucket} for the results, or it is not yours; check the name, or make it first"
        raise InputError(sentence, bucket)
    return Store(Path(root)) if place.startswith(("file://", "local://")) else RemoteStore(files, root)
