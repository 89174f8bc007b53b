"""Both samplers, with guidance and the reference networks, end in the recorded latents."""

from functools import partial

import pytest
import torch
from reference import SAMPLER, deviation, recorded
from reference_fill import fill

from paints_undo.diffusion.denoisers import KeyframeDenoiser, SegmentDenoiser
from paints_undo.diffusion.guidance import Branches, guided, rescaled_guidance
from paints_undo.diffusion.samplers import Partway, ddim, dpm_solver_2m, draw_normal
from paints_undo.diffusion.schedules import karras_sigmas, keyframe_sigmas, video_steps
from paints_undo.errors import Cancelled
from paints_undo.models.keyframe_unet import KeyframeUNet
from paints_undo.models.video_unet import VideoUNet
from paints_undo.models.video_unet_config import VideoUNetConfig

CPU = torch.device("cpu")


def nothing(done, total, clean):
    pass


def half(x, timestep):
    return x * 0.5


@torch.inference_mode()
def test_keyframe_sampler():
    reference = recorded("keyframe_sampler")
    spec, inputs = reference.spec, reference.inputs
    unet, steps = fill(KeyframeUNet(**spec["config"]).eval()), torch.tensor(spec["operation_steps"])

    def told(text):
        return lambda x, timestep: unet(x, torch.tensor(timestep), text, inputs["concat_conds"], steps)

    generator, seen = torch.Generator().manual_seed(spec["seed"]), []
    noise = draw_normal(inputs["concat_conds"].shape, generator, torch.float32, CPU).repeat(3, 1, 1, 1)
    sigmas = karras_sigmas(keyframe_sigmas(), spec["steps"]).tolist()
    branches = Branches.in_two_passes(told(inputs["prompt_embeds"]), told(inputs["negative_prompt_embeds"]))
    predict = guided(branches, spec["cfg_scale"])
    latents = dpm_solver_2m(
        partial(KeyframeDenoiser(), predict), noise, sigmas, lambda *progress: seen.append(progress)
    )
    assert deviation(latents, reference.outputs["latents"]) < SAMPLER
    assert [progress[:2] for progress in seen] == [(done, 6) for done in range(1, 7)]
    assert torch.equal(seen[-1][2], latents)  # the last clean latents that were seen are the result


@torch.inference_mode()
def test_video_sampler():
    reference = recorded("video_sampler")
    spec, inputs = reference.spec, reference.inputs
    unet, stride = fill(VideoUNet(VideoUNetConfig(**reference.config)).eval()), torch.tensor([spec["fs"]])

    def told(branch):
        text, image = inputs[f"{branch}_text"], inputs[f"{branch}_image"]
        return lambda x, t: unet(x, torch.tensor([t]), text, image, inputs["concat_cond"], stride)

    generator = torch.Generator().manual_seed(spec["seed"])

    def draw_noise():
        return draw_normal(spec["shape"], generator, torch.float32, CPU)

    branches = Branches.in_two_passes(told("positive"), told("negative"))
    predict = rescaled_guidance(branches, spec["cfg_scale"])
    latents = ddim(partial(SegmentDenoiser(), predict), draw_noise(), video_steps(spec["steps"]), draw_noise, nothing)
    assert deviation(latents, reference.outputs["latents"]) < SAMPLER


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("sampling_steps", range(1, 101))
def test_every_count_of_sampling_steps_is_finite(sampling_steps, dtype):
    generator = torch.Generator().manual_seed(0)

    def draw_noise():
        return torch.randn(1, 4, 2, 3, 3, generator=generator).to(dtype)

    video = ddim(partial(SegmentDenoiser(), half), draw_noise(), video_steps(sampling_steps), draw_noise, nothing)
    assert video.dtype == dtype and video.isfinite().all()
    sigmas = karras_sigmas(keyframe_sigmas(), sampling_steps).tolist()
    keyframe = dpm_solver_2m(partial(KeyframeDenoiser(), half), draw_noise(), sigmas, nothing)
    assert keyframe.dtype == dtype and keyframe.isfinite().all()


def test_a_perfect_denoiser_finds_the_picture():
    picture = torch.linspace(-1, 1, 24).reshape(1, 4, 2, 3)
    sigmas = karras_sigmas(keyframe_sigmas(), 10).tolist()
    levels = iter(sigmas)

    def predict(x, timestep):  # x arrives as (picture + sigma e) / sqrt(sigma^2 + 1)
        sigma = next(levels)
        return (x * (sigma**2 + 1) ** 0.5 - picture) / sigma

    noise = torch.randn(1, 4, 2, 3, generator=torch.Generator().manual_seed(1))
    found = dpm_solver_2m(partial(KeyframeDenoiser(), predict), noise, sigmas, nothing)
    torch.testing.assert_close(found, picture, rtol=0, atol=1e-3)


def test_raising_from_on_step_ends_the_run():
    def stop(done, total, clean):
        if done == 2:
            raise Cancelled

    calls = []
    with pytest.raises(Cancelled):
        dpm_solver_2m(
            lambda x, t: calls.append(t) or x, torch.zeros(1), karras_sigmas(keyframe_sigmas(), 9).tolist(), stop
        )
    assert len(calls) == 2


@pytest.mark.parametrize("stopped_after", range(1, 7))
def test_a_stopped_sample_goes_on_to_the_same_latents(stopped_after):
    sigmas, noise = karras_sigmas(keyframe_sigmas(), 6).tolist(), torch.randn(2, 4, 3, 3)
    calls, partway = [], Partway()

    def denoise(x, sigma):
        calls.append(sigma)
        return torch.tanh(x / (sigma + 0.3))

    def stop(done, total, clean):
        if done == stopped_after:
            raise Cancelled

    whole = dpm_solver_2m(denoise, noise, sigmas, nothing)
    calls.clear()
    with pytest.raises(Cancelled):
        dpm_solver_2m(denoise, noise, sigmas, stop, partway)
    assert torch.equal(dpm_solver_2m(denoise, noise, sigmas, nothing, partway), whole)
    assert calls == sigmas[:6], "every step was taken once"


def test_noise_is_drawn_where_the_generator_lives():
    once = draw_normal((2, 3), torch.Generator().manual_seed(5), torch.float32, CPU)
    assert torch.equal(once, torch.randn(2, 3, generator=torch.Generator().manual_seed(5)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_noise_from_the_cpu_is_the_same_in_every_number_format(dtype):
    wide, narrow = (draw_normal((64,), torch.Generator().manual_seed(5), d, CPU) for d in (torch.float32, dtype))
    assert narrow.dtype == dtype and torch.equal(narrow, wide.to(dtype))
