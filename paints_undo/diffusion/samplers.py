"""The two samplers: pure loops from noise to clean latents."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from paints_undo.diffusion.schedules import VideoStep

DenoiseKeyframes = Callable[[Tensor, float], Tensor]  # noisy latents, sigma -> clean latents
DenoiseSegment = Callable[[Tensor, int, float], tuple[Tensor, Tensor]]  # ..., timestep, a -> clean latents and noise
# (sampling steps done, sampling steps in all, the clean latents as they are seen so far); raising ends the run
OnStep = Callable[[int, int, Tensor], None]
DrawNoise = Callable[[], Tensor]  # fresh noise of the latents' shape, dtype and device


@dataclass
class Partway:
    """How far a sample has come after some steps of dpm_solver_2m: all it takes to go on as if it had not stopped."""

    done: int = 0
    x: Tensor | None = None
    x0_before: Tensor | None = None


def dpm_solver_2m(
    denoise: DenoiseKeyframes,
    noise: Tensor,
    sigmas: Sequence[float],
    on_step: OnStep,
    partway: Partway | None = None,
) -> Tensor:
    """DPM-Solver++(2M): Lu et al. 2022, algorithm 2, in the time -log(sigma).

    noise (b, ...) of unit variance; sigmas falling, the last one 0. The first step and the step to 0 are of first
    order. No noise is added on the way, so each sample depends on its own noise alone. partway: kept up to date before
    each on_step; given again, with the same sigmas, the steps in it are not repeated, and the result is the same.
    """
    at = partway or Partway()
    x, x0_before = (noise * sigmas[0], None) if at.x is None else (at.x, at.x0_before)
    count = len(sigmas) - 1
    for i in range(at.done, count):
        x0 = denoise(x, sigmas[i])
        x = dpm_solver_2m_step(x, x0, x0_before, sigmas, i)
        x0_before = x0
        at.done, at.x, at.x0_before = i + 1, x, x0_before
        on_step(i + 1, count, x0)
    return x


def dpm_solver_2m_step(x: Tensor, x0: Tensor, x0_before: Tensor | None, sigmas: Sequence[float], i: int) -> Tensor:
    """x at sigmas[i + 1] from x at sigmas[i], with the clean latents seen there, and one step before unless first."""
    sigma, sigma_next = sigmas[i], sigmas[i + 1]
    if sigma_next == 0:
        return x0
    h = math.log(sigma / sigma_next)
    slope = x0
    if x0_before is not None:
        half_ratio = h / (2 * math.log(sigmas[i - 1] / sigma))
        slope = (1 + half_ratio) * x0 - half_ratio * x0_before
    return (sigma_next / sigma) * x - math.expm1(-h) * slope


def ddim(
    denoise: DenoiseSegment, noise: Tensor, steps: Sequence[VideoStep], draw_noise: DrawNoise, on_step: OnStep
) -> Tensor:
    """DDIM (Song et al. 2020, equation 12) on v-prediction with rescaled x0.

    noise (b, ...) of unit variance. Every step adds fresh noise, the last one too.
    """
    x = noise
    for done, step in enumerate(steps, start=1):
        x0, e = denoise(x, step.timestep, step.a)
        x0 = x0 * step.x0_ratio
        x = ddim_step(x0, e, step, draw_noise())
        on_step(done, len(steps), x0)
    return x


def ddim_step(x0: Tensor, e: Tensor, step: VideoStep, noise: Tensor) -> Tensor:
    """Where a step leads, from the clean latents in the scale of that place, the noise seen and fresh noise."""
    return step.a_previous**0.5 * x0 + step.direction * e + step.sigma * noise


def draw_normal(shape: Sequence[int], generator: torch.Generator, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Standard normal noise, drawn where the generator lives and handed to `device` in `dtype`.

    On a CPU it is drawn in float32 whatever the dtype, so that every device and number format starts from the same.
    """
    drawn_as = torch.float32 if generator.device.type == "cpu" else dtype
    noise = torch.randn(tuple(shape), generator=generator, dtype=drawn_as, device=generator.device)
    return noise.to(device, dtype)
