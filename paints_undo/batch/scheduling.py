"""Every item brought to its end by one or many workers: what is done is passed over, what fails is tried again.

One faulty item never stops the others.  What ends a call is what would fail every item alike: a model that cannot be
loaded, a full disk.
"""

from __future__ import annotations

import errno
import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from paints_undo.batch.items import WorkItem, content_of
from paints_undo.batch.ledger import BEGUN, DIED, DONE, FAILED, STOPPED, Leases, Ledger
from paints_undo.batch.tasks import Task
from paints_undo.errors import CheckpointError, InputError
from paints_undo.progress import OnProgress, ignore

log = logging.getLogger(__name__)

_HOPELESS = {errno.ENOSPC, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)}  # for every other item, too


@dataclass(frozen=True)
class Outcome:
    """What came of a task: facts, or an error."""

    task: Task
    facts: dict[str, Any] = field(default_factory=dict)
    error: Exception | None = None


class WorkerDied(Exception):
    """A task took its worker with it."""

    def __str__(self) -> str:
        return "its worker died"


class Pool(Protocol):
    """Workers: each does one task at a time, so that one that dies takes nobody else's with it."""

    size: int  # how many workers there are

    def submit(self, task: Task) -> None:
        """Give a task to a worker that has none."""

    def wait(self) -> Outcome:
        """The outcome of a task that has ended."""


@dataclass(eq=False)
class Here:
    """The pool of one worker in this process; a task is done while it is waited for."""

    do: Callable[[Task, OnProgress], dict[str, Any]]  # as Worker.do
    on_progress: Callable[[WorkItem], OnProgress] = lambda item: ignore
    size: int = field(default=1, init=False)
    _task: Task | None = field(default=None, init=False)

    def submit(self, task: Task) -> None:
        self._task = task

    def wait(self) -> Outcome:
        task, self._task = self._task, None
        assert task is not None, "wait is called while there is a task"
        try:
            return Outcome(task, self.do(task, self.on_progress(task.item)))
        except Exception as error:
            return Outcome(task, error=error)


