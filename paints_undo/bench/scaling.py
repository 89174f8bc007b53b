"""What a change costs, and what one more segment costs, measured in one process whose networks are loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from memory_management import peak_memory
from paints_undo.bench.host_memory import resident_bytes
from paints_undo.bench.measure import clock
from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.pipeline import PaintsUndo
from paints_undo.run.draw import draw
from paints_undo.run.folder import RunFolder


@dataclass(frozen=True)
class Edit:
    """Seconds of a whole run, and of the run again after one inner keyframe was drawn with another seed."""

    whole: float
    again: float
    segments: int

    @property
    def share(self) -> float:
        return self.again / self.whole


@dataclass(frozen=True)
class Pairs:
    """Seconds and memory of one call that fills so many segments."""

    pairs: int
    seconds: float
    host_bytes: int  # resident after the call
    device_peak: int  # bytes of tensors on a CUDA device during the call; 0 elsewhere


def edited(engine: PaintsUndo, artwork: np.ndarray, options: UndoOptions) -> Edit:
    """One whole run, then the same with its middle keyframe re-rolled; the video is written both times."""
    steps = options.keyframes.operation_steps
    if len(steps) < 3:
        raise InputError(f"there are {len(steps)} operation steps; an inner keyframe needs 3 or more")
    device = torch.device(engine.describe().device)
    with tempfile.TemporaryDirectory() as folder:
        began = clock(device)
        engine.undo(artwork, options, Path(folder) / "run")
        whole = clock(device) - began
        run = RunFolder.open(Path(folder) / "run")
        run.change(run.options, run.timeline.changed(steps[len(steps) // 2], seed=options.keyframes.seed + 1))
        began = clock(device)
        draw(engine, run)
        return Edit(whole, clock(device) - began, len(steps) + 1)


def growing(engine: PaintsUndo, options: UndoOptions, counts: Sequence[int]) -> list[Pairs]:
    """Segments between noise pictures, in calls of so many; the first call, which loads, is not among them."""
    if min(counts) < 1:
        raise InputError(f"pairs is {min(counts)}; use 1 or more")
    height, width = options.keyframes.height, options.keyframes.width
    random = np.random.default_rng(0)
    pictures = random.integers(0, 256, (max(counts) + 1, height, width, 3), np.uint8)
    engine.fill_segments(pictures[:2], options.segments)
    measured, device = [], torch.device(engine.describe().device)
    for count in counts:
        engine.forget()
        peak_memory(device)
        began = clock(device)
        engine.fill_segments(pictures[: count + 1], options.segments)
        seconds = clock(device) - began
        measured.append(Pairs(count, seconds, resident_bytes(), peak_memory(device)))
    return measured
