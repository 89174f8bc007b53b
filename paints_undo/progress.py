"""How far a run has come: what a stage reports, and everything that a job will report."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

PLANNING_PARTS = 4  # of the planning of strokes, each about as long as any other
PREVIEW_SIDE = 720  # pixels of the longer side, where somebody only watches
Preview = Callable[[], np.ndarray]  # a small uint8 (h, w, 3), computed when it is called


@dataclass(frozen=True)
class Part:
    """Work of one kind that a job will do."""

    stage: str  # as in Progress
    detail: str
    units: int  # what Progress.total will be, or less where some of it is found done
    megapixels: float = 1.0  # in one unit, as often as the networks look at them


@dataclass(frozen=True)
class Course:
    """Everything that a job will do, in this order.

    kind: the model family and the kind of device, "mini cpu": what the cost of a unit depends on.
    """

    kind: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Progress:
    """One report from a running stage."""

    stage: str  # "tags", "keyframes", "segments" or "video"
    detail: (
        str  # what is being done: "preparing", "conditions", "sampling", "decoding", "planning", "drawing", "encoding"
    )
    done: int
    total: int  # of the same unit as done
    # what is being drawn, as far as it can be seen
    preview: Preview | None = field(default=None, compare=False, repr=False)
    at_once: int = field(default=1, compare=False)  # how many units are under way side by side
    # what it is a piece of, where that is known
    course: Course | None = field(default=None, compare=False, repr=False)


# Called after every sampling step; raising Cancelled from it ends the run cleanly.
OnProgress = Callable[[Progress], None]
# (done, total, preview=None, at_once=1): what a stage reports with
Report = Callable[..., None]


def ignore(progress: Progress) -> None:
    """The callback of those who do not watch."""


def no_report(done: int, total: int, preview: Preview | None = None, at_once: int = 1) -> None:
    """Likewise of a stage's own reports."""


def along(course: Course, on_progress: OnProgress) -> OnProgress:
    """`on_progress`, told of the same as a piece of this course; where one is within another, the outer one holds."""
    return lambda progress: on_progress(dataclasses.replace(progress, course=course))


def counted(items: np.ndarray, report: Report) -> Iterator[np.ndarray]:
    """The items (n, ...), with a report before each of how many are done; that the last is, who takes them says."""
    for done, item in enumerate(items):
        report(done, len(items))
        yield item


def in_words(seconds: float) -> str:
    """Seconds as a person reads them: "42 s", "3 min 20 s", "1 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
