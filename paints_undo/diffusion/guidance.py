"""Classifier-free guidance (Ho and Salimans 2022), wrapped around a network's raw prediction."""

from collections.abc import Callable

from torch import Tensor

# (noisy latents (b, ...), timestep) -> raw prediction (b, ...): a network with all its other conditions bound
Predict = Callable[[Tensor, int], Tensor]


def guided(positive: Predict, negative: Predict, scale: float) -> Predict:
    """negative + scale * (positive - negative); at scale 1 that is the positive prediction, and costs no more."""
    if scale == 1:
        return positive

    def predict(x: Tensor, timestep: int) -> Tensor:
        toward, away = positive(x, timestep), negative(x, timestep)
        return away + scale * (toward - away)

    return predict


def rescaled_guidance(positive: Predict, negative: Predict, scale: float, rescale: float = 0.7) -> Predict:
    """Guidance that keeps most of the positive prediction's contrast: Lin et al. 2023, equations 15 and 16.

    r * v * std(v_positive) / std(v) + (1 - r) * v, with one standard deviation for each sample.  At scale 1 that is the
    positive prediction, and costs no more.
    """
    if scale == 1:
        return positive

    def predict(x: Tensor, timestep: int) -> Tensor:
        toward, away = positive(x, timestep), negative(x, timestep)
        v = away + scale * (toward - away)
        axes = tuple(range(1, v.ndim))
        contrast = toward.std(dim=axes, keepdim=True) / v.std(dim=axes, keepdim=True)
        return rescale * (v * contrast) + (1 - rescale) * v

    return predict
