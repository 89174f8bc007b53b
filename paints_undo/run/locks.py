"""One folder belongs to one process at a time."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from paints_undo.atomic import explained
from paints_undo.errors import InputError

logger = logging.getLogger(__name__)

LOCK = ".lock"
_NOT_OFFERED = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}


class FolderLock:
    """A lock on a folder that the operating system lets go of when its holder ends, however it ends.

    The kernel's own locks (flock, LockFileEx) work between the computers of a network drive, too, need no heartbeat
    and leave nothing stale behind; the empty file stays.  Where a drive offers none, work goes on without.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = FileLock(folder / LOCK, timeout=0)

    @contextlib.contextmanager
    def held(self) -> Iterator[bool]:
        """The folder for the block alone; whether no other holder can be there. The same thread may hold it again.

        Raises InputError when another process or thread holds it, OSError (one sentence) when it cannot be written.
        """
        with contextlib.ExitStack() as stack:
            yield self._hold(stack)

    def _hold(self, stack: contextlib.ExitStack) -> bool:
        try:
            with explained("write", self._folder / LOCK):
                os.stat(self._folder)  # filelock would make it, and a folder that is gone shall stay so
                stack.enter_context(self._lock)
            return True
        except OSError as error:
            cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
            if isinstance(cause, Timeout):
                raise InputError(
                    "The run in {folder} is being worked on by another process; wait until it is done or choose "
                    "another output folder.",
                    self._folder,
                ) from None
            if cause.errno not in _NOT_OFFERED:
                raise
        except NotImplementedError:  # filelock 3 where the drive knows no locks
            pass
        logger.warning("%s is on a drive without locks; let only one process work there", self._folder)
        return False
