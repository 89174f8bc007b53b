"""Classifier-free guidance (Ho and Salimans 2022), wrapped around a network's raw prediction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

# (noisy latents (b, ...), timestep) -> raw prediction (b, ...): a network with all its other conditions bound; for
# schedulers of diffusers the timestep is a tensor () on the network's device, and may be no whole number
Predict = Callable[[Tensor, Any], Tensor]


@dataclass(frozen=True)
class Branches:
    """A network told what to draw and, at the same time, what to keep away from."""

    positive: Predict
    both: Callable[[Tensor, int], tuple[Tensor, Tensor]]  # the positive and the negative prediction

    @classmethod
    def in_two_passes(cls, positive: Predict, negative: Predict) -> "Branches":
        """One pass after the other, as the original does: bit for bit what each gives alone."""
        return cls(positive, lambda x, timestep: (positive(x, timestep), negative(x, timestep)))

    @classmethod
    def in_one_batch(cls, positive: Predict, joined: Predict) -> "Branches":
        """Both as one batch, half the kernels; `joined` is told all positive conditions, then all negative ones."""
        return cls(positive, lambda x, timestep: tuple(joined(torch.cat([x, x]), timestep).chunk(2)))


def guided(branches: Branches, scale: float) -> Predict:
    """negative + scale * (positive - negative); at scale 1 that is the positive prediction, and costs no more."""
    if scale == 1:
        return branches.positive

    def predict(x: Tensor, timestep: int) -> Tensor:
        toward, away = branches.both(x, timestep)
        return away + scale * (toward - away)

    return predict


def rescaled_guidance(branches: Branches, scale: float, rescale: float = 0.7) -> Predict:
    """Guidance that keeps most of the positive prediction's contrast: Lin et al. 2023, equations 15 and 16.

    r * v * std(v_positive) / std(v) + (1 - r) * v, with one standard deviation for each sample.  At scale 1 that is the
    positive prediction, and costs no more.
    """
    if scale == 1:
        return branches.positive

    def predict(x: Tensor, timestep: int) -> Tensor:
        toward, away = branches.both(x, timestep)
        v = away + scale * (toward - away)
        axes = tuple(range(1, v.ndim))
        contrast = toward.std(dim=axes, keepdim=True) / v.std(dim=axes, keepdim=True)
        return rescale * (v * contrast) + (1 - rescale) * v

    return predict


def guided_within(lowest: int, highest: int, guided: Predict, plain: Predict) -> Predict:
    """Guidance at timesteps `lowest` to `highest` alone, an approximation (Kynkaanniemi et al. 2024)."""
    return lambda x, timestep: (guided if lowest <= timestep <= highest else plain)(x, timestep)
