"""FLOP, living bytes and copied bytes of everything that PyTorch computes in a block."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from paints_undo.bench.live_bytes import ACTIVATIONS, WEIGHTS, LiveBytes


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


class Counters:
    """What was counted so far: FLOP (one multiplication and one addition are two) and bytes."""

    def __init__(self, live: LiveBytes, arithmetic: FlopCounterMode, attention: OneKernelAttention):
        self.live = live
        self._arithmetic = arithmetic
        self._attention = attention

    def read(self) -> dict[str, float]:
        """Rising numbers: flop, weight_bytes and activation_bytes copied between host and device."""
        return {
            "flop": self._arithmetic.get_total_flops() + self._attention.flop,
            "weight_bytes": self.live.moved[WEIGHTS],
            "activation_bytes": self.live.moved[ACTIVATIONS],
        }


@contextmanager
def counting(device: torch.device) -> Iterator[Counters]:
    """Count everything of this block and thread; slow, so never while time is taken."""
    live, arithmetic, attention = LiveBytes(device), FlopCounterMode(display=False), OneKernelAttention()
    with live, arithmetic, attention:  # the last one sees each call first
        yield Counters(live, arithmetic, attention)
