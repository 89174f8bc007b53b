"""What a change costs, and what one more segment costs, measured in one process whose networks are loaded."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from memory_management import peak_memory
from paints_undo.bench.host_memory import resident_bytes
from paints_undo.bench.measure import clock
from paints_undo.engine import Engine
from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.run.draw import draw
from paints_undo.run.folder import RunFolder


def edited(engine: Engine, artwork: np.ndarray, options: UndoOptions) -> dict[str, float]:
    """Seconds of a whole run, and of the run again with its middle keyframe re-rolled; the video is written each time.

    The keys are "whole", "again", "segments" and "share", which the second is of the first.
    """
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
        again = clock(device) - began
    return {"whole": whole, "again": again, "segments": len(steps) + 1, "share": again / whole}


def growing(engine: Engine, options: UndoOptions, counts: Sequence[int]) -> list[dict[str, float]]:
    """Seconds and memory of calls that fill so many segments between noise pictures; none of them loads.

    The keys are "pairs", "seconds", "host_bytes", resident after the call, and "device_peak", the most bytes of tensors
    on a CUDA device during it, 0 elsewhere.
    """
    if min(counts) < 1:
        raise InputError(f"pairs is {min(counts)}; use 1 or more")
    device, random = torch.device(engine.describe().device), np.random.default_rng(0)
    measured = []
    for number, count in enumerate([1, *counts]):
        # pictures of its own for each call: an engine computes no segment twice
        shape = (count + 1, options.keyframes.height, options.keyframes.width, 3)
        pictures = random.integers(0, 256, shape, np.uint8)
        peak_memory(device)
        began = clock(device)
        engine.fill_segments(pictures, options.segments)
        seconds = clock(device) - began
        if number:
            memory = {"host_bytes": resident_bytes(), "device_peak": peak_memory(device)}
            measured.append({"pairs": count, "seconds": seconds, **memory})
    return measured
