"""The stages of a run, told apart by its own reports, and what the meters showed from each report to the next."""

from __future__ import annotations

import time
from collections.abc import Callable

from paints_undo.progress import Progress

Read = Callable[[], dict[str, float]]  # rising numbers, by name


class Watch:
    """Follows one run: what each of its stages took, by the names of its reports, such as "segments sampling".

    A stage begins where the one before has reported its last unit, so that what it loads is its own.
    """

    def __init__(
        self,
        read: Read = dict,
        peak: Callable[[], int] = int,
        clock: Callable[[], float] = time.perf_counter,
    ):
        """read: the meters; peak: the highest number of living bytes since the last call."""
        self.stages: dict[str, dict[str, float]] = {}  # in order -> seconds, loading, peak_bytes and the meters' rise
        self.first_step: dict[str, float] = {}  # "keyframes" and "segments" -> seconds since the run began
        self._read, self._peak, self._clock = read, peak, clock
        self._began = clock()
        self._last = self._now()

    def _now(self) -> dict[str, float]:
        return {"seconds": self._clock(), **self._read()}

    def on_progress(self, progress: Progress) -> None:
        """To be given to the run."""
        self._take(f"{progress.stage} {progress.detail}")
        if progress.detail == "sampling" and progress.done:
            self.first_step.setdefault(progress.stage, self._last["seconds"] - self._began)

    def finish(self) -> None:
        """The run has ended: what came after its last report was the last stage's."""
        self._take(next(reversed(self.stages)))

    def _take(self, stage: str) -> None:
        """Give everything since the last reading to this stage; until its first report its network was loading."""
        now = self._now()
        rise = {name: value - self._last[name] for name, value in now.items()}
        numbers = self.stages.setdefault(stage, {"loading": rise["seconds"], "peak_bytes": 0})
        for name, value in rise.items():
            numbers[name] = numbers.get(name, 0.0) + value
        numbers["peak_bytes"] = max(numbers["peak_bytes"], self._peak())
        self._last = now
