"""Noise schedules of both stages, and the timesteps at which their samplers stop.

Betas are summed up in float64 and kept in float32, as the published networks were trained.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

TIMESTEPS = 1000


def alphas_cumprod(betas: Tensor) -> Tensor:
    """The kept signal power after each timestep, prod(1 - beta) (Ho et al. 2020); float64 (1000,)."""
    return torch.cumprod(1 - betas, dim=0)


# Stage 1: keyframes


def keyframe_sigmas() -> Tensor:
    """Noise over signal at each of the 1000 timesteps, sqrt((1 - a) / a); float32, rising.

    Betas are linear from 0.00085 to 0.020: unlike Stable Diffusion's own they reach almost pure noise (sigma 190).
    """
    a = alphas_cumprod(torch.linspace(0.00085, 0.020, TIMESTEPS, dtype=torch.float64)).float()
    return ((1 - a) / a).sqrt()


def karras_sigmas(sigmas: Tensor, sampling_steps: int, rho: float = 7.0) -> Tensor:
    """sampling_steps falling noise levels between the largest and the smallest of `sigmas`, then 0; float32.

    Evenly spaced in sigma^(1/rho): Karras et al. 2022, equation 5.
    """
    low, high = sigmas[0] ** (1 / rho), sigmas[-1] ** (1 / rho)
    ramp = torch.linspace(0, 1, sampling_steps)
    return torch.cat([(high + ramp * (low - high)) ** rho, torch.zeros(1)])


def timestep_of_sigma(sigmas: Tensor, sigma: float) -> int:
    """The timestep whose log sigma lies nearest."""
    return int((sigmas.log() - torch.tensor(sigma).log()).abs().argmin())


# Stage 2: segments


def video_alphas_cumprod() -> Tensor:
    """The kept signal power at each timestep, ending in exactly zero signal; float32 (1000,).

    Stable Diffusion's scaled-linear betas, rescaled to zero terminal SNR: Lin et al. 2023, algorithm 1.
    """
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, TIMESTEPS, dtype=torch.float64) ** 2
    root = alphas_cumprod(betas).sqrt()
    root = (root - root[-1]) * (root[0] / (root[0] - root[-1]))
    return (root**2).float()


def x0_scales() -> Tensor:
    """What the clean latents were multiplied by at each timestep in training; float32 (1000,).

    From 1 down to 0.7 over the first 400 timesteps, then 0.7: the dynamic rescale of DynamiCrafter (Xing et al. 2023).
    """
    return torch.cat([torch.linspace(1.0, 0.7, 400), torch.full((TIMESTEPS - 400,), 0.7)])


def trailing_timesteps(sampling_steps: int) -> list[int]:
    """Falling timesteps that begin at the last one, 999: "trailing" in Lin et al. 2023, table 2."""
    positions = TIMESTEPS - np.arange(sampling_steps) * TIMESTEPS / sampling_steps
    return [int(t) for t in positions.round() - 1]


@dataclass(frozen=True)
class VideoStep:
    """One step of the stage-2 sampler, as plain numbers: x <- sqrt(a_previous) x0 + direction e + sigma noise."""

    timestep: int
    a: float  # kept signal power here
    a_previous: float  # and where the step leads
    x0_ratio: float  # x0 scale there over x0 scale here
    sigma: float  # fresh noise
    direction: float  # of the predicted noise e


def video_steps(sampling_steps: int) -> list[VideoStep]:
    """The steps of a stage-2 run with eta 1 (Song et al. 2020, equations 12 and 16), from noise to picture.

    sigma^2 = (1 - a_previous) / (1 - a) * (1 - a / a_previous); direction^2 = 1 - a_previous - sigma^2.
    The last step leads to timestep 0, not to a clean picture, so that it still adds a little noise.
    """
    alphas, scales, timesteps = video_alphas_cumprod().numpy(), x0_scales().tolist(), trailing_timesteps(sampling_steps)
    steps = []
    for t, previous in zip(timesteps, [*timesteps[1:], 0], strict=True):
        a, a_previous = alphas[t], alphas[previous]
        sigma = np.sqrt((1 - a_previous) / (1 - a) * (1 - a / a_previous))
        # In float32, as the original: where a is 0 this is 0 but for the rounding, and its root (0.00024) shows in the
        # video.  Where the rounding falls below 0 the original's root is NaN and its video black.
        direction = np.sqrt(np.maximum(1 - a_previous - sigma**2, 0))
        numbers = (float(x) for x in (a, a_previous, scales[previous] / scales[t], sigma, direction))
        steps.append(VideoStep(t, *numbers))
    return steps
