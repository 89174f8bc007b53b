import json
from typing import Any

import numpy as np
import pytest
import torch
from training_pictures import a_process

from paints_undo.errors import InputError
from paints_undo.family.model_family import ModelFamily
from paints_undo.pictures.pixels import read_picture
from paints_undo.training import recipe
from paints_undo.training.config import PartConfig, read_config
from paints_undo.training.dataset import PictureSet
from paints_undo.training.evaluation import GOALS
from paints_undo.training.keyframe_networks import KeyframeSizes
from paints_undo.training.keyframe_training import KeyframeTrainingOptions
from paints_undo.training.loop import LoopOptions
from paints_undo.training.picture_vae import VaeOptions
from paints_undo.training.processes import Processes
from paints_undo.training.segment_training import SegmentSizes, SegmentTrainingOptions
from paints_undo.training.tagger import TaggerOptions
from paints_undo.training.video_vae_training import VideoVaeOptions
from wd14_tagger import Tagger

SIZES = KeyframeSizes(widths=(16, 32), heads=(0, 2), norm_groups=8, text_width=16, text_layers=1, text_heads=2)
SEGMENT_SIZES = SegmentSizes(
    channels=8,
    multipliers=(1, 2),
    attention_at=(2,),
    head_width=4,
    norm_groups=4,
    context=16,
    image_tokens=2,
    vision_width=16,
    vision_layers=1,
    picture=64,
    patch=32,
)
LOOP = LoopOptions(steps=2, mixed_precision=False)
TINY: dict[str, Any] = {
    # the VAE has latents of 8 x 8 pixels, as those for pictures of 256 pixels and more
    "vae": PartConfig(
        LOOP, VaeOptions(base_channels=8, channel_multipliers=(1, 1, 1, 2), norm_groups=4, crop=16, crops=2)
    ),
    "tagger": PartConfig(LOOP, TaggerOptions((8, 16), (1, 1), 64, batch=2)),
    "keyframes": PartConfig(LOOP, KeyframeTrainingOptions(SIZES, batch=2, fresh=1)),
    "segments": PartConfig(
        LOOP, SegmentTrainingOptions(buffer=2, sizes=SEGMENT_SIZES), LOOP, VideoVaeOptions(crop=16, clips=1)
    ),
}


@pytest.fixture
def tiny():
    maps = torch.from_numpy(a_process(64).to_maps())[None].repeat(2, 1, 1, 1)
    return PictureSet(maps, ["a", "b"], [("solo", "smile"), ("solo",)])


def test_the_parts_one_after_another_make_a_family(tiny, tmp_path):
    for part, config in TINY.items():
        recipe.train_part(part, tmp_path, tiny, None, config)
        assert read_config(part, tmp_path / part / "config.json") == config
    folder = tmp_path / "family"
    described = json.loads((folder / "model_family.json").read_text())
    assert described["keyframe_size"] == {"width": 64, "height": 64}
    assert described["keyframe_prediction"] == "v_prediction"
    assert described["video_sizes"] == [[64, 64]] and described["segment_hint"] == "cross_fade"
    tagger = Tagger(folder / "tagger" / "model.onnx", folder / "tagger" / "selected_tags.csv")
    assert "solo" in tagger.names
    assert (tmp_path / "vae" / "sheet.png").exists() and (tmp_path / "keyframes" / "sheet.png").exists()
    figures = recipe.figures_of(folder, tiny, 1, "cpu")  # it loads, draws keyframes and fills segments
    assert {name for name in GOALS} <= set(figures) and np.isfinite(list(figures.values())).all()
    samples = {name: figures[f"pictures for {name}"] for name in ("vae and keyframes", "tagger", "segments")}
    assert samples == {"vae and keyframes": 1, "tagger": 2, "segments": 1}


def _with_tagger(folder):
    files = {"tagger_model": folder / "tagger" / "model.onnx", "tagger_tags": folder / "tagger" / "selected_tags.csv"}
    return ModelFamily(
        "mine", {"single_frame": folder / "single_frame"}, video_sizes=(), keyframe_size=(64, 64), **files
    )


def test_training_goes_on_from_a_family(tiny, tmp_path, monkeypatch):
    for part in ("vae", "keyframes"):
        recipe.train_part(part, tmp_path / "first", tiny, None, TINY[part])
    folder = tmp_path / "first" / "family" / "single_frame"
    family = ModelFamily(
        "mine", {"single_frame": folder}, video_sizes=(), keyframe_size=(64, 64), keyframe_prediction="v_prediction"
    )
    monkeypatch.setattr(recipe, "find_family", lambda name: family)
    recipe.train_part("keyframes", tmp_path / "second", tiny, None, TINY["keyframes"], start="first")
    first = (folder / "tokenizer" / "vocab.json").read_bytes()
    assert (tmp_path / "second" / "family" / "single_frame" / "tokenizer" / "vocab.json").read_bytes() == first


def test_keyframes_need_a_vae_first(tiny, tmp_path):
    with pytest.raises(InputError, match="train vae` first"):
        recipe.train_part("keyframes", tmp_path, tiny, None, TINY["keyframes"])


def test_pictures_of_an_impossible_size_are_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="size must be a multiple of 8"):
        recipe.draw_pictures("train", 1, 100, tmp_path)


def test_another_process_than_the_main_one_writes_nothing_but_learns_the_same(tiny, tmp_path, monkeypatch):
    other = Processes(number=1)  # alone, so that it waits for nobody
    with pytest.raises(InputError, match="no trained VAE"):
        for part in ("vae", "keyframes"):
            recipe.train_part(part, tmp_path, tiny, None, TINY[part], other)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_sheet_holds_every_picture(tmp_path):
    recipe.write_sheet(tmp_path / "sheet.png", torch.zeros(2, 3, 16, 16), torch.ones(2, 3, 16, 16))
    sheet = read_picture(tmp_path / "sheet.png")
    assert sheet.shape == (40, 40, 3) and sheet[5, 25, 0] == 127 and sheet[25, 5, 0] == 255 and sheet[20, 20, 0] == 225
