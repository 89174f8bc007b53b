"""The film of a process: equal time for equal work, from the first stroke to the finished artwork."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np

from paints_undo.strokes.operations import OWNING
from paints_undo.strokes.process import Process

LONGEST_SIDE = 2000  # pixels of a frame
HOLD = 1.0  # seconds that the finished artwork stands, at most a twelfth of the film
BEGINNING = 0.6  # how much of the first stroke the first frame shows
LIFTING, MOVING = 0.4, 0.4  # shares of the time that go by operations and by the length of paths; the rest by area


class Film:
    """The frames of a process, uint8 (n, h, w, 3), made one by one when they are asked for, and so never all at once.

    Sides are even, as H.264 needs them: the odd row or column is left out.
    """

    dtype = np.dtype(np.uint8)
    ndim = 4

    def __init__(self, process: Process, seconds: float, fps: int, longest_side: int = LONGEST_SIDE):
        height, width = process.size
        scale = min(1.0, longest_side / max(height, width))
        if scale < 1:
            process = process.at(max(2, round(height * scale)), max(2, round(width * scale)))
        self.process = process
        self.moments = moments(process, seconds, fps)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Of all frames together."""
        height, width = self.process.size
        return len(self.moments), max(1, height // 2 * 2), max(1, width // 2 * 2), 3

    def __len__(self) -> int:
        return len(self.moments)

    def at(self, moments: np.ndarray) -> Film:
        """The film with other frames: how many operations are done in each, ascending."""
        other = copy.copy(self)
        other.moments = moments
        return other

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.frame, range(len(self)))

    def __getitem__(self, place: int | slice | np.ndarray | list[int]) -> np.ndarray:
        if isinstance(place, (int, np.integer)):
            return self.frame(int(place))
        return np.stack([self.frame(int(k)) for k in np.arange(len(self))[place]])

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return np.stack(list(self))

    def frame(self, place: int) -> np.ndarray:
        """One frame, uint8 (h, w, 3); negative places count from the end."""
        _, height, width, _ = self.shape
        return np.ascontiguousarray(self.process.canvas(float(self.moments[place]))[:height, :width])


def work_of(process: Process) -> np.ndarray:
    """How much work each operation is, (1000,), in all 1: a hand's movement, what it covers, and putting it there."""
    operations = process.operations
    moved = np.zeros(len(operations))
    for k, operation in enumerate(operations):
        if len(operation.points) > 1:
            moved[k] = np.hypot(*np.diff(operation.points[:, :2], axis=0).T).sum()
    covered = np.zeros(len(operations) + 1)
    for phase in OWNING:
        covered += np.bincount(process.plan.owners[phase].ravel(), minlength=len(covered))
    area = np.sqrt(covered[1:])
    shares = (LIFTING, np.ones(len(operations))), (MOVING, moved), (1 - LIFTING - MOVING, area)
    work = sum(share * part / max(1e-9, part.sum()) for share, part in shares)
    return np.asarray(work / work.sum())


def moments(process: Process, seconds: float, fps: int) -> np.ndarray:
    """How many operations are done in each frame, ascending, with parts of strokes."""
    count = max(2, round(seconds * fps))
    held = max(1, round(min(HOLD, seconds / 12) * fps))
    ends = np.concatenate([[0], np.cumsum(work_of(process))])
    drawn = np.interp(np.linspace(0, 1, max(2, count - held + 1)), ends / ends[-1], np.arange(len(ends)))
    drawn[0] = BEGINNING
    return np.maximum.accumulate(np.concatenate([drawn, np.full(max(0, count - len(drawn)), drawn[-1])]))
