"""The schedules of both stages are the recorded ones."""

import math

import pytest
import torch
from reference import recorded

from paints_undo.diffusion.schedules import (
    karras_sigmas,
    keyframe_sigmas,
    timestep_of_sigma,
    trailing_timesteps,
    video_alphas_cumprod,
    video_steps,
    x0_scales,
)


def test_keyframe_schedule():
    reference, sigmas = recorded("keyframe_sampler"), keyframe_sigmas()
    torch.testing.assert_close(sigmas, reference.outputs["model_sigmas"], rtol=1e-6, atol=0)
    for steps, name in ((50, "sigmas_50"), (reference.spec["steps"], "sigmas_this")):
        torch.testing.assert_close(karras_sigmas(sigmas, steps), reference.outputs[name], rtol=1e-5, atol=0)
    found = [timestep_of_sigma(sigmas, sigma) for sigma in karras_sigmas(sigmas, 50)[:-1].tolist()]
    assert found == reference.outputs["timesteps_50"].tolist()


def test_one_sampling_step_starts_from_the_most_noise():
    sigmas = keyframe_sigmas()
    assert karras_sigmas(sigmas, 1).tolist() == pytest.approx([sigmas[-1].item(), 0])


def test_video_schedule():
    reference = recorded("video_sampler")
    alphas = video_alphas_cumprod()
    torch.testing.assert_close(alphas, reference.outputs["alphas_cumprod"], rtol=1e-6, atol=0)
    assert alphas[-1] == 0
    torch.testing.assert_close(x0_scales(), reference.outputs["scale_arr"], rtol=2e-7, atol=0)
    for steps, name in ((50, "timesteps_50"), (reference.spec["steps"], "timesteps_this")):
        assert trailing_timesteps(steps)[::-1] == reference.outputs[name].tolist()


@pytest.mark.parametrize("sampling_steps", range(1, 101))
def test_every_count_of_sampling_steps_works(sampling_steps):
    steps = video_steps(sampling_steps)
    timesteps = [step.timestep for step in steps]
    assert len(steps) == sampling_steps and timesteps[0] == 999
    assert timesteps == sorted(set(timesteps), reverse=True) and timesteps[-1] >= 0
    for step in steps:
        assert all(math.isfinite(value) for value in (step.sigma, step.direction, step.x0_ratio))
        # the variances of clean latents, direction and fresh noise make up that of the next state
        total = step.a_previous + step.direction**2 + step.sigma**2
        assert total == pytest.approx(1, abs=1e-6)


def test_last_step_still_adds_noise():
    last = video_steps(50)[-1]
    assert last.a_previous == pytest.approx(video_alphas_cumprod()[0].item()) and last.sigma > 0.02
