"""From a network's raw prediction to the clean latents, and the loss that trains the same prediction."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional as F

from paints_undo.diffusion.guidance import Predict
from paints_undo.diffusion.schedules import keyframe_sigmas, timestep_of_sigma, video_alphas_cumprod, x0_scales

# In training each sample has its own timestep: (noisy latents (b, ...), timesteps (b,)) -> raw prediction
PredictBatch = Callable[[Tensor, Tensor], Tensor]


def along_batch(values: Tensor, like: Tensor) -> Tensor:
    """(b,) -> (b, 1, 1, ...) with the axes of `like`."""
    return values.to(like).reshape(-1, *[1] * (like.ndim - 1))


def size_of(sigma: float) -> float:
    """The standard deviation of latents of unit variance with as much noise."""
    return (sigma**2 + 1) ** 0.5


PREDICTIONS = ("epsilon", "v_prediction")


@dataclass(frozen=True)
class KeyframeDenoiser:
    """Stage 1: clean latents x0 in x = x0 + sigma e, from what the network predicts.

    The network reads x / sqrt(sigma^2 + 1), of unit variance, and predicts, as the family was trained,
    "epsilon": the noise e (the published networks; Ho et al. 2020), or
    "v_prediction": v = (e - sigma x0) / sqrt(sigma^2 + 1) (Salimans and Ho 2022), easier for small networks.
    """

    prediction: str = "epsilon"

    def __post_init__(self) -> None:
        if self.prediction not in PREDICTIONS:
            raise ValueError(f"keyframe prediction is {self.prediction!r}; use one of {', '.join(PREDICTIONS)}")

    @cached_property
    def sigmas(self) -> Tensor:
        return keyframe_sigmas()

    def __call__(self, predict: Predict, x: Tensor, sigma: float) -> Tensor:
        """The clean latents in the noisy latents x."""
        return self.clean(x, sigma, predict(x / size_of(sigma), timestep_of_sigma(self.sigmas, sigma)))

    def clean(self, x: Tensor, sigma: float, predicted: Tensor) -> Tensor:
        """The clean latents in x, by what was predicted there."""
        size = size_of(sigma)
        if self.prediction == "epsilon":
            return x - sigma * predicted
        return x / size**2 - (sigma / size) * predicted

    def loss(self, predict: PredictBatch, x0: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Mean squared error of the prediction for each sample, (b,); timesteps (b,) 0..999."""
        sigma = along_batch(self.sigmas[timesteps.cpu()], x0)
        size = (sigma**2 + 1).sqrt()
        target = noise if self.prediction == "epsilon" else (noise - sigma * x0) / size
        return squared_error(predict((x0 + sigma * noise) / size, timesteps), target)


class SegmentDenoiser:
    """Stage 2: the network predicts v = sqrt(a) e - sqrt(1 - a) x0 (Salimans and Ho 2022) in
    x = sqrt(a) x0 + sqrt(1 - a) e, with x0 scaled by the timestep's x0 scale."""

    @cached_property
    def alphas(self) -> Tensor:
        return video_alphas_cumprod()

    @cached_property
    def scales(self) -> Tensor:
        return x0_scales()

    def __call__(self, predict: Predict, x: Tensor, timestep: int, a: float) -> tuple[Tensor, Tensor]:
        """The clean latents x0 (scaled for this timestep) and the noise e in the noisy latents x."""
        return self.clean(x, a, predict(x, timestep))

    def clean(self, x: Tensor, a: float, v: Tensor) -> tuple[Tensor, Tensor]:
        """The same by the v that was predicted there."""
        return a**0.5 * x - (1 - a) ** 0.5 * v, a**0.5 * v + (1 - a) ** 0.5 * x

    def loss(self, predict: PredictBatch, x0: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Mean squared error of the predicted v for each sample, (b,); timesteps (b,) 0..999."""
        a, scale = (along_batch(values[timesteps.cpu()], x0) for values in (self.alphas, self.scales))
        x0 = scale * x0
        x = a.sqrt() * x0 + (1 - a).sqrt() * noise
        v = a.sqrt() * noise - (1 - a).sqrt() * x0
        return squared_error(predict(x, timesteps), v)


def squared_error(found: Tensor, wanted: Tensor) -> Tensor:
    """The mean over all axes but the batch, (b,)."""
    return F.mse_loss(found.float(), wanted.float(), reduction="none").flatten(1).mean(1)


def training_noise(latents: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noise like `latents` and a timestep 0..999 for each of them."""
    noise = torch.randn(latents.shape, generator=generator, device=generator.device).to(latents)
    return noise, torch.randint(0, 1000, latents.shape[:1], generator=generator, device=generator.device)
