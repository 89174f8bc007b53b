"""Files that appear whole or not at all, and failures to write them as one sentence."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

logger = logging.getLogger(__name__)

# As temporary_for() names them: whose process, and a random part.
_OURS = re.compile(r"\..+\.(?:([0-9a-f]+)-)?[0-9a-f]{8}\.tmp")

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_NOT_OFFERED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES, errno.EPERM}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def write_atomically(path: str | Path, data: bytes) -> None:
    """Puts ``data`` at ``path`` all at once: the old file stays until the new one is whole and on the disk.

    Raises OSError, one sentence naming the folder and the remedy; then nothing has changed.
    """
    path = Path(path)
    with written_atomically(path) as temporary, explained("write", path), open(temporary, "wb") as file:
        file.write(data)


@contextlib.contextmanager
def written_atomically(path: str | Path) -> Iterator[Path]:
    """An empty temporary file beside ``path`` to write to; on leaving it becomes ``path``.

    An exception from the block passes through and the temporary is removed. Raises OSError as above.
    """
    path = Path(path)
    temporary = temporary_for(path)
    try:
        with explained("write", path):
            open(temporary, "xb").close()
        yield temporary
        with explained("write", path):
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, where the system can be asked to."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows, and folders one may write to and not read
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise
    finally:
        os.close(descriptor)


def temporary_for(path: Path) -> Path:
    """A fresh name beside ``path``, ending in .tmp: two writers of one file never share a temporary."""
    return path.with_name(f".{path.name}.{os.getpid():x}-{secrets.token_hex(4)}.tmp")


def temporaries(folder: Path) -> list[Path]:
    """What temporary_for() named in ``folder``: writes under way, or left by a killed process."""
    return [entry for entry in folder.glob(".*.tmp") if _OURS.fullmatch(entry.name)]


def sweep(folder: Path, older_than_s: float = 0) -> None:
    """Removes the temporaries that a killed process left in ``folder`` (not in folders below it).

    Those of this process stay: another thread may be at work on them. ``older_than_s`` spares those of other
    processes at work, where no lock on the folder keeps them out.
    """
    for leftover in temporaries(folder):
        if (ours := _OURS.fullmatch(leftover.name)) and ours[1] == f"{os.getpid():x}":
            continue
        with contextlib.suppress(OSError):
            # a time to come is that of a clock that was put back since
            if older_than_s and 0 <= time.time() - leftover.stat().st_mtime < older_than_s:
                continue
        logger.info("removing %s, left by an interrupted write", leftover)
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                leftover.unlink()


@contextlib.contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turns an OSError of the block into one sentence: what could not be done, where, why, and the remedy."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            remedy = "free some space there or choose another folder"
        elif error.errno in _FORBIDDEN:
            remedy = "close programs that have it open, or choose a folder you may write to"
        else:
            remedy = "check that the folder is there or choose another one"
        reason = (error.strerror or str(error)).rstrip(".").lower()
        failure = OSError(f"Cannot {action} {path.name} in the folder {path.parent}: {reason}; {remedy}.")
        failure.errno = error.errno
        raise failure from error
