"""When each frame of a timelapse is shown: holds, frames in which nothing happens, speed, length."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from paints_undo import validation
from paints_undo.errors import InputError

CURVES = ("steps", "strokes")
SMOOTH = 24  # frames a second from on which the eye sees one movement
USUAL = 25  # ... of a film for which nobody chose them, where the run has fewer; GIF cannot count 24
LONGEST = 3600.0  # seconds
DEAD = 0.03  # of the mean change between frames: less is a frame in which nothing happens
UNSEEN = 0.05  # grey levels, likewise
SLOWEST = 0.2  # of the mean change: no frame counts for less in the curve "strokes"


@dataclass(frozen=True)
class Pacing:
    """How a timelapse is played."""

    fps: int | None = None  # frames a second, each drawn frame once; by default smooth, and as long as the run's video
    seconds: float | None = None  # of the whole, holds included; as long as it takes by default
    hold_start: float = 0.5  # seconds that the first frame stands
    hold_end: float = 2.0  # seconds that the finished artwork stands
    curve: str = "steps"  # "steps": each frame as long as any other; "strokes": equal change in equal time
    keep_dead_frames: bool = False

    def __post_init__(self) -> None:
        if self.fps is not None:
            object.__setattr__(self, "fps", validation.whole_number("fps", self.fps, 1, 60))
        for name in ("hold_start", "hold_end"):
            checked = validation.number(name.replace("_", " at the "), getattr(self, name), 0, 60)
            object.__setattr__(self, name, checked)
        if self.seconds is not None:
            object.__setattr__(self, "seconds", validation.number("seconds", self.seconds, 0.5, LONGEST))
            if self.seconds <= (holds := self.hold_start + self.hold_end):
                sentence = "seconds is {value:g}, but the holds alone take {holds:g}; use more seconds or shorter holds"
                raise InputError(sentence, self.seconds, holds)
        validation.one_of("curve", self.curve, CURVES)
        validation.yes_or_no("keep dead frames", self.keep_dead_frames)

    def frames_a_second(self, run_fps: int) -> int:
        """What was chosen, or else at least SMOOTH; run_fps: of the run."""
        return self.fps or (run_fps if run_fps >= SMOOTH else USUAL)


def changes(frames: np.ndarray) -> np.ndarray:
    """Mean change (n,) in grey levels of each frame, uint8 (n, h, w, 3), against the one before; 0 at first."""
    # one after another: a film of strokes makes each frame when it is asked for
    found = [float(np.abs(after.astype(np.int16) - before).mean()) for before, after in pairwise(frames)]
    return np.array([0.0, *found])


def schedule(change: np.ndarray, pacing: Pacing, run_fps: int) -> list[tuple[int, int]]:
    """Pairs (frame number, how many video frames it stands), ascending; number n, the last, is the artwork itself.

    change: (n,) as changes() gives it.  run_fps: of the run, whose length the film has where the pacing names no fps.
    """
    fps, count = pacing.frames_a_second(run_fps), len(change)
    live = np.arange(count)
    if not pacing.keep_dead_frames and count > 1:
        live = live[(change > max(DEAD * change[1:].mean(), UNSEEN)) | (live == 0)]
    hold_start, hold_end = round(pacing.hold_start * fps), max(1, round(pacing.hold_end * fps))
    body = len(live) if pacing.fps else round(len(live) * fps / run_fps)
    if pacing.seconds is not None:
        body = max(1, round(pacing.seconds * fps) - hold_start - hold_end)
    weights = np.ones(len(live))
    if pacing.curve == "strokes" and change.any():
        weights = np.maximum(change[live], SLOWEST * change[1:].mean())
    ends = np.cumsum(weights) / weights.sum()
    shown = live[np.searchsorted(ends, (np.arange(body) + 0.5) / body)]
    order = [live[0]] * hold_start + list(shown) + [count] * hold_end
    numbers, stands = np.unique(order, return_counts=True)
    return [(int(number), int(stand)) for number, stand in zip(numbers, stands, strict=True)]
