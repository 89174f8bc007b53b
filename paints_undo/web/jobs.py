"""Long work for the web app: one piece at a time in the whole process, watched and cancelled from its page."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, TypeVar

from paints_undo.errors import Cancelled, InputError
from paints_undo.progress import OnProgress, Progress, TimeLeft

T = TypeVar("T")

_LOOK_EVERY_S = 0.25

# The compute device is one per process, however many apps are built in it, so the waiting line is too.
_line: list[Job] = []
_line_moved = threading.Condition()


@dataclass(frozen=True)
class Update:
    """What a page can show about its job at one moment.

    `ahead` counts the jobs that go first (0: this one runs), `elapsed_s` the seconds since the job was started and
    `left_s` the seconds until `progress.detail` is done at the speed measured so far (None: not known yet).
    """

    progress: Progress | None
    ahead: int
    elapsed_s: float
    left_s: float | None
    cancelling: bool


class Job(Generic[T]):
    """One piece of work in a thread of its own; leaving the `with` block early cancels it."""

    def __init__(self, work: Callable[[OnProgress], T]) -> None:
        self._work = work
        self._cancel = threading.Event()
        self._finished = threading.Event()
        self._progress: Progress | None = None
        self._time_left = TimeLeft()
        self._left_s: float | None = None
        self._started_s = time.monotonic()
        self._outcome: T | None = None
        self._error: BaseException | None = None
        # A daemon: a server told to stop must not wait for minutes of sampling.
        self._thread = threading.Thread(target=self._run, name="paints-undo-job", daemon=True)

    def __enter__(self) -> Job[T]:
        with _line_moved:
            _line.append(self)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Ask the work to stop; it does so before its next sampling step, or at once while it waits."""
        self._cancel.set()
        with _line_moved:
            _line_moved.notify_all()

    @property
    def finished(self) -> bool:
        """Whether the work has ended, in whatever way, and has left the line."""
        return self._finished.is_set()

    def updates(self) -> Iterator[Update]:
        """Yield the state of the job a few times a second until it has ended."""
        while not self._finished.wait(_LOOK_EVERY_S):
            with _line_moved:
                ahead = _line.index(self) if self in _line else 0
            elapsed_s = time.monotonic() - self._started_s
            yield Update(self._progress, ahead, elapsed_s, self._left_s, self._cancel.is_set())

    def result(self) -> T:
        """Return what the work returned, or raise what it raised; waits for the end."""
        self._finished.wait()
        if self._error is not None:
            raise self._error
        return self._outcome  # type: ignore[return-value]

    def _run(self) -> None:
        try:
            self._wait_for_turn()
            self._outcome = self._work(self._on_progress)
        except BaseException as error:  # handed to the page's own thread by result()
            self._error = error
        finally:
            with _line_moved:
                _line.remove(self)
                _line_moved.notify_all()
            self._finished.set()

    def _wait_for_turn(self) -> None:
        with _line_moved:
            _line_moved.wait_for(lambda: _line[0] is self or self._cancel.is_set())
        if self._cancel.is_set():
            raise Cancelled("Cancelled.")

    def _on_progress(self, progress: Progress) -> None:
        if self._cancel.is_set():
            raise Cancelled("Cancelled.")
        self._progress, self._left_s = progress, self._time_left(progress)


class Jobs:
    """At most one job for each page (browser session), so that its Cancel button has one meaning."""

    def __init__(self) -> None:
        self._of_page: dict[str, Job] = {}
        self._guard = threading.Lock()

    def start(self, page: str, work: Callable[[OnProgress], T]) -> Job[T]:
        """Return a job for `page`, to be entered with `with`.

        Raises:
            InputError: the page has a job already.
        """
        job = Job(work)
        with self._guard:
            if self.busy(page):
                raise InputError("This page is still at work on another step: wait for it or press Cancel.")
            self._of_page = {name: old for name, old in self._of_page.items() if not old.finished}
            self._of_page[page] = job
        return job

    def busy(self, page: str) -> bool:
        """Whether `page` has a job that has not ended."""
        job = self._of_page.get(page)
        return job is not None and not job.finished

    def cancel(self, page: str) -> bool:
        """Cancel the job of `page`; says whether there was one."""
        busy = self.busy(page)
        if busy:
            self._of_page[page].cancel()
        return busy
