"""The pipelines of diffusers: diffusers' conventions, and the same pictures as PaintsUndo."""

import shutil

import diffusers
import numpy as np
import pytest
import torch
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback, SDCFGCutoffCallback, SDXLCFGCutoffCallback
from PIL import Image
from pretended_device import pretended_device

from paints_undo import CheckpointError, InputError, KeyframeOptions, PaintsUndo, SegmentOptions
from paints_undo.diffusers_pipelines import KeyframePipeline, SegmentPipeline, loading
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
    given = {"generator": seeded(), "return_dict": False}
    (array,) = drawing(artwork, **DRAWING, **given, output_type="np")
    assert array.shape == (2, 64, 96, 3) and array.dtype == np.float32 and 0 <= array.min() < array.max() <= 1
    given["generator"] = seeded()
    (tensor,) = drawing(artwork, **DRAWING, **given, output_type="pt")
    assert tensor.shape == (2, 3, 64, 96) and np.array_equal(tensor.permute(0, 2, 3, 1).numpy(), array)
    (latents,) = drawing(artwork, **DRAWING, **given, output_type="latent")
    assert latents.shape[:2] == (2, 4)
    # what one pipeline gives the other takes: tensors, arrays and PIL images of the same pixels
    shapes = {"pt": (1, 16, 3, 64, 128), "np": (1, 16, 64, 128, 3)}
    clips = {}
    for kind, first in (("pt", tensor[0]), ("np", array[0])):
        given = {"num_inference_steps": 1, "generator": seeded(), "output_type": kind}
        clips[kind] = filling(first, tensor[1:], **given).frames
        assert clips[kind].shape[:2] == (1, 16) and sorted(clips[kind].shape) == sorted(clips["pt"].shape), shapes[kind]
    assert np.array_equal(clips["pt"].permute(0, 1, 3, 4, 2).numpy(), clips["np"])
    latents = filling(tensor[0], tensor[1], num_inference_steps=1, output_type="latent").frames
    assert latents.shape[:3] == (1, 4, 16)


