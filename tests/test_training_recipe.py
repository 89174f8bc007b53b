import json

import pytest
import torch
from training_pictures import a_process

from paints_undo.checkpoints import ModelFamily
from paints_undo.errors import InputError
from paints_undo.training import recipe
from paints_undo.training.dataset import PictureSet
from paints_undo.training.keyframe_networks import KeyframeSizes, networks_of
from paints_undo.training.keyframe_training import KeyframeTrainingOptions
from paints_undo.training.loop import LoopOptions
from paints_undo.training.picture_vae import VaeOptions
from paints_undo.training.tagger import TaggerOptions
from wd14_tagger import Tagger

SIZES = KeyframeSizes(widths=(16, 32), heads=(0, 2), norm_groups=8, text_width=16, text_layers=1, text_heads=2)
LOOP = LoopOptions(steps=2, bfloat16=False)


@pytest.fixture
def tiny(monkeypatch):
    vae = VaeOptions(base_channels=8, channel_multipliers=(1, 2), norm_groups=4, crop=16, crops=2)
    monkeypatch.setattr(recipe, "VaeOptions", lambda: vae)
    monkeypatch.setattr(recipe, "TaggerOptions", lambda size: TaggerOptions((8, 16), (1, 1), size, batch=2))
    monkeypatch.setattr(recipe, "KeyframeTrainingOptions", lambda: KeyframeTrainingOptions(SIZES, batch=2, fresh=1))
    maps = torch.from_numpy(a_process(32).to_maps())[None].repeat(2, 1, 1, 1)
    return PictureSet(maps, ["a", "b"], [("solo", "smile"), ("solo",)])


def test_the_parts_one_after_another_make_a_family(tiny, tmp_path):
    for part in ("vae", "tagger", "keyframes"):
        recipe.train_part(part, tmp_path, tiny, None, LOOP)
    folder = tmp_path / "family"
    described = json.loads((folder / "model_family.json").read_text())
    assert described["keyframe_size"] == {"width": 32, "height": 32}
    assert described["keyframe_prediction"] == "v_prediction"
    family = ModelFamily("mine", {"single_frame": folder / "single_frame"}, video_sizes=(), keyframe_size=(32, 32))
    networks_of(family)
    tagger = Tagger(folder / "tagger" / "model.onnx", folder / "tagger" / "selected_tags.csv")
    assert recipe._tagger_f1(family=_with_tagger(folder), data=tiny) >= 0 and "solo" in tagger.names
    assert (tmp_path / "vae" / "sheet.png").exists() and (tmp_path / "keyframes" / "sheet.png").exists()


def _with_tagger(folder):
    files = {"tagger_model": folder / "tagger" / "model.onnx", "tagger_tags": folder / "tagger" / "selected_tags.csv"}
    return ModelFamily(
        "mine", {"single_frame": folder / "single_frame"}, video_sizes=(), keyframe_size=(32, 32), **files
    )


def test_training_goes_on_from_a_family(tiny, tmp_path, monkeypatch):
    for part in ("vae", "keyframes"):
        recipe.train_part(part, tmp_path / "first", tiny, None, LOOP)
    folder = tmp_path / "first" / "family" / "single_frame"
    family = ModelFamily(
        "mine", {"single_frame": folder}, video_sizes=(), keyframe_size=(32, 32), keyframe_prediction="v_prediction"
    )
    monkeypatch.setattr(recipe, "find_family", lambda name: family)
    recipe.train_part("keyframes", tmp_path / "second", tiny, None, LOOP, "first")
    first = (folder / "tokenizer" / "vocab.json").read_bytes()
    assert (tmp_path / "second" / "family" / "single_frame" / "tokenizer" / "vocab.json").read_bytes() == first


def test_keyframes_need_a_vae_first(tiny, tmp_path):
    with pytest.raises(InputError, match="train vae` first"):
        recipe.train_part("keyframes", tmp_path, tiny, None, LOOP)
