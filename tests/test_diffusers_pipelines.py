"""The pipelines of diffusers: diffusers' conventions, and the same pictures as PaintsUndo."""

import diffusers
import numpy as np
import pytest
import torch
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback, SDCFGCutoffCallback, SDXLCFGCutoffCallback
from PIL import Image
from pretended_device import pretended_device

from paints_undo import InputError, KeyframeOptions, PaintsUndo, SegmentOptions
from paints_undo.diffusers_pipelines import KeyframePipeline, SegmentPipeline
from paints_undo.diffusion.schedules import video_alphas_cumprod, x0_scales
from paints_undo.models.keyframe_unet import KeyframeUNet
from paints_undo.models.video_unet import VideoUNet

DRAWING = {"operation_steps": [400, 800], "width": 96, "height": 64, "num_inference_steps": 3}


@pytest.fixture(scope="module")
def artwork():
    return np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)


@pytest.fixture(scope="module")
def drawing(tiny_family):
    return quiet(KeyframePipeline.from_pretrained(tiny_family).to("cpu"))


@pytest.fixture(scope="module")
def filling(tiny_family):
    return quiet(SegmentPipeline.from_pretrained(tiny_family))


@pytest.fixture(scope="module")
def engine(tiny_family, one_core):
    return PaintsUndo.load(tiny_family, device="cpu")


