"""A work item belongs to one process at a time."""

from pathlib import Path

from filelock import FileLock, Timeout

from paints_undo.atomic import explained


class Leases:
    """Locks on work items, in a folder that all processes see.

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
