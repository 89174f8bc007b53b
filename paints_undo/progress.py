"""How far a run has come, and how long the rest will take."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Preview = Callable[[], np.ndarray]  # a small uint8 (h, w, 3), computed when it is called


@dataclass(frozen=True)
class Progress:
    """One report from a running stage."""

    stage: str  # "tags", "keyframes" or "segments"
    detail: str  # what is being done: "sampling", "decoding", ...
    done: int
    total: int  # of the same unit as done
    # what is being drawn, as far as it can be seen
    preview: Preview | None = field(default=None, compare=False, repr=False)


# Called after every sampling step; raising Cancelled from it ends the run cleanly.
OnProgress = Callable[[Progress], None]
# (done, total, preview or nothing): what a stage reports with
Report = Callable[..., None]


def ignore(progress: Progress) -> None:
    """The callback of those who do not watch."""


class TimeLeft:
    """Seconds left of what a stage is doing, from the speed since it began."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._began: tuple[str, str] | None = None
        self._since = 0.0
        self._done_then = 0

    def __call__(self, progress: Progress) -> float | None:
        """Seconds until `progress.detail` is done; None until there is a speed to go by."""
        doing = progress.stage, progress.detail
        if doing != self._began or progress.done < self._done_then:
            self._began, self._since, self._done_then = doing, self._clock(), progress.done
        advanced = progress.done - self._done_then
        if advanced <= 0:
            return None
        return (self._clock() - self._since) / advanced * (progress.total - progress.done)


def in_words(seconds: float) -> str:
    """Seconds as a person reads them: "42 s", "3 min 20 s", "1 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
