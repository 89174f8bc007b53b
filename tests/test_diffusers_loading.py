"""How pipelines of diffusers are saved and loaded, and in which numbers."""

import shutil

import numpy as np
import pytest
import torch

from paints_undo import CheckpointError, InputError
from paints_undo.diffusers_pipelines import KeyframePipeline, SegmentPipeline, loading

ARTWORK = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
SMALL = {"operation_steps": [400, 800], "width": 96, "height": 64, "num_inference_steps": 1}


@pytest.mark.parametrize("kind", [KeyframePipeline, SegmentPipeline])
def test_saved_and_loaded_it_gives_equal_pictures(tiny_family, tmp_path, kind):
    pipeline = kind.from_pretrained(tiny_family)

    def alike(found):  # a mapped file may have its weights elsewhere between words of memory, which rounds otherwise
        return np.abs(found - expected).max() <= 1.1 / 255 and (found != expected).mean() < 1e-3

    def drawn(pipe):
        given = SMALL if kind is KeyframePipeline else {"last_image": ARTWORK[::-1], "num_inference_steps": 1}
        generator = torch.Generator().manual_seed(7)
        return pipe(ARTWORK, prompt="1girl", **given, generator=generator, output_type="np", return_dict=False)[0]

    expected = drawn(pipeline)
    pipeline.save_pretrained(tmp_path / "own")
    pipeline.save_pretrained(tmp_path / "named", variant="fp16")
    assert not list((tmp_path / "named").rglob("*model.safetensors"))
    assert alike(drawn(kind.from_pretrained(tmp_path / "own", device_map="cpu")))
    assert alike(drawn(kind.from_pretrained(tmp_path / "named", variant="fp16")))
    with pytest.raises(ValueError, match="variant=fp16"):
        kind.from_pretrained(tmp_path / "own", variant="fp16")
    # the hub's cache, without the hub
    snapshot = tmp_path / "cache" / "models--me--mine" / "snapshots" / ("c0ffee" + 34 * "0")
    shutil.copytree(tmp_path / "own", snapshot)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text(snapshot.name)
    here = {"cache_dir": tmp_path / "cache", "local_files_only": True, "unet": pipeline.unet}
    again = kind.from_pretrained("me/mine", torch_dtype=torch.bfloat16, **here)
    assert again.unet is pipeline.unet and again.vae.dtype == torch.bfloat16 and again.family.name == "reference"
    with pytest.raises(InputError, match="use_safetensors must be True"):
        kind.from_pretrained(tmp_path / "own", use_safetensors=False)
    other = SegmentPipeline if kind is KeyframePipeline else KeyframePipeline
    with pytest.raises((InputError, ValueError), match=f"{other.__name__} is not for such networks|expected"):
        other.from_pretrained(tmp_path / "own")


def test_number_formats(tiny_family):
    for name in ("dtype", "torch_dtype"):
        pipeline = KeyframePipeline.from_pretrained(tiny_family, **{name: torch.bfloat16})
        assert pipeline.unet.dtype == pipeline.text_encoder.dtype == torch.bfloat16
    assert len(pipeline(ARTWORK, **SMALL).images) == 2
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
        ({"use_safetensors": False}, "use_safetensors is False, .*: files that may hold programs are not opened"),
        ({"cache_dir": "here"}, "cache_dir has no meaning for .*, which is on this disk"),
        ({"device_map": "balanced"}, "device_map is 'balanced', but a pipeline's networks work on one device"),
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
