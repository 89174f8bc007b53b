"""The pipelines of diffusers: their surface, and the same pictures as PaintsUndo."""

import numpy as np
import pytest
import torch
from PIL import Image

from paints_undo import CheckpointError, InputError, KeyframeOptions, PaintsUndo, SegmentOptions
from paints_undo.diffusers_pipelines import KeyframePipeline, SegmentPipeline
from paints_undo.models.placed import Placed

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


def test_generators_decide(drawing, artwork):
    given, generator = {**DRAWING, "output_type": "latent"}, seeded()
    first, second = (drawing(artwork, **given, generator=generator).images for _ in range(2))
    assert not torch.equal(first, second)
    several = drawing(artwork, **given, generator=[seeded(7), seeded(8)]).images
    assert torch.equal(several[0], first[0]) and not torch.equal(several[1], first[1])


@pytest.mark.parametrize("stage", ["drawing", "filling"])
def test_callback_on_step_end(request, artwork, stage):
    pipeline, seen = request.getfixturevalue(stage), []

    def watch(pipe, step, timestep, tensors):
        assert pipe is pipeline and pipe.num_timesteps == 3
        seen.append((step, timestep, tensors["latents"].shape))
        return tensors

    pictures = [artwork] if stage == "drawing" else [artwork, artwork[::-1]]
    sizes = {k: v for k, v in DRAWING.items() if stage == "drawing" or k == "num_inference_steps"}
    latents = pipeline(*pictures, **sizes, callback_on_step_end=watch, output_type="latent", return_dict=False)[0]
    assert [step for step, _, _ in seen] == [0, 1, 2] and {shape for _, _, shape in seen} == {latents.shape}
    timesteps = [timestep for _, timestep, _ in seen]
    assert timesteps[0] == 999 and timesteps == sorted(timesteps, reverse=True)

    steps = []

    def stop(pipe, step, timestep, tensors):
        steps.append(step)
        pipe._interrupt = True

    stopped = pipeline(*pictures, **sizes, callback_on_step_end=stop, return_dict=False)[0]
    assert steps == [0] and pipeline.interrupt and len(stopped) == (2 if stage == "drawing" else 1)
    replacing = {"callback_on_step_end": lambda pipe, i, t, tensors: {"latents": tensors["latents"] * 0}}
    with pytest.raises(InputError, match="they can be seen, but not replaced"):
        pipeline(*pictures, **sizes, **replacing)
    with pytest.raises(InputError, match="names 'prompt_embeds'; only latents"):
        pipeline(*pictures, **sizes, callback_on_step_end_tensor_inputs=["prompt_embeds"])
    assert pipeline(*pictures, **sizes, return_dict=False)[0] and not pipeline.interrupt


def test_the_bar_counts_the_steps(drawing, artwork, capsys):
    drawing.set_progress_bar_config(disable=False, ncols=80)
    drawing(artwork, **DRAWING)
    drawing.set_progress_bar_config(disable=True)
    assert "3/3" in capsys.readouterr().err


def test_components(drawing, filling):
    assert set(drawing.components) == {"tokenizer", "text_encoder", "vae", "unet"}
    assert set(filling.components) == {
        "tokenizer", "text_encoder", "image_encoder", "image_projection", "vae", "unet"
    }  # fmt: skip
    twin = KeyframePipeline(**drawing.components, family=drawing.family)
    assert twin.unet is drawing.unet and twin.device.type == "cpu" and twin.dtype == torch.float32
    with pytest.raises(InputError, match="needs family="):
        KeyframePipeline(**drawing.components)


def test_a_component_of_ones_own(tiny_family, drawing, artwork):
    class Silent(Placed):
        def __init__(self, unet):
            super().__init__()
            self.unet = unet

        def forward(self, x, *conditions):
            return self.unet(x, *conditions) * 0

    pipeline = quiet(KeyframePipeline.from_pretrained(tiny_family, unet=Silent(drawing.unet)))
    given = {**DRAWING, "generator": seeded(), "output_type": "latent"}
    latents = pipeline(artwork, **given).images
    assert not torch.equal(latents, drawing(artwork, **given | {"generator": seeded()}).images)
    with pytest.raises(InputError, match="network is no component of KeyframePipeline; it has"):
        KeyframePipeline.from_pretrained(tiny_family, network=None)


def test_number_formats(tiny_family, artwork):
    for name in ("dtype", "torch_dtype"):
        pipeline = quiet(KeyframePipeline.from_pretrained(tiny_family, **{name: torch.bfloat16}))
        assert pipeline.unet.dtype == pipeline.text_encoder.dtype == torch.bfloat16
    assert len(pipeline(artwork, **DRAWING).images) == 2
    assert pipeline.to(torch.float32).unet.dtype == torch.float32
    with pytest.raises(InputError, match="dtype is torch.int8"):
        KeyframePipeline.from_pretrained(tiny_family, dtype=torch.int8)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"output_type": "jpg"}, "output_type is 'jpg'; use one of pil, np, pt, latent"),
        ({"num_inference_steps": 0}, "sampling steps is 0"),
        ({"operation_steps": []}, "operation steps are empty"),
        ({"width": 97}, "width is 97"),
        ({"generator": [seeded()]}, "1 generators are given for 2 operation steps"),
        ({"image": np.full((64, 96, 3), np.nan)}, "not finite"),
        ({"image": 5}, "cannot be read from int"),
    ],
)
def test_bad_input_is_one_sentence(drawing, artwork, changed, said):
    with pytest.raises(InputError, match=said):
        drawing(**{"image": artwork, **DRAWING, **changed})


def test_missing_and_unwritable(tmp_path, drawing):
    with pytest.raises(CheckpointError, match="no model family at"):
        KeyframePipeline.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(InputError, match="not saved"):
        drawing.save_pretrained(tmp_path)


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
