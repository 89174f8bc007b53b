"""The samplers of both stages as schedulers of diffusers, and what another scheduler needs to work with the networks.

A scheduler of diffusers made with X.from_config(pipeline.scheduler.config) has the noise levels and the kind of
prediction that the networks were trained with.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from diffusers import ConfigMixin, SchedulerMixin
from diffusers.configuration_utils import register_to_config
from diffusers.schedulers.scheduling_ddim import DDIMSchedulerOutput
from diffusers.schedulers.scheduling_utils import KarrasDiffusionSchedulers
from torch import Tensor

from paints_undo.diffusers_pipelines.values import Generators
from paints_undo.diffusion.denoisers import KeyframeDenoiser, SegmentDenoiser, size_of
from paints_undo.diffusion.guidance import Predict
from paints_undo.diffusion.samplers import ddim_step, dpm_solver_2m_step, draw_normal
from paints_undo.diffusion.schedules import (
    TIMESTEPS,
    karras_sigmas,
    timestep_of_sigma,
    video_alphas_cumprod,
    video_steps,
    x0_scales,
)
from paints_undo.errors import InputError

ALMOST_NO_SIGNAL = 2.0**-24  # in place of none, with which most schedulers would divide by zero
TRAINING = {"num_train_timesteps", "beta_start", "beta_end", "beta_schedule", "trained_betas", "prediction_type"}


class _OwnScheduler(SchedulerMixin, ConfigMixin):
    _compatibles = [each.name for each in KarrasDiffusionSchedulers if each.name != "EDMEulerScheduler"]  # no betas
    order = 1
    init_noise_sigma = 1.0
    timesteps: Tensor

    def _tell(self, **values: Any) -> None:
        """Have from_config of another class take every value, those by default, too."""
        self.register_to_config(_use_default_values=[], **values)

    def _begin(self, timesteps: Sequence[int], device: torch.device | str | None) -> None:
        self.num_inference_steps = len(timesteps)
        self.timesteps = torch.tensor(timesteps, device=device)
        self._done = 0

    def check(self, other: Any) -> None:
        """Raises InputError unless another scheduler is for networks trained as those of this one."""
        if not isinstance(other, type(self)) and not hasattr(other, "alphas_cumprod"):
            some = ", ".join(self._compatibles)
            raise InputError(f"the scheduler {type(other).__name__} is not for these networks; use one of {some}")
        for name in TRAINING & self.config.keys():
            wanted, found = (getattr(each, "config", {}).get(name) for each in (self, other))
            if found != wanted:
                named = "" if name == "trained_betas" else f", and not {found!r}"
                raise InputError(
                    f"the scheduler {type(other).__name__} is not for networks trained with {name} {wanted!r:.20}"
                    f"{named}; make it with {type(other).__name__}.from_config(pipeline.scheduler.config)"
                )


class KeyframeScheduler(_OwnScheduler):
    """DPM-Solver++(2M) at Karras' noise levels: bit for bit the sampler of PaintsUndo.draw_keyframes.

    prediction_type: "epsilon" or "v_prediction".  Every other value says how the networks were trained, or what comes
    nearest in another scheduler; here it changes nothing.  Latents are clean + sigma * noise, sigma 190 to 0.03.
    """

    @register_to_config
    def __init__(
        self,
        prediction_type: str = "epsilon",
        num_train_timesteps: int = TIMESTEPS,
        beta_start: float = 0.00085,
        beta_end: float = 0.020,
        beta_schedule: str = "linear",
        trained_betas: list[float] | None = None,
        use_karras_sigmas: bool = True,
        timestep_spacing: str = "linspace",
        clip_sample: bool = False,
    ) -> None:
        self._tell()
        self.denoiser = KeyframeDenoiser(prediction_type)

    def set_timesteps(self, num_inference_steps: int, device: torch.device | str | None = None) -> None:
        """Begin anew, with as many sampling steps, 1 or more."""
        every = self.denoiser.sigmas
        self.sigmas = karras_sigmas(every, num_inference_steps).tolist()
        self.init_noise_sigma = self.sigmas[0]
        self._begin([timestep_of_sigma(every, sigma) for sigma in self.sigmas[:-1]], device)
        self._x0_before: Tensor | None = None

    def scale_model_input(self, sample: Tensor, timestep: Any = None) -> Tensor:
        """What the network reads of latents: their variance is 1."""
        return sample / size_of(self.sigmas[self._done])

    def step(self, model_output: Tensor, timestep: Any, sample: Tensor, return_dict: bool = True) -> Any:
        """The latents after this step, and the clean ones seen in it, (b, 4, h, w) all of them."""
        x0 = self.denoiser.clean(sample, self.sigmas[self._done], model_output)
        x = dpm_solver_2m_step(sample, x0, self._x0_before, self.sigmas, self._done)
        self._done, self._x0_before = self._done + 1, x0
        return DDIMSchedulerOutput(x, x0) if return_dict else (x, x0)


def rescaled_betas() -> list[float]:
    """Betas that come to the process in which the segments' networks were trained, the scale of x0 included.

    x = sqrt(a) s x0 + sqrt(1 - a) e, divided by its standard deviation for x0 of variance 1, keeps the signal power
    s^2 a / (s^2 a + 1 - a).
    """
    a, s = video_alphas_cumprod().double().numpy(), x0_scales().double().numpy()
    kept = np.maximum(s**2 * a / (s**2 * a + 1 - a), ALMOST_NO_SIGNAL)
    return (1 - kept / np.concatenate([[1], kept[:-1]])).tolist()


class SegmentScheduler(_OwnScheduler):
    """DDIM with eta 1 and the dynamic rescale of x0: bit for bit the sampler of PaintsUndo.fill_segment.

    Every value says how the networks were trained, or what comes nearest in another scheduler; here it changes nothing.
    """

    @register_to_config
    def __init__(
        self,
        prediction_type: str = "v_prediction",
        num_train_timesteps: int = TIMESTEPS,
        trained_betas: list[float] | None = None,
        timestep_spacing: str = "trailing",
        clip_sample: bool = False,
    ) -> None:
        self._tell(trained_betas=rescaled_betas())
        self.denoiser = SegmentDenoiser()

    def set_timesteps(self, num_inference_steps: int, device: torch.device | str | None = None) -> None:
        """Begin anew, with as many sampling steps, 1 or more."""
        self._steps = video_steps(num_inference_steps)
        self._begin([step.timestep for step in self._steps], device)

    def scale_model_input(self, sample: Tensor, timestep: Any = None) -> Tensor:
        """The latents as they are."""
        return sample

    def step(
        self,
        model_output: Tensor,
        timestep: Any,
        sample: Tensor,
        generator: Generators = None,
        return_dict: bool = True,
    ) -> Any:
        """The latents after this step, and the clean ones seen in it, (b, 4, 16, h, w) all of them.

        generator: for the noise that every step adds; one, or one for each of b.
        """
        step = self._steps[self._done]
        x0, e = self.denoiser.clean(sample, step.a, model_output)
        x0 = x0 * step.x0_ratio
        x = ddim_step(x0, e, step, draw_noise(sample, generator))
        self._done += 1
        return DDIMSchedulerOutput(x, x0) if return_dict else (x, x0)


def draw_noise(like: Tensor, generator: Generators) -> Tensor:
    """Standard normal noise like latents (b, ...), one of b after the other, each from its own generator if many."""
    some = generator if isinstance(generator, Sequence) else [generator or torch.default_generator] * len(like)
    return torch.cat([draw_normal((1, *like.shape[1:]), each, like.dtype, like.device) for each in some])


class Rescaled:
    """The segments' networks as a scheduler of diffusers for `rescaled_betas` sees them; exact for every prediction."""

    def __init__(self, predict: Predict) -> None:
        self.predict = predict
        a, s = video_alphas_cumprod().double(), x0_scales().double()
        self.a, self.s, self.size = a.tolist(), s.tolist(), (s**2 * a + 1 - a).sqrt().tolist()

    def __call__(self, x: Tensor, timestep: Any) -> Tensor:
        """v of x = sqrt(kept) x0 + sqrt(1 - kept) e, whose x0 has one scale at all timesteps."""
        t = round(float(timestep))
        a, s, size = self.a[t], self.s[t], self.size[t]
        read = x * size
        v = self.predict(read, timestep)
        x0 = (a**0.5 * read - (1 - a) ** 0.5 * v) / s
        e = a**0.5 * v + (1 - a) ** 0.5 * read
        return (s * a**0.5 * e - (1 - a) ** 0.5 * x0) / size
