"""Long work for the web app: a queue with one worker thread for each compute device, watched from any page."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import Literal

from paints_undo.errors import Cancelled, CheckpointError, InputError, Sentence, sentence_of
from paints_undo.progress import OnProgress, Progress
from paints_undo.time_left import Outlook, TimeLeft

log = logging.getLogger(__name__)
_numbers = itertools.count(1)  # of the jobs of this process

MOST_JOBS_OF_CLIENT = 32  # waiting or at work, of all visitors who come from one address; secrets cost nothing
CLIENT: ContextVar[str] = ContextVar("CLIENT", default="")  # the address that the present request comes from

Outcome = Literal["finished", "cancelled", "paused", "failed"]
# What a person can do something about; anything else is a fault of the program.
_EXPECTED = (InputError, CheckpointError, OSError, MemoryError, FloatingPointError)


@dataclass(frozen=True)
class Update:
    """What a page can show about a job at one moment.

    `number` tells it from other jobs, `ahead` counts the jobs that go first (0: this one is at work or next),
    `elapsed_s` the seconds since the job was handed in.  `outlook`: how far the whole of it was at the last report,
    and how long the rest takes (None: not known).
    """

    number: int
    progress: Progress | None
    ahead: int
    elapsed_s: float
    outlook: Outlook | None
    paused: bool
    cancelling: bool


class Job:
    """One piece of work for one run, to be done by a queue that it is submitted to.

    work: called in the worker's thread with what it reports its progress to.  told: called after each progress,
    when there is an outcome, and once the job has ended, so that what is kept of the outcome is there by then; it must
    be quick.
    """

    def __init__(
        self, queue: Queue, work: Callable[[OnProgress], None], told: Callable[[Job], None] = lambda job: None
    ) -> None:
        self.number = next(_numbers)
        self.outcome: Outcome | None = None
        self.sentence = Sentence("")  # what went wrong, for people; empty for a fault of the program
        self.progress: Progress | None = None
        self.client = CLIENT.get()
        self._work = work
        self._context = copy_context()  # of whoever asked: hosts that lend GPUs look there for the visitor
        self._told = told
        self._queue = queue
        self._cancelled = False
        self._paused = False
        self._ended = threading.Event()
        self._since_s = time.monotonic()
        self._time_left = TimeLeft()

    @property
    def ended(self) -> bool:
        """Whether the work is over, in whatever way."""
        return self._ended.is_set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; whether it came within `timeout` seconds."""
        return self._ended.wait(timeout)

    def update(self) -> Update:
        """The state of the job now."""
        ahead, elapsed_s = self._queue.ahead(self), time.monotonic() - self._since_s
        outlook = self._time_left.outlook
        return Update(self.number, self.progress, ahead, elapsed_s, outlook, self._paused, self._cancelled)

    def cancel(self) -> None:
        """Ask the work to stop: before its next sampling step, or at once while it waits."""
        self._ask(cancelled=True)

    def pause(self) -> None:
        """Ask the work to hold before its next sampling step.

        It keeps what it has computed while no other job waits for the device; then it ends with the outcome "paused".
        """
        self._ask(paused=True)

    def resume(self) -> None:
        """Let paused work go on."""
        self._ask(paused=False)

    def _ask(self, cancelled: bool = False, paused: bool = False) -> None:
        queue = self._queue
        with queue.changed:
            self._cancelled, self._paused = self._cancelled or cancelled, paused
            queue.changed.notify_all()
        if (cancelled or paused) and queue.withdraw(self):
            self._end("cancelled" if self._cancelled else "paused")

    def run(self) -> None:
        """Do the work; called by the queue's thread."""
        try:
            self._go_on()
            self._time_left.go_on()  # the wait in the line says nothing about the speed
            self._context.run(self._work, self._on_progress)
            self._end("finished")
        except Cancelled:
            self._end("cancelled" if self._cancelled else "paused")
        except _EXPECTED as error:
            self._end("failed", sentence_of(error))
        except Exception:
            log.exception("a job of the web app failed")
            self._end("failed")

    def _end(self, outcome: Outcome, sentence: str = "") -> None:
        self.outcome, self.sentence, self.progress = outcome, Sentence(sentence), None
        try:
            self._told(self)
        except Exception:  # a full disk, say; the queue goes on all the same
            log.exception("the end of a job of the web app was not kept")
        self._ended.set()
        self._told(self)

    def _go_on(self) -> None:
        """Return when the work may go on; raises Cancelled when it is to end."""
        queue = self._queue
        with queue.changed:
            if self._paused:
                queue.changed.wait_for(lambda: self._cancelled or not self._paused or queue.someone_waits)
                self._time_left.go_on()  # the pause says nothing about the speed
            if self._cancelled or self._paused:
                raise Cancelled("Cancelled.")

    def _on_progress(self, progress: Progress) -> None:
        self._time_left(progress)  # before a pause, which is no part of what was done
        self._go_on()
        self.progress = progress
        self._told(self)


class Queue:
    """Jobs in the order they came, one at a time, in a thread that starts with the first one."""

    def __init__(self, name: str) -> None:
        self.changed = threading.Condition()
        self._name = name
        self._line: list[Job] = []  # the first one is at work
        self._thread: threading.Thread | None = None

    def submit(self, job: Job) -> None:
        """Put a job at the end of the line."""
        with self.changed:
            self._line.append(job)
            if self._thread is None:
                # A daemon: a server told to stop must not wait for minutes of sampling.
                self._thread = threading.Thread(target=self._serve, name=f"device {self._name}", daemon=True)
                self._thread.start()
            self.changed.notify_all()

    def refuse_many_of(self, client: str) -> None:
        """Raises InputError where many jobs of this client are in the line; "" is nobody's address."""
        with self.changed:
            own = sum(job.client == client for job in self._line)
        if client and own >= MOST_JOBS_OF_CLIENT:
            raise InputError(
                "{count} pictures from your address are being drawn or wait for it; let some be done first", own
            )

    def ahead(self, job: Job) -> int:
        """How many jobs go before this one."""
        with self.changed:
            return self._line.index(job) if job in self._line else 0

    @property
    def someone_waits(self) -> bool:
        """Whether there is a job behind the one at work."""
        return len(self._line) > 1

    def withdraw(self, job: Job) -> bool:
        """Take a job out of the line; False where it is at work already, or over."""
        with self.changed:
            waiting = job in self._line[1:]
            if waiting:
                self._line.remove(job)
            return waiting

    def end(self, until_s: float) -> None:
        """Cancel everything in the line, and wait for it until this moment (of time.monotonic)."""
        with self.changed:
            line = list(self._line)
        for job in reversed(line):
            job.cancel()
        for job in line:
            job.wait(max(0.0, until_s - time.monotonic()))

    def _serve(self) -> None:
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self._line)
                job = self._line[0]
            job.run()
            with self.changed:
                self._line.remove(job)
                self.changed.notify_all()


# A compute device is one per process, however many apps are built in it, so its waiting line is too.
_queues: dict[str, Queue] = {}
_queues_guard = threading.Lock()


def queue_of(device: str) -> Queue:
    """The waiting line of a compute device of this process."""
    with _queues_guard:
        return _queues.setdefault(device, Queue(device))


def end_all(within_s: float) -> None:
    """Cancel all work of this process and wait for it for so long.

    What still computes when the interpreter goes can take the whole process down.
    """
    until_s = time.monotonic() + within_s
    with _queues_guard:
        queues = list(_queues.values())
    for queue in queues:
        queue.end(until_s)