def test_generators_and_latents_decide(drawing, artwork):
    given, generator = {**DRAWING, "output_type": "latent"}, seeded()
    first, second = (drawing(artwork, **given, generator=generator).images for _ in range(2))
    assert not torch.equal(first, second)
    several = drawing(artwork, **given, generator=[seeded(7), seeded(8)]).images
    assert torch.equal(several[0], first[0]) and not torch.equal(several[1], first[1])
    swapped = drawing(artwork, **{**given, "operation_steps": [800, 400]}, generator=[seeded(8), seeded(7)]).images
    assert torch.equal(swapped, several)  # a generator goes with its operation step
    size = 8 * drawing.vae_scale_factor
    noise = torch.randn(1, 4, 8, 12, generator=seeded()).expand(2, -1, -1, -1)
    given |= {"width": size * 12 // 8, "height": size}
    assert torch.equal(drawing(artwork, **given, latents=noise).images, first)
    torch.manual_seed(7)
    assert torch.equal(drawing(artwork, **given).images, first)  # without a generator it is torch's own


def test_batches_are_what_each_of_them_is(drawing, filling, artwork):
    """Lists of pictures and of prompts, several of each, and embeddings in the place of prompts."""
    given = {**DRAWING, "output_type": "latent", "guidance_scale": 2.0, "return_dict": False}
    pictures, prompts = [artwork, artwork[::-1].copy()], ["1girl", "1boy"]
    together = drawing(pictures, prompts, **given, num_images_per_prompt=2, generator=seeded())[0]
    assert len(together) == 8  # artworks x drawings x operation steps
    generator = seeded()
    for place, (picture, prompt) in enumerate(zip(pictures, prompts, strict=True)):
        for drawn in together[4 * place : 4 * place + 4].split(2):
            alone = drawing(picture, prompt, **given, generator=generator)[0]
            torch.testing.assert_close(drawn, alone, rtol=1e-3, atol=1e-3)
    embeds, negative = drawing.encode_prompt(prompts, negative_prompt="lowres")
    assert len(embeds) == len(negative) == 2
    encoded = {"prompt_embeds": embeds, "negative_prompt_embeds": negative, "generator": seeded()}
    words = drawing(pictures, prompts, "lowres", **given, generator=seeded())[0]
    assert torch.equal(drawing(pictures, **given, **encoded)[0], words)
    bare = quiet(KeyframePipeline(**{**drawing.components, "text_encoder": None}, **drawing.parameters))
    assert torch.equal(bare(pictures, **given, **encoded | {"generator": seeded()})[0], words)
    with pytest.raises(InputError, match="has no text encoder; give the prompt and the negative prompt as embeddings"):
        bare(pictures, **given)
    with pytest.raises(InputError, match="prompt has 2 entries where others have 3"):
        drawing([*pictures, artwork], prompts, **given)
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
    sizes = {k: v for k, v in DRAWING.items() if stage == "drawing" or k == "num_inference_steps"}
    given = {**sizes, "output_type": "latent", "return_dict": False}
    names = {"callback_on_step_end_tensor_inputs": ["latents", "denoised"]}
    latents = pipeline(*pictures, **given, callback_on_step_end=watch, **names)[0]
    steps, timesteps, *shapes = zip(*seen, strict=True)
    assert steps == (0, 1, 2) and {*shapes[0], *shapes[1]} == {latents.shape}
    assert timesteps[0] == 999 and [*timesteps] == sorted(timesteps, reverse=True)

    stopped_at = []

    def stop(pipe, step, timestep, tensors):
        stopped_at.append((step, tensors["denoised"]))
        pipe._interrupt = True

    names = {"callback_on_step_end_tensor_inputs": ["denoised"]}
    stopped = pipeline(*pictures, **given, callback_on_step_end=stop, **names)[0]
    assert [step for step, _ in stopped_at] == [0] and pipeline.interrupt and torch.equal(stopped, stopped_at[0][1])

    def replace(pipe, step, timestep, tensors):
        return {"latents": tensors["latents"] * 0 if step == 2 else latents}

    empty = pipeline(*pictures, **given, callback_on_step_end=replace)[0]
    assert not empty.any() and not pipeline.interrupt


def test_callbacks_of_diffusers(drawing, artwork):
    given = {**DRAWING, "output_type": "latent", "return_dict": False}
    seen = []

    class Watch(PipelineCallback):
        tensor_inputs = ["prompt_embeds"]

        def callback_fn(self, pipeline, step_index, timesteps, callback_kwargs):
            seen.append((len(callback_kwargs["prompt_embeds"]), pipeline.guidance_scale))
            return callback_kwargs

    def drawn(prompt, **options):
        return drawing(artwork, prompt, **given, guidance_scale=3.0, generator=seeded(), **options)[0]

    cutoff = SDCFGCutoffCallback(cutoff_step_ratio=None, cutoff_step_index=0)
    cut = drawn("1girl", callback_on_step_end=MultiPipelineCallbacks([Watch(), cutoff]))
    assert seen == [(2, 3.0), (1, 0.0), (1, 0.0)]

    def unguided(pipe, step, timestep, tensors):
        pipe._guidance_scale = 1.0

    assert torch.equal(cut, drawn("1girl", callback_on_step_end=unguided)) and not torch.equal(cut, drawn("1girl"))
    with pytest.raises(InputError, match="left prompt_embeds of 1 rows at guidance scale 0; 2 prompts need 2, or 4"):
        drawn(["1girl", "1boy"], callback_on_step_end=cutoff)
    with pytest.raises(InputError, match="names 'add_text_embeds'; these can be handed on: latents, prompt_embeds"):
        drawn("1girl", callback_on_step_end=SDXLCFGCutoffCallback())


def test_another_scheduler(drawing, artwork):
    """The same solver of diffusers comes to the same keyframes; others come near, and go back to ours bit for bit."""
    given = {**DRAWING, "num_inference_steps": 12, "output_type": "latent", "return_dict": False}

    def drawn(scheduler):
        pipeline = quiet(KeyframePipeline.from_pipe(drawing, scheduler=scheduler))
        return pipeline(artwork, "1girl", **given, generator=seeded())[0]

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


@pytest.mark.parametrize("stage", ["drawing", "filling"])
def test_saved_and_loaded_it_gives_equal_pictures(request, tmp_path, artwork, stage):
    pipeline = request.getfixturevalue(stage)

    def alike(found):  # a mapped file may have its weights elsewhere between words of memory, which rounds otherwise
        return np.abs(found - expected).max() <= 1.1 / 255 and (found != expected).mean() < 1e-3

    def drawn(pipe):
        pictures = [artwork] if stage == "drawing" else [artwork, artwork[::-1]]
        sizes = DRAWING if stage == "drawing" else {"num_inference_steps": 1}
        return quiet(pipe)(*pictures, "1girl", **sizes, generator=seeded(), output_type="np", return_dict=False)[0]

    expected = drawn(pipeline)
    pipeline.save_pretrained(tmp_path / "own")
    pipeline.save_pretrained(tmp_path / "named", variant="fp16")
    assert not list((tmp_path / "named").rglob("*model.safetensors"))
    assert alike(drawn(type(pipeline).from_pretrained(tmp_path / "own", device_map="cpu")))
    assert alike(drawn(type(pipeline).from_pretrained(tmp_path / "named", variant="fp16")))
    with pytest.raises(ValueError, match="variant=fp16"):
        type(pipeline).from_pretrained(tmp_path / "own", variant="fp16")
    # the hub's cache, without the hub
    snapshot = tmp_path / "cache" / "models--me--mine" / "snapshots" / ("c0ffee" + 34 * "0")
    shutil.copytree(tmp_path / "own", snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text(snapshot.name)
    here = {"cache_dir": tmp_path / "cache", "local_files_only": True, "unet": pipeline.unet}
    again = type(pipeline).from_pretrained("me/mine", torch_dtype=torch.bfloat16, **here)
    assert again.unet is pipeline.unet and again.vae.dtype == torch.bfloat16 and again.family.name == "reference"
    with pytest.raises(InputError, match="use_safetensors must be True"):
        type(pipeline).from_pretrained(tmp_path / "own", use_safetensors=False)
    other = SegmentPipeline if stage == "drawing" else KeyframePipeline
    with pytest.raises((InputError, ValueError), match=f"{other.__name__} is not for such networks|expected"):
        other.from_pretrained(tmp_path / "own")


def test_components_are_shared(drawing, filling, artwork):
    assert set(drawing.components) == {"tokenizer", "text_encoder", "vae", "unet", "scheduler"}
    assert set(filling.components) == {
        "tokenizer", "text_encoder", "image_encoder", "image_projection", "vae", "unet", "scheduler"
    }  # fmt: skip
    given = {**DRAWING, "output_type": "latent", "return_dict": False}
    for twin in (
        KeyframePipeline(**drawing.components, **drawing.parameters),
        KeyframePipeline(**drawing.components, family=drawing.family),
        KeyframePipeline.from_pipe(drawing),
    ):
        assert twin.unet is drawing.unet and twin.device.type == "cpu" and twin.dtype == torch.float32
        drawn = [quiet(pipe)(artwork, **given, generator=seeded())[0] for pipe in (twin, drawing)]
        assert torch.equal(*drawn)
    with pytest.raises(InputError, match=r"width is 97.* try 96"):
        twin(artwork, width=97)
    with pytest.raises(InputError, match=r"needs family=; give \*\*pipeline.parameters"):
        KeyframePipeline(**drawing.components)
    with pytest.raises(InputError, match="SegmentPipeline shares no network with KeyframePipeline"):
        SegmentPipeline.from_pipe(drawing)
    assert SegmentPipeline.from_pipe(drawing, **filling.components).vae is filling.vae


def test_a_component_of_ones_own(tiny_family, drawing, artwork):
    class Silent(KeyframeUNet):
        def forward(self, x, *conditions):
            return super().forward(x, *conditions) * 0

    unet = Silent.from_config(drawing.unet.config)
    unet.load_state_dict(drawing.unet.state_dict())
    pipeline = quiet(KeyframePipeline.from_pretrained(tiny_family, unet=unet, text_encoder=None))
    assert pipeline.text_encoder is None and pipeline.unet is unet
    given = {**DRAWING, "generator": seeded(), "output_type": "latent", "guidance_scale": 1.0}
    embeds, nothing = drawing.encode_prompt("", do_classifier_free_guidance=False)
    assert nothing is None
    latents = pipeline(artwork, prompt_embeds=embeds, **given).images
    assert not torch.equal(latents, drawing(artwork, **given | {"generator": seeded()}).images)


def test_number_formats(tiny_family, artwork):
    for name in ("dtype", "torch_dtype"):
        pipeline = quiet(KeyframePipeline.from_pretrained(tiny_family, **{name: torch.bfloat16}))
        assert pipeline.unet.dtype == pipeline.text_encoder.dtype == torch.bfloat16
    assert len(pipeline(artwork, **DRAWING).images) == 2
    assert pipeline.to(torch.float32).unet.dtype == torch.float32
    mixed = KeyframePipeline.from_pretrained(tiny_family, dtype={"vae": torch.float32, "default": torch.bfloat16})
    assert (mixed.vae.dtype, mixed.unet.dtype) == (torch.float32, torch.bfloat16)
    half = KeyframePipeline.from_pretrained(tiny_family, dtype=torch.float16)
    assert half.unet.dtype == torch.float16 != half.vae.dtype  # whose activations overflow it
    with pytest.raises(InputError, match="dtype is torch.int8"):
        KeyframePipeline.from_pretrained(tiny_family, dtype=torch.int8)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"variant": "fp16"}, "variant is 'fp16', which has no meaning for the model family .*: it has one file"),
        ({"revision": "main"}, "revision is 'main', .*: it has one revision"),
        ({"force_download": True}, "force_download is True, .*`python -m paints_undo download`"),
        ({"low_cpu_mem_usage": False}, "low_cpu_mem_usage is False, .*: its networks are never in memory twice"),
        ({"use_safetensors": False}, "use_safetensors is False, .*: files that may hold programs are not opened"),
        ({"cache_dir": "here"}, "cache_dir has no meaning for .*, which is on this disk"),
        ({"device_map": "balanced"}, "device_map is 'balanced', but a pipeline's networks work on one device"),
        ({"device_map": {"unet": 0}}, "device_map is {'unet': 0}, but"),
        ({"network": None}, "network is no component .*; its components are scheduler, text_encoder"),
    ],
)
def test_options_of_loading_are_done_or_refused(tiny_family, options, said):
    with pytest.raises(InputError, match=said):
        KeyframePipeline.from_pretrained(tiny_family, **options)