def quiet(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def seeded(seed=7):
    return torch.Generator().manual_seed(seed)


def as_bytes(images):
    return np.stack([np.asarray(image) for image in images])


def latents_of(pipeline, image, *words, **options):
    """What a pipeline of stage 1 draws of an artwork, as latents, in one step unless told otherwise."""
    given = {**DRAWING, "num_inference_steps": 1, "generator": seeded(), "output_type": "latent", "return_dict": False}
    return pipeline(image, *words, **given | options)[0]


def test_keyframes_are_those_of_paints_undo(drawing, engine, artwork):
    options = KeyframeOptions("1girl", operation_steps=[400, 800], width=96, height=64, sampling_steps=3, seed=7)
    expected = engine.draw_keyframes(artwork, options)
    drawn = drawing(artwork, "1girl", **DRAWING, guidance_scale=options.guidance_scale, generator=seeded()).images
    assert all(isinstance(image, Image.Image) for image in drawn)
    # a batch of two rounds otherwise than two of one, and pixels are truncated
    assert np.abs(as_bytes(drawn).astype(int) - expected).max() <= 1
    assert (as_bytes(drawn) != expected).mean() < 0.01
    alone = drawing(artwork, "1girl", **{**DRAWING, "operation_steps": [800]}, generator=seeded()).images
    assert np.array_equal(as_bytes(alone)[0], expected[1])


def test_segments_are_those_of_paints_undo(filling, engine, artwork):
    expected = engine.fill_segment(artwork, artwork[::-1], SegmentOptions("1girl", seed=7, sampling_steps=3))
    (frames,) = filling(
        Image.fromarray(artwork), artwork[::-1], "1girl", num_inference_steps=3, generator=seeded()
    ).frames
    assert len(frames) == 16 and np.array_equal(as_bytes(frames), expected)


def test_kinds_of_output(drawing, filling, artwork):
    given = {**DRAWING, "num_inference_steps": 1}
    array, tensor = (
        drawing(artwork, **given, generator=seeded(), return_dict=False, output_type=kind)[0] for kind in ("np", "pt")
    )
    assert array.shape == (2, 64, 96, 3) and array.dtype == np.float32 and 0 <= array.min() < array.max() <= 1
    assert tensor.shape == (2, 3, 64, 96) and np.array_equal(tensor.permute(0, 2, 3, 1).numpy(), array)
    assert latents_of(drawing, artwork).shape[:2] == (2, 4)
    # what one pipeline gives the other takes: tensors and arrays of the same pixels
    clips, frames, latents = (
        filling(first, tensor[1:], num_inference_steps=1, generator=seeded(), output_type=kind).frames
        for kind, first in (("pt", tensor[0]), ("np", array[0]), ("latent", tensor[0]))
    )
    assert clips.shape[:3] == (1, 16, 3) and np.array_equal(clips.permute(0, 1, 3, 4, 2).numpy(), frames)
    assert latents.shape[:3] == (1, 4, 16)


def test_generators_and_latents_decide(drawing, artwork):
    generator = seeded()
    first, second = (latents_of(drawing, artwork, generator=generator) for _ in range(2))
    assert not torch.equal(first, second)
    several = latents_of(drawing, artwork, generator=[seeded(7), seeded(8)])
    assert torch.equal(several[0], first[0]) and not torch.equal(several[1], first[1])
    swapped = latents_of(drawing, artwork, operation_steps=[800, 400], generator=[seeded(8), seeded(7)])
    assert torch.equal(swapped, several)  # a generator goes with its operation step
    height, width = (side // drawing.vae_scale_factor for side in (64, 96))
    noise = torch.randn(1, 4, height, width, generator=seeded()).expand(2, -1, -1, -1)
    assert torch.equal(latents_of(drawing, artwork, latents=noise), first)
    torch.manual_seed(7)
    assert torch.equal(latents_of(drawing, artwork, generator=None), first)  # it is torch's own then


def test_batches_are_what_each_of_them_is(drawing, filling, artwork):
    """Lists of pictures and of prompts, several of each, and embeddings in the place of prompts."""
    pictures, prompts = [artwork, artwork[::-1].copy()], ["1girl", "1boy"]
    together = latents_of(drawing, pictures, prompts, num_images_per_prompt=2, guidance_scale=2.0)
    assert len(together) == 8  # artworks x drawings x operation steps
    generator = seeded()
    for place, (picture, prompt) in enumerate(zip(pictures, prompts, strict=True)):
        for drawn in together[4 * place : 4 * place + 4].split(2):
            alone = latents_of(drawing, picture, prompt, guidance_scale=2.0, generator=generator)
            torch.testing.assert_close(drawn, alone, rtol=1e-3, atol=1e-3)
    embeds, negative = drawing.encode_prompt(prompts, negative_prompt="lowres")
    assert len(embeds) == len(negative) == 2
    encoded = {"prompt_embeds": embeds, "negative_prompt_embeds": negative, "guidance_scale": 2.0}
    words = latents_of(drawing, pictures, prompts, "lowres", guidance_scale=2.0)
    assert torch.equal(latents_of(drawing, pictures, **encoded), words)
    bare = quiet(KeyframePipeline(**{**drawing.components, "text_encoder": None}, **drawing.parameters))
    assert torch.equal(latents_of(bare, pictures, **encoded), words)
    with pytest.raises(InputError, match="has no text encoder; give the prompt and the negative prompt as embeddings"):
        latents_of(bare, pictures, guidance_scale=2.0)
    with pytest.raises(InputError, match="prompt has 2 entries where others have 3"):
        latents_of(drawing, [*pictures, artwork], prompts)
    given = {"num_inference_steps": 1, "output_type": "latent", "return_dict": False}
    clips = filling(pictures, pictures[::-1], prompts, **given, generator=[seeded(1), seeded(2)])[0]
    alone = filling(pictures[1], pictures[0], "1boy", **given, generator=seeded(2))[0]
    torch.testing.assert_close(clips[1:], alone, rtol=1e-3, atol=1e-3)
    twice = filling(
        pictures[1], pictures[0], "1boy", **given, num_videos_per_prompt=2, generator=[seeded(2), seeded(1)]
    )[0]
    torch.testing.assert_close(twice[:1], alone, rtol=1e-3, atol=1e-3)
    assert len(twice) == 2 and not torch.equal(*twice)


@pytest.mark.parametrize("stage", ["drawing", "filling"])
def test_callback_on_step_end(request, artwork, stage):
    pipeline, seen = request.getfixturevalue(stage), []

    def watch(pipe, step, timestep, tensors):
        assert pipe is pipeline and pipe.num_timesteps == 3
        seen.append((step, int(timestep), *(tensors[name].shape for name in ("latents", "denoised"))))
        return tensors

    pictures = [artwork] if stage == "drawing" else [artwork, artwork[::-1]]
    given = {**(DRAWING if stage == "drawing" else {"num_inference_steps": 3}), "output_type": "latent"}
    given |= {"return_dict": False, "callback_on_step_end_tensor_inputs": ["latents", "denoised"]}
    latents = pipeline(*pictures, **given, callback_on_step_end=watch)[0]
    steps, timesteps, *shapes = zip(*seen, strict=True)
    assert steps == (0, 1, 2) and {*shapes[0], *shapes[1]} == {latents.shape}
    assert timesteps[0] == 999 and [*timesteps] == sorted(timesteps, reverse=True)

    stopped_at = []

    def stop(pipe, step, timestep, tensors):
        stopped_at.append((step, tensors["denoised"]))
        pipe._interrupt = True

    stopped = pipeline(*pictures, **given, callback_on_step_end=stop)[0]
    assert [step for step, _ in stopped_at] == [0] and pipeline.interrupt and torch.equal(stopped, stopped_at[0][1])

    def replace(pipe, step, timestep, tensors):
        return {"latents": tensors["latents"] * 0 if step == 2 else latents}

    empty = pipeline(*pictures, **given, callback_on_step_end=replace)[0]
    assert not empty.any() and not pipeline.interrupt


def test_callbacks_of_diffusers(drawing, artwork):
    seen = []

    class Watch(PipelineCallback):
        tensor_inputs = ["prompt_embeds"]

        def callback_fn(self, pipeline, step_index, timesteps, callback_kwargs):
            seen.append((len(callback_kwargs["prompt_embeds"]), pipeline.guidance_scale))
            return callback_kwargs

    def drawn(prompt, on_step_end=None):
        return latents_of(
            drawing, artwork, prompt, num_inference_steps=3, guidance_scale=3.0, callback_on_step_end=on_step_end
        )

    def unguided(pipe, step, timestep, tensors):
        pipe._guidance_scale = 1.0

    cutoff = SDCFGCutoffCallback(cutoff_step_ratio=None, cutoff_step_index=0)
    cut = drawn("1girl", MultiPipelineCallbacks([Watch(), cutoff]))
    assert seen == [(2, 3.0), (1, 0.0), (1, 0.0)]
    assert torch.equal(cut, drawn("1girl", unguided)) and not torch.equal(cut, drawn("1girl"))
    with pytest.raises(InputError, match="left prompt_embeds of 1 rows at guidance scale 0; 2 prompts need 2, or 4"):
        drawn(["1girl", "1boy"], cutoff)
    with pytest.raises(InputError, match="names 'add_text_embeds'; these can be handed on: latents, prompt_embeds"):
        drawn("1girl", SDXLCFGCutoffCallback())


def test_another_scheduler(drawing, artwork):
    """The same solver of diffusers comes to the same keyframes; others come near, and go back to ours bit for bit."""

    def drawn(scheduler):
        pipeline = quiet(KeyframePipeline.from_pipe(drawing, scheduler=scheduler))
        return latents_of(pipeline, artwork, "1girl", operation_steps=[400], num_inference_steps=12)

    own = drawing.scheduler
    ours = drawn(own)
    for name, apart in (("DPMSolverMultistepScheduler", 1e-3), ("UniPCMultistepScheduler", 0.1)):
        other = getattr(diffusers, name).from_config(own.config)
        found = drawn(other)
        assert (found - ours).std() < apart * ours.std() and not torch.equal(found, ours)
    assert torch.equal(drawn(type(own).from_config(other.config)), ours)
    for wrong, said in (
        (diffusers.EulerDiscreteScheduler(), "trained with beta_.*EulerDiscreteScheduler.from_config"),
        (diffusers.FlowMatchEulerDiscreteScheduler(), "is not for these networks; use one of DDIMScheduler"),
    ):
        with pytest.raises(InputError, match=said):
            drawn(wrong)


@pytest.mark.parametrize("name", ["DDIM", "EulerAncestralDiscrete", "DPMSolverMultistep", "UniPCMultistep", None])
def test_schedulers_of_segments_are_exact(filling, artwork, name):
    """A network that knows the truth is followed to it: the dynamic rescale is translated, not left out."""
    a, s = video_alphas_cumprod(), x0_scales()
    truth = torch.randn(1, 4, 16, 1, 1, generator=seeded())

    class Knowing(VideoUNet):
        def forward(self, x, timesteps, *conditions):
            at, scale = (values[timesteps.long()].view(-1, 1, 1, 1, 1) for values in (a, s))
            noise = (x - at.sqrt() * scale * truth) / (1 - at).sqrt()
            return at.sqrt() * noise - (1 - at).sqrt() * scale * truth

    scheduler = filling.scheduler
    if name is not None:
        scheduler = getattr(diffusers, f"{name}Scheduler").from_config(scheduler.config)
    given = {**filling.components, "unet": Knowing(filling.unet.config), "scheduler": scheduler}
    pipeline = quiet(SegmentPipeline(**given, **filling.parameters))
    found = pipeline(artwork, artwork, num_inference_steps=8, generator=seeded(), output_type="latent").frames
    left = 0.15 if name is None else 1e-5  # the last step of ours adds a little noise, as the original's
    torch.testing.assert_close(found, truth.expand_as(found), rtol=0, atol=left)


def test_the_bar_counts_the_steps(drawing, artwork, capsys):
    drawing.set_progress_bar_config(disable=False, ncols=80)
    drawing(artwork, **DRAWING)
    drawing.set_progress_bar_config(disable=True)
    assert "3/3" in capsys.readouterr().err


def test_components_are_shared_or_of_ones_own(tiny_family, drawing, filling, artwork):
    expected = latents_of(drawing, artwork, guidance_scale=1.0)
    for twin in (
        KeyframePipeline(**drawing.components, **drawing.parameters),
        KeyframePipeline(**drawing.components, family=drawing.family),
        KeyframePipeline.from_pipe(drawing),
    ):
        assert twin.unet is drawing.unet and twin.device.type == "cpu" and twin.dtype == torch.float32
        assert torch.equal(latents_of(quiet(twin), artwork, guidance_scale=1.0), expected)
    with pytest.raises(InputError, match=r"needs family=; give \*\*pipeline.parameters"):
        KeyframePipeline(**drawing.components)
    with pytest.raises(InputError, match="SegmentPipeline shares no network with KeyframePipeline"):
        SegmentPipeline.from_pipe(drawing)
    assert SegmentPipeline.from_pipe(drawing, **filling.components).vae is filling.vae

    class Silent(KeyframeUNet):
        def forward(self, x, *conditions):
            return super().forward(x, *conditions) * 0

    unet = Silent.from_config(drawing.unet.config)
    unet.load_state_dict(drawing.unet.state_dict())
    pipeline = quiet(KeyframePipeline.from_pretrained(tiny_family, unet=unet, text_encoder=None))
    assert pipeline.text_encoder is None and pipeline.unet is unet
    embeds, nothing = drawing.encode_prompt("", do_classifier_free_guidance=False)
    assert nothing is None
    assert not torch.equal(latents_of(pipeline, artwork, prompt_embeds=embeds, guidance_scale=1.0), expected)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"output_type": "jpg"}, "output_type is 'jpg'; use one of pil, np, pt, latent"),
        ({"num_inference_steps": 0}, "sampling steps is 0"),
        ({"operation_steps": []}, "operation steps are empty"),
        ({"width": 97}, "width is 97"),
        ({"generator": [seeded()]}, "1 generators are given for 2 pictures"),
        ({"latents": torch.zeros(2, 4, 8, 8)}, r"latents are \(2, 4, 8, 8\), but must be \(2, 4, 8, 12\)"),
        ({"prompt_embeds": torch.zeros(1, 77)}, r"prompt_embeds are \(1, 77\); give \(prompts, tokens, width\)"),
        ({"prompt": "1girl", "prompt_embeds": torch.zeros(1, 77, 32)}, "prompt and prompt_embeds are given"),
        ({"num_images_per_prompt": 0}, "num_images_per_prompt is 0"),
        ({"image": np.full((64, 96, 3), np.nan)}, "not finite"),
    ],
)
def test_bad_input_is_one_sentence(drawing, artwork, changed, said):
    with pytest.raises(InputError, match=said):
        drawing(**{"image": artwork, **DRAWING, **changed})


