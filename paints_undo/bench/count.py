"""A run counted instead of computed: the whole pipeline on the meta device, with networks whose weights do not exist.

FLOP, copies and living bytes are those of the chosen options.  Two short runs, of one sampling step and of two, give
both terms of each count, all of which are straight lines in the number of steps.
"""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from paints_undo.bench.families import no_tensor, sizes_of, write_family
from paints_undo.bench.live_bytes import LiveBytes
from paints_undo.bench.measure import Watch, engine_by
from paints_undo.errors import InputError
from paints_undo.execution.parts import Parts
from paints_undo.family.model_family import ModelFamily
from paints_undo.options import UndoOptions
from paints_undo.pipeline import PaintsUndo

META = torch.device("meta")
COUNTED_AS = torch.bfloat16  # as many bytes as fp16, in which the picture VAE could not stay


@dataclass(frozen=True)
class Count:
    """What one run needs, whatever computes it."""

    plan: str
    stages: dict[str, dict[str, float]]  # stage -> flop, weight_bytes, activation_bytes, peak_bytes
    loads: int  # networks brought to the device

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
    """Count a run of a family of these sizes; plan: "auto" or one of execution.plan.NAMES.

    Raises InputError for a plan that streams networks block by block, which the meta device cannot follow.
    """
    with tempfile.TemporaryDirectory() as folder:
        empty = write_family(Path(folder) / "family", sizes_of(family), no_tensor, data_type="BF16")
        one, two = (count_once(empty, with_sampling_steps(options, steps), plan) for steps in (1, 2))
    stages = {}
    for stage, numbers in two.stages.items():
        chosen = options.keyframes if stage.startswith("keyframes") else options.segments
        rise = chosen.sampling_steps - 1
        before = one.stages[stage]
        stages[stage] = {name: before[name] + rise * (value - before[name]) for name, value in numbers.items()}
        stages[stage]["peak_bytes"] = max(numbers["peak_bytes"], before["peak_bytes"])
    return replace(two, stages=stages)


def with_sampling_steps(options: UndoOptions, steps: int) -> UndoOptions:
    """The options with so many denoising iterations in both stages."""
    keyframes = replace(options.keyframes, sampling_steps=steps)
    return replace(options, keyframes=keyframes, segments=replace(options.segments, sampling_steps=steps))


def count_once(family: ModelFamily, options: UndoOptions, plan: str) -> Count:
    """Count a run with exactly these options, whose weights are never looked at."""

    def load(vram: str) -> PaintsUndo:
        return PaintsUndo(Parts(family, META, COUNTED_AS), noise="cpu", attention="sdpa", vram=vram)

    artwork = np.zeros((options.keyframes.height, options.keyframes.width, 3), np.uint8)
    options = replace(options, tag=False)
    engine = engine_by(plan, options, load)
    if engine.plan(options).plan.ring is not None:
        raise InputError(f"the plan {plan} streams networks block by block, which --count cannot follow; measure it")
    # the last mode sees each call first
    with LiveBytes(META) as live, FlopCounterMode(display=False) as products, OneKernelAttention() as attention:
        watch = Watch(lambda: {"flop": products.get_total_flops() + attention.flop, **live.moved}, live.restart_peak)
        engine.undo(artwork, options, on_progress=watch.on_progress)
        watch.finish()
    wanted = ("flop", "weight_bytes", "activation_bytes", "peak_bytes")
    stages = {stage: {name: numbers[name] for name in wanted} for stage, numbers in watch.stages.items()}
    return Count(plan, stages, live.loads)


class OneKernelAttention(TorchFunctionMode):
    """On the meta device attention is one kernel that keeps no scores, as it is on a GPU; elsewhere nothing changes."""

    def __init__(self) -> None:
        super().__init__()
        self.flop = 0

    def __torch_function__(self, function: Any, types: Any, arguments: tuple = (), options: dict | None = None) -> Any:
        if function is not F.scaled_dot_product_attention or not arguments or not arguments[0].is_meta:
            return function(*arguments, **(options or {}))
        query, key, value = arguments[:3]
        *batch, tokens, width = query.shape
        self.flop += 2 * math.prod(batch) * tokens * key.shape[-2] * (width + value.shape[-1])
        return torch.empty_like(query.transpose(-3, -2), memory_format=torch.contiguous_format).transpose(-3, -2)