def test_options_of_loading_that_a_family_takes(tiny_family, tmp_path, monkeypatch):
    as_always = {"low_cpu_mem_usage": True, "use_safetensors": True, "local_files_only": True, "force_download": False}
    loaded = SegmentPipeline.from_pretrained(tiny_family, device_map="cpu", variant=None, **as_always)
    assert loaded.device.type == "cpu" and loaded.name_or_path == str(tiny_family)
    with pytest.raises(CheckpointError, match=f"not in {tmp_path}"):
        KeyframePipeline.from_pretrained("released", cache_dir=tmp_path, local_files_only=True)
    family, asked = loaded.family, []
    monkeypatch.setattr(loading, "download_released", lambda cache: asked.append(cache) or family)
    for name in ("released", "lllyasviel/paints_undo_multi_frame"):
        assert SegmentPipeline.from_pretrained(name, cache_dir=tmp_path).family is family
    assert asked == [tmp_path, tmp_path]
    with pytest.raises(CheckpointError, match="no model family at"):
        KeyframePipeline.from_pretrained(tmp_path / "nowhere")


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
        ({"image": 5}, "cannot be read from int"),
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
    pictures = {"image": [artwork, artwork[::-1].copy()], "prompt": ["1girl", "1boy"], "num_inference_steps": 2}
    pictures |= {"operation_steps": [500]} if kind is KeyframePipeline else {"last_image": artwork}
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
