"""Files that appear whole or not at all, and failures to write them as one sentence."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import platform
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from paints_undo.errors import FileError

logger = logging.getLogger(__name__)

# As temporary_for() names them: the number of the process, its computer, a mark of its own, and a random part. The
# number alone says little: in a container each process may have the same one, and other computers have their own.
_OURS = re.compile(r"\..+\.(?:([0-9a-f]+)-)?(?:([0-9a-f]{4})([0-9a-f]{4})-)?[0-9a-f]{8}\.tmp")
_PROCESSES = Path("/proc/self/ns/pid")  # which numbers count: a container has its own
_COMPUTER = f"{platform.node()} {os.readlink(_PROCESSES) if _PROCESSES.is_symlink() else ''}"
_COMPUTER = f"{zlib.crc32(_COMPUTER.encode('utf-8', 'replace')) & 0xFFFF:04x}"
_MARK = secrets.token_hex(2)
LONG_AGO = 24 * 3600  # seconds after which nobody is at a temporary any more, wherever it was begun

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
    return path.with_name(f".{path.name}.{os.getpid():x}-{_COMPUTER}{_MARK}-{secrets.token_hex(4)}.tmp")


def temporaries(folder: Path) -> list[Path]:
    """What temporary_for() named in ``folder``: writes under way, or left by a killed process."""
    return [entry for entry in folder.glob(".*.tmp") if _OURS.fullmatch(entry.name)]


def sweep(folder: Path, older_than_s: float = 0) -> None:
    """Removes the temporaries that a killed process left in ``folder`` (not in folders below it).

    Those of this process stay: another thread may be at work on them. ``older_than_s`` is for folders that no lock
    keeps others out of: it spares those of processes that live, and where that cannot be known younger ones.
    """
    for leftover in temporaries(folder):
        if (ours := _OURS.fullmatch(leftover.name)) is None:
            continue
        number, computer, mark = ours.groups()
        if number == f"{os.getpid():x}" and (computer, mark) in ((None, None), (_COMPUTER, _MARK)):
            continue
        if older_than_s and (alive := _lives(number, computer)) is not False:
            with contextlib.suppress(OSError):
                # a time to come is that of a clock that was put back since
                if alive or 0 <= time.time() - leftover.stat().st_mtime < older_than_s:
                    continue
        logger.info("removing %s, left by an interrupted write", leftover)
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                leftover.unlink()


def _lives(number: str | None, computer: str | None) -> bool | None:
    """Whether a process of this number, in hexadecimal, lives on this computer; None where it cannot be known."""
    if number is None or computer != _COMPUTER or os.name != "posix":  # on Windows asking would end it
        return None
    if number == f"{os.getpid():x}":
        return False  # an earlier one: the marks differ
    try:
        os.kill(int(number, 16), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # there, but somebody else's
        return None
    return True


@contextlib.contextmanager
def explained(action: str, path: Path) -> Iterator[None]:
    """Turns an OSError of the block into one sentence: what could not be done, where, why, and the remedy."""
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).rstrip(".").lower()
        if error.errno in _FULL:
            sentence = (
                "Cannot {action} {name} in the folder {folder}: {reason}; "
                "free some space there or choose another folder."
            )
        elif error.errno in _FORBIDDEN:
            sentence = (
                "Cannot {action} {name} in the folder {folder}: {reason}; "
                "close programs that have it open, or choose a folder you may write to."
            )
        else:
            sentence = (
                "Cannot {action} {name} in the folder {folder}: {reason}; "
                "check that the folder is there or choose another one."
            )
        failure = FileError(sentence, action, path.name, path.parent, reason)
        failure.errno = error.errno
        raise failure from error
