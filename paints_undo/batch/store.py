"""Where results go: a folder on this machine or on a shared drive, or any place that fsspec knows (s3://, gs://).

Every file appears whole or not at all: on a drive by renaming, in an object store because a put is one.
"""

import contextlib
import os
import posixpath
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from paints_undo.atomic import explained, write_atomically, written_atomically
from paints_undo.errors import InputError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


class Store(Protocol):
    """Files under one place, by names with "/" between their parts; can be sent to another process."""

    folder: Path | None  # where the place is a folder that this program can see

    def read(self, name: str) -> bytes | None:
        """The file's content; None where there is none."""

    def write(self, name: str, data: bytes) -> None:
        """Put the file there."""

    def append(self, name: str, line: bytes) -> None:
        """Add to a file that nobody else writes."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Names and bytes of the files in a folder, temporaries left out; nothing where it is not there."""

    def remove(self, folder: str) -> None:
        """Remove a folder with all that is in it, if it is there."""

    def put(self, local: Path, name: str) -> None:
        """Move a local file there."""

    def working_copy(self, folder: str) -> contextlib.AbstractContextManager[Path]:
        """A local folder whose content is in `folder` after the block, and may have been so on the way."""


class LocalStore:
    """A folder."""

    def __init__(self, folder: Path):
        self.folder: Path | None = folder
        self._root = folder
        self._was_there = folder.is_dir()

    def read(self, name: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError), explained_unless_missing("read", self._root / name):
            return (self._root / name).read_bytes()
        return None

    def write(self, name: str, data: bytes) -> None:
        self._make_room(name)
        write_atomically(self._root / name, data)

    def append(self, name: str, line: bytes) -> None:
        self._make_room(name)
        with explained("write", self._root / name), open(self._root / name, "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def sizes(self, folder: str) -> dict[str, int]:
        with contextlib.suppress(FileNotFoundError), os.scandir(self._root / folder) as entries:
            return {e.name: e.stat().st_size for e in entries if e.is_file() and not e.name.startswith(".")}
        return {}

    def remove(self, folder: str) -> None:
        shutil.rmtree(self._root / folder, ignore_errors=True)

    def put(self, local: Path, name: str) -> None:
        self._make_room(name)
        with written_atomically(self._root / name) as temporary:
            shutil.copyfile(local, temporary)

    @contextlib.contextmanager
    def working_copy(self, folder: str) -> Iterator[Path]:
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


class RemoteStore:
    """A place on any file system that fsspec knows; what is appended is kept here and written again as a whole."""

    def __init__(self, files: "AbstractFileSystem", root: str):
        self.folder: Path | None = None
        self._files = files
        self._root = root
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

    def remove(self, folder: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._files.rm(self._path(folder), recursive=True)

    def put(self, local: Path, name: str) -> None:
        self._files.makedirs(posixpath.dirname(self._path(name)), exist_ok=True)
        self._files.put_file(str(local), self._path(name))

    @contextlib.contextmanager
    def working_copy(self, folder: str) -> Iterator[Path]:
        """An empty folder; what is in it at the end of the block is put there, and nothing after an exception."""
        with tempfile.TemporaryDirectory(prefix="paints-undo-") as scratch:
            local = Path(scratch, "run")
            yield local
            for file in sorted(path for path in local.rglob("*") if path.is_file()):
                self.put(file, f"{folder}/{file.relative_to(local).as_posix()}")

    def _path(self, name: str) -> str:
        return posixpath.join(self._root, name)


def open_store(place: str) -> Store:
    """The store at a path or an fsspec address; InputError where nothing can be kept there."""
    if "://" not in place:
        folder = Path(place).absolute()
        if folder.exists() and not folder.is_dir():
            raise InputError(f"{place} is a file; give a folder for the results")
        return LocalStore(folder)
    import fsspec

    try:
        files, root = fsspec.core.url_to_fs(place)
    except (ImportError, ValueError) as error:
        raise InputError(f"results cannot go to {place}: {error}") from None
    return LocalStore(Path(root)) if place.startswith(("file://", "local://")) else RemoteStore(files, root)


@contextlib.contextmanager
def explained_unless_missing(action: str, path: Path) -> Iterator[None]:
    """As explained(), for files that need not be there."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError:
        with explained(action, path):
            raise