@dataclass
class Tally:
    """How far a call is; of the items that are its own."""

    total: int
    before: int = 0  # done by earlier calls
    done: int = 0
    failed: int = 0
    elsewhere: int = 0  # in the hands of another process
    since: float = field(default_factory=time.monotonic)

    @property
    def settled(self) -> int:
        return self.before + self.done + self.failed + self.elsewhere

    @property
    def rate(self) -> float:
        """Items drawn in a second."""
        return self.done / max(time.monotonic() - self.since, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        """Until all is done at this rate; None until there is one."""
        return (self.total - self.settled) / self.rate if self.done else None


EARLIER = " (in an earlier call; --retry-failed tries again)"
Tell = Callable[[Tally, WorkItem, str, str], None]  # (tally, item, state, what there is to say)


class Schedule:
    """The work of one call on some items.

    attempts: how often an item may fail, or take its worker with it, before it is left alone.
    """

    def __init__(self, ledger: Ledger, leases: Leases, pool: Pool, attempts: int, tell: Tell):
        self.ledger = ledger
        self.leases = leases
        self.pool = pool
        self.attempts = attempts
        self.tell = tell
        self.tally = Tally(0)
        self._begun: dict[str, tuple[WorkItem, float]] = {}  # by key, with when they were begun

    def work_through(self, items: Iterable[WorkItem]) -> Tally:
        """Bring all items to their end, as far as that is possible; what came of it.

        Raises CheckpointError and hopeless OSErrors; then, and at a KeyboardInterrupt, items under way are given back.
        """
        # what took its process with it before comes last: the others need not wait for it to do so again
        waiting = deque(sorted(items, key=lambda item: self.ledger.history(item.key).attempts))
        self.tally = Tally(len(waiting))
        busy = 0
        try:
            while True:
                while busy < self.pool.size and (task := self._next(waiting)):
                    self.pool.submit(task)
                    busy += 1
                if not busy:
                    return self.tally
                outcome = self.pool.wait()
                busy -= 1
                self._take(outcome, waiting)
        finally:
            for item, _ in list(self._begun.values()):
                self.ledger.note(item, STOPPED)
                self._end(item.key)

    def _next(self, waiting: deque[WorkItem]) -> Task | None:
        """What a free worker shall do."""
        while waiting:
            item = waiting.popleft()
            if not self._begin(item):
                continue
            try:
                return Task(item, picture_file(item))
            except InputError as error:
                self._failed(item, error, waiting)
        return None

    def _begin(self, item: WorkItem) -> bool:
        """Take an item, unless it is done, given up, or another process is at it."""
        if self.ledger.history(item.key).done:  # for a million of these a lock each would take minutes
            self.tally.before += 1
            return False
        if not self.leases.take(item.key):
            self.tally.elsewhere += 1
            self.tell(self.tally, item, "elsewhere", "another process is drawing it")
            return False
        self.ledger.refresh()  # it may have been done a moment ago
        history = self.ledger.history(item.key)
        if history.done:
            self.tally.before += 1
        elif history.final or history.attempts >= self.attempts:
            row = history.row or {}
            if row.get("state") == BEGUN:
                row = self.ledger.note(item, FAILED, reason=given_up(history.attempts), final=True)
            self.tally.failed += 1
            self.tell(self.tally, item, FAILED, row.get("reason", "") + EARLIER)
        else:
            self.ledger.note(item, BEGUN)
            self._begun[item.key] = item, time.monotonic()
            return True
        self.leases.give_back(item.key, history.done)
        return False

    def _take(self, outcome: Outcome, waiting: deque[WorkItem]) -> None:
        """What follows from the end of a task."""
        item = outcome.task.item
        if outcome.error:
            self._failed(item, outcome.error, waiting)
            return
        seconds = round(time.monotonic() - self._begun[item.key][1], 3)
        self.ledger.note(item, DONE, seconds=seconds, **outcome.facts)
        self._end(item.key, done=True)
        self.tally.done += 1
        self.tell(self.tally, item, DONE, f"{seconds:.1f} s")

    def _failed(self, item: WorkItem, error: Exception, waiting: deque[WorkItem]) -> None:
        """An attempt has failed."""
        if isinstance(error, CheckpointError) or (isinstance(error, OSError) and error.errno in _HOPELESS):
            raise error
        log.debug("%s failed", item.artwork, exc_info=error)
        final = isinstance(error, InputError)  # the same picture and settings would be refused again
        died, reason = isinstance(error, WorkerDied), in_one_line(error)
        self.ledger.note(item, DIED if died else FAILED, reason=reason, final=final)
        self._end(item.key)
        failures = self.ledger.history(item.key).attempts
        if final or failures >= self.attempts:
            if died:
                reason = given_up(failures)
                self.ledger.note(item, FAILED, reason=reason, final=True)
            self.tally.failed += 1
            self.tell(self.tally, item, FAILED, reason)
        else:
            self.tell(self.tally, item, "again", f"{reason}; it will be tried again")
            waiting.append(item)

    def _end(self, key: str, done: bool = False) -> None:
        del self._begun[key]
        self.leases.give_back(key, done)


def picture_file(item: WorkItem) -> bytes:
    """The content of an item's picture; InputError where its file is gone or another one by now."""
    content = content_of(Path(item.artwork))
    if hashlib.sha256(content).hexdigest() != item.digest:
        raise InputError("is another picture than its sha256 says; write the manifest again, or start again")
    return content


def in_one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    says_all = isinstance(error, InputError | OSError | MemoryError | WorkerDied)
    return text if says_all else f"{type(error).__name__}: {text}"


def given_up(times: int) -> str:
    return f"its worker died {times} times while drawing it; it is left alone"
