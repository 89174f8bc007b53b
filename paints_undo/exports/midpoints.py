"""More frames where a timelapse jumps: a segment between two of its frames, drawn as the run was."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from paints_undo import validation
from paints_undo.engine import Engine
from paints_undo.exports.pacing import changes
from paints_undo.options import SegmentOptions
from paints_undo.run.course import FRAMES
from paints_undo.run.folder import RunFolder

MOST = 100


def midpoints_of_run(folder: str | Path, frames: np.ndarray, count: int) -> np.ndarray:
    """The frames of a run with its `count` widest jumps filled, drawn by the model family that drew the run.

    Where that drew strokes, they are canvases of its process, and frames a Film.
    """
    run = RunFolder.open(folder)
    if run.options.in_strokes:
        film = run.film()
        done = film.moments
        between = [np.linspace(done[jump], done[jump + 1], FRAMES)[1:-1] for jump in widest(frames, count)]
        return cast(np.ndarray, film.at(np.sort(np.concatenate([done, *between]))))
    from paints_undo.pipeline import PaintsUndo  # loads the networks' libraries

    models = run.settings.get("models", {}).get("name", "auto")
    return with_midpoints(PaintsUndo.load(models), frames, run.options.segments, count)


def with_midpoints(engine: Engine, frames: np.ndarray, options: SegmentOptions, count: int) -> np.ndarray:
    """Frames uint8 (n, h, w, 3), first stroke first, with 14 more in each of the `count` widest jumps, 1 to 100."""
    pieces, begin = [], 0
    for jump in widest(frames, count):
        # as in a run: the later picture first, and the segment leads back in time
        segment = engine.fill_segments([frames[jump + 1], frames[jump]], options)[0]
        pieces += [frames[begin : jump + 1], segment[-2:0:-1]]
        begin = jump + 1
    return np.concatenate([*pieces, frames[begin:]])


def widest(frames: np.ndarray, count: int) -> np.ndarray:
    """Which frames uint8 (n, h, w, 3) the `count` widest jumps lead away from, ascending."""
    count = min(validation.whole_number("midpoints", count, 1, MOST), len(frames) - 1)
    return np.sort(np.argsort(changes(frames)[1:])[::-1][:count])
