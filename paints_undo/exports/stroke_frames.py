"""The frames of a film of strokes at any size: each is a canvas of the process, the last one the artwork itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from paints_undo.strokes.process import Process

LINES = ("ink",)  # phases that are drawn on what lies below, and do not cover it


class StrokeFrames:
    """What ArtworkSizedFrames is to networks: a sequence that is drawn while it is gone through."""

    def __init__(self, process: Process, moments: np.ndarray) -> None:
        """process: at the size that is wanted.  moments: how many operations are done in each frame, ascending."""
        self._process, self._moments = process, moments

    def __len__(self) -> int:
        """How many frames there are; the artwork, which ends them, is not counted."""
        return len(self._moments)

    def chosen(self, numbers: Iterable[int]) -> Iterator[np.ndarray]:
        """Yield the frames of these numbers, ascending, uint8 (H, W, 3); number len(self) is the artwork itself.

        A number that comes twice gives the same array again.
        """
        shown, before = self._process.artwork, len(self)
        for number in numbers:
            if number >= len(self):
                yield self._process.artwork
                continue
            if number != before:
                shown, before = self._process.canvas(float(self._moments[number])), number
            yield shown

    def reached(self, number: int) -> np.ndarray:
        """How far each pixel of a frame is covered with paint, float32 (H, W), 0 or 1."""
        if number >= len(self):
            return np.ones(self._process.size, np.float32)
        covered = np.zeros(self._process.size, bool)
        for phase, owners in self._process.plan.owners.items():
            if phase not in LINES:
                covered |= (owners > 0) & (owners <= self._moments[number])
        flips = sum(one.kind == "flip" for one in self._process.operations[: int(self._moments[number])])
        return (covered[:, ::-1] if flips % 2 else covered).astype(np.float32)