@pytest.mark.parametrize("scheduler", ["own", "DDIMScheduler"])
@pytest.mark.parametrize("kind", [KeyframePipeline, SegmentPipeline])
def test_every_tensor_is_where_the_networks_are(tiny_family, artwork, kind, scheduler):
    pipeline = quiet(kind.from_pretrained(tiny_family))
    if scheduler != "own":
        pipeline.scheduler = getattr(diffusers, scheduler).from_config(pipeline.scheduler.config)
    pictures = {"image": [artwork, artwork[::-1].copy()], "prompt": ["1girl", "1boy"]}
    one_step = {"last_image": artwork, "num_inference_steps": 1}
    pictures |= {"operation_steps": [500], "num_inference_steps": 2} if kind is KeyframePipeline else one_step
    (expected,) = pipeline(**pictures, generator=seeded(), output_type="np", return_dict=False)
    with pretended_device() as device:
        for network in pipeline.components.values():
            if isinstance(network, torch.nn.Module):
                network.to(device)
        assert pipeline.device == device
        (found,) = pipeline(**pictures, generator=seeded(), output_type="np", return_dict=False)
    assert np.abs(found - expected).max() <= 1.1 / 255


@pytest.mark.gpu
def test_offloading_on_a_gpu(tiny_family, artwork):
    pictures = {}
    for name in ("whole", "offloaded"):
        pair = quiet(KeyframePipeline.from_pretrained(tiny_family)), quiet(SegmentPipeline.from_pretrained(tiny_family))
        for pipeline in pair:
            pipeline.enable_model_cpu_offload() if name == "offloaded" else pipeline.to("cuda")
        drawn = pair[0](artwork, **DRAWING, generator=seeded()).images
        frames = pair[1](artwork, drawn[0], num_inference_steps=2, generator=seeded()).frames[0]
        assert pair[1].unet.parameters().__next__().device.type == ("cpu" if name == "offloaded" else "cuda")
        pictures[name] = as_bytes(drawn), as_bytes(frames)
    for whole, offloaded in zip(*pictures.values(), strict=True):
        assert np.abs(whole.astype(int) - offloaded).max() <= 1
