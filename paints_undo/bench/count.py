"""A run counted instead of computed: the whole pipeline on the meta device, with networks whose weights do not exist.

FLOP, copies and living bytes are those of the chosen options.  Two short runs, of one sampling step and of two, give
both terms of each count, all of which are straight lines in the number of steps.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from paints_undo.bench.counters import Counters, counting
from paints_undo.bench.families import no_tensor, sizes_of, write_family
from paints_undo.bench.live_bytes import ACTIVATIONS, WEIGHTS
from paints_undo.bench.original import OriginalOrder
from paints_undo.bench.watch import Watch, watched_engine
from paints_undo.errors import InputError
from paints_undo.execution.parts import Parts
from paints_undo.execution.plans import LADDER, NAMES
from paints_undo.family.model_family import ModelFamily
from paints_undo.family.weights import load_part
from paints_undo.options import UndoOptions

META, CPU = torch.device("meta"), torch.device("cpu")
COUNTED_AS = torch.bfloat16  # as many bytes as fp16, in which the picture VAE could not stay


@dataclass(frozen=True)
class Count:
    """What one run needs, whatever computes it."""

    plan: str
    stages: dict[str, dict[str, float]]  # stage -> flop, weight_bytes, activation_bytes, peak_bytes
    loads: int  # networks brought to the device
    unloads: int  # networks copied back to the host
    spans: list[tuple[str, int]]  # (stage, most bytes alive), network after network

    @property
    def flop(self) -> float:
        return sum(numbers["flop"] for numbers in self.stages.values())

    @property
    def bytes_moved(self) -> float:
        """Between host and device, both ways, weights and activations."""
        return sum(numbers["weight_bytes"] + numbers["activation_bytes"] for numbers in self.stages.values())

    @property
    def peak_bytes(self) -> float:
        return max(numbers["peak_bytes"] for numbers in self.stages.values())


def count(family: ModelFamily, options: UndoOptions, plan: str) -> Count:
    """Count a run of a family of these sizes; plan: "auto", "original" or one of plans.NAMES.

    Raises InputError for a plan that streams networks block by block, which the meta device cannot follow.
    """
    if plan in NAMES and LADDER[NAMES.index(plan)].ring is not None:
        raise InputError(f"the plan {plan} streams networks block by block, which --count cannot follow; measure it")
    with tempfile.TemporaryDirectory() as folder:
        empty = write_family(Path(folder) / "family", sizes_of(family), no_tensor, data_type="BF16")
        one, two = (count_once(empty, with_sampling_steps(options, steps), plan) for steps in (1, 2))
    stages = {}
    for stage, numbers in two.stages.items():
        chosen = options.keyframes if stage.startswith("keyframe") else options.segments
        rise = chosen.sampling_steps - 1
        before = one.stages.get(stage, numbers)
        stages[stage] = {name: before[name] + rise * (value - before[name]) for name, value in numbers.items()}
        stages[stage]["peak_bytes"] = max(numbers["peak_bytes"], before["peak_bytes"])
    return replace(two, stages=stages)


def with_sampling_steps(options: UndoOptions, steps: int) -> UndoOptions:
    return replace(
        options,
        keyframes=replace(options.keyframes, sampling_steps=steps),
        segments=replace(options.segments, sampling_steps=steps),
    )


def count_once(family: ModelFamily, options: UndoOptions, plan: str) -> Count:
    """Count a run with exactly these options, whose weights are never looked at."""
    artwork = np.zeros((options.keyframes.height, options.keyframes.width, 3), np.uint8)
    options = replace(options, tag=False)
    with counting(META) as counters:
        watch = watch_counters(counters)
        if plan == "original":
            runner = OriginalOrder(family, META, COUNTED_AS, CPU, watch, load=load_part)
            runner.undo(artwork, options)
            loads, unloads = runner.loads, runner.unloads
        else:
            parts = Parts(family, META, COUNTED_AS)
            watched_engine(parts, plan, watch, noise="cpu").undo(artwork, options, on_progress=watch.on_progress)
            loads, unloads = parts.residency.loads, 0
        watch.finish()
    wanted = ("flop", "weight_bytes", "activation_bytes", "peak_bytes")
    stages = {
        stage: {name: numbers[name] for name in wanted}
        for stage, numbers in watch.by_stage().items()
        if stage != "load"
    }
    return Count(plan, stages, loads, unloads, [(span.stage, span.peak) for span in watch.spans])


def watch_counters(counters: Counters) -> Watch:
    """A watch that reads these counters."""

    def loading(begins: bool) -> None:
        counters.live.kind = WEIGHTS if begins else ACTIVATIONS

    loading(True)  # until the first network is there
    return Watch(counters.read, counters.live.restart_peak, loading)
