"""The recipe as a whole: every part, on every device, and its command line."""

import argparse
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import PartialState
from pretended_device import StrayTensor, pretended_device
from torch import nn
from training_pictures import QUICK_SEGMENTS, TINY_KEYFRAMES, TINY_SEGMENTS, TINY_VAE, a_process, a_set, compose

from paints_undo.errors import InputError
from paints_undo.family.model_family import ModelFamily
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.video import write_video
from paints_undo.training import command, recipe
from paints_undo.training.config import PartConfig, read_config
from paints_undo.training.evaluation import GOALS
from paints_undo.training.keyframe_training import (
    KeyframeTrainingOptions,
    keyframe_sheet,
    make_tokenizer,
    train_keyframes,
)
from paints_undo.training.loop import LoopOptions, Training, join_processes
from paints_undo.training.picture_vae import evaluate_vae, new_vae, train_vae
from paints_undo.training.segment_training import SegmentTrainingOptions, train_segments
from paints_undo.training.tagger import TaggerOptions, train_tagger
from paints_undo.training.video_vae_training import VideoVaeOptions, train_video_vae, video_vae_from
from wd14_tagger import Tagger

LOOP = LoopOptions(steps=2, mixed_precision=False)
TAGGER = TaggerOptions((8, 16), (1, 1), 32, batch=2)
KEYFRAMES = KeyframeTrainingOptions(TINY_KEYFRAMES, batch=3, fresh=2)
SEGMENTS = SegmentTrainingOptions(buffer=2, sizes=replace(TINY_SEGMENTS, picture=64, patch=32))
TINY: dict[str, Any] = {
    # the VAE has latents of 8 x 8 pixels, as those for pictures of 256 pixels and more
    "vae": PartConfig(LOOP, replace(TINY_VAE, channel_multipliers=(1, 1, 1, 2))),
    "tagger": PartConfig(LOOP, TAGGER),
    "keyframes": PartConfig(LOOP, KEYFRAMES),
    "segments": PartConfig(LOOP, SEGMENTS, LOOP, VideoVaeOptions(crop=16, clips=1)),
}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Few pictures say how the VAE's latents are scaled."""
    monkeypatch.setattr("paints_undo.training.picture_vae.SCALED_BY", 8)


@pytest.fixture
def tiny():
    return a_set(tags=[("solo", "smile"), ("solo",)])


def test_the_parts_one_after_another_make_a_family(tiny, tmp_path):
    for part, config in TINY.items():
        recipe.train_part(part, tmp_path, tiny, tiny, config)
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
    assert set(GOALS) <= set(figures) and np.isfinite(list(figures.values())).all()
    samples = {name: figures[f"pictures for {name}"] for name in ("vae and keyframes", "tagger", "segments")}
    assert samples == {"vae and keyframes": 1, "tagger": 2, "segments": 1}


def test_training_goes_on_from_a_family(tiny, tmp_path, monkeypatch):
    for part in ("vae", "keyframes"):
        recipe.train_part(part, tmp_path / "first", tiny, tiny, TINY[part])
    folder = tmp_path / "first" / "family" / "single_frame"
    family = ModelFamily(
        "mine", {"single_frame": folder}, video_sizes=(), keyframe_size=(64, 64), keyframe_prediction="v_prediction"
    )
    monkeypatch.setattr(recipe, "find_family", lambda name: family)
    recipe.train_part("keyframes", tmp_path / "second", tiny, tiny, TINY["keyframes"], start="first")
    first = (folder / "tokenizer" / "vocab.json").read_bytes()
    assert (tmp_path / "second" / "family" / "single_frame" / "tokenizer" / "vocab.json").read_bytes() == first


def test_another_process_than_the_main_one_writes_nothing_and_keyframes_need_a_vae_first(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(PartialState, "is_main_process", False)  # alone, so that it waits for nobody
    recipe.train_part("vae", tmp_path, tiny, tiny, TINY["vae"])
    with pytest.raises(InputError, match="no trained VAE in .* `python -m paints_undo train vae` first"):
        recipe.train_part("keyframes", tmp_path, tiny, tiny, TINY["keyframes"])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_sheet_holds_every_picture(tmp_path):
    recipe.write_sheet(tmp_path / "sheet.png", torch.zeros(2, 3, 16, 16), torch.ones(2, 3, 16, 16))
    sheet = read_picture(tmp_path / "sheet.png")
    assert sheet.shape == (40, 40, 3) and sheet[5, 25, 0] == 127 and sheet[25, 5, 0] == 255 and sheet[20, 20, 0] == 225


def train(part, device, folder):
    """Two updates of one part on the device; the networks that came of it."""
    data = a_set(3, 32, [("solo",)] * 3)
    tokenizer, vae = make_tokenizer(data, folder / "tokenizer"), new_vae(TINY_VAE)

    def look(trainer):
        sheet = keyframe_sheet(trainer.averaged, vae, tokenizer, data, count=1)
        assert torch.isfinite(sheet[0]).all()

    def look_at_vae(trainer):
        assert evaluate_vae(trainer.averaged, data.on(device), 1)["all"] > 0

    def training(options, look=lambda trainer: None):
        return Training(data, folder, options, LOOP, look, device)

    if part == "vae":
        return train_vae(training(TINY_VAE, look_at_vae))
    if part == "tagger":
        return train_tagger(training(TAGGER))
    if part == "keyframes":
        return train_keyframes(training(KEYFRAMES, look), vae, tokenizer)
    if part == "video_vae":
        return train_video_vae(training(VideoVaeOptions(crop=32, clips=2, whole_share=0.5)), vae)
    return train_segments(training(QUICK_SEGMENTS), video_vae_from(vae), tokenizer)


PARTS = ("vae", "tagger", "keyframes", "video_vae", "segments")


@pytest.mark.parametrize("part", PARTS)
def test_a_step_lies_on_the_device_and_learns_what_the_cpu_learns(part, tmp_path):
    with pretended_device() as device:
        there = train(part, device, tmp_path / "there")
        assert {p.device.type for p in there.parameters()} == {"cpu"}  # what was trained comes back
    here = train(part, torch.device("cpu"), tmp_path / "here")
    for one, other in zip(there.parameters(), here.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-4)  # the same random numbers on every device


@pytest.mark.gpu
@pytest.mark.parametrize("part", PARTS)
def test_a_step_on_a_gpu(part, tmp_path):
    device = join_processes()
    assert device.type != "cpu"
    assert all(torch.isfinite(p).all() for p in train(part, device, tmp_path).parameters())


def test_the_pretended_device_finds_what_a_gpu_would_refuse():
    with pretended_device() as device:
        network, x = nn.Linear(3, 3).to(device), torch.ones(2, 3)
        assert network(x.to(device)).device == device and x.device.type == "cpu"
        with pytest.raises(StrayTensor):
            network(x)
        with pytest.raises(StrayTensor):
            torch.rand(2, device=device, generator=torch.Generator())
        with pytest.raises(StrayTensor):
            x.to(device).numpy()
        assert x.to(device)[torch.tensor([1])].device == device
        assert (x.to(device) * torch.tensor(2.0)).cpu().device.type == "cpu"


@pytest.fixture
def parse():
    parser = argparse.ArgumentParser()
    command.add_commands(parser.add_subparsers())
    return lambda *words: parser.parse_args([str(word) for word in words])


@pytest.fixture
def videos(tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    frames = np.stack([compose(a_process(), step) for step in np.linspace(999, 0, 12).astype(int)])
    write_video(frames, folder / "mine.mp4", 4)
    return folder


def test_a_person_trains_on_their_own_time_lapses_with_their_own_settings(parse, videos, tmp_path, monkeypatch, capsys):
    called: list[Any] = []
    monkeypatch.setattr(recipe, "train_part", lambda *given: called.append(given))
    (tmp_path / "vae.json").write_text('{"options": {"crops": 3}}')
    own = ("--data", videos, "--size", 32, "--device", "cpu", "--out", tmp_path / "out")
    flags = ("--config", tmp_path, "--steps", 3, "--seed", 7)
    chosen = parse("train", "all", *own, *flags)
    assert chosen.work(chosen) == 0
    assert [given[0] for given in called] == list(command.PARTS)
    part, out, data, shown, config, device, start = called[0]
    assert out == tmp_path / "out" and len(data) == 1 and shown is data and start is None
    assert config.loop.steps == 3 and config.loop.seed == 7 and config.options.crops == 3
    assert device.type == "cpu"
    assert capsys.readouterr().out == f"{tmp_path / 'out'}\n"
    chosen = parse("train", "vae", "--config", tmp_path / "vae.json", "--batch", 5, *own)
    assert chosen.work(chosen) == 0 and called[-1][4].options.crops == 5
    chosen = parse("train", "all", "--config", tmp_path / "vae.json", *own)
    with pytest.raises(InputError, match=r"give a folder with PART\.json files"):
        chosen.work(chosen)


def test_what_cannot_be_trained_on_or_with_is_one_clear_error(parse, tmp_path, monkeypatch):
    chosen = parse("train", "vae", "--device", "gpu")
    with pytest.raises(InputError, match="device is 'gpu'; use one of cuda, mps, cpu"):
        chosen.work(chosen)
    chosen = parse("train", "vae", "--data", tmp_path, "--out", tmp_path / "out", "--steps", 1)
    with pytest.raises(InputError, match="no usable time-lapse"):
        chosen.work(chosen)
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None if name == "skia" else object())
    with pytest.raises(InputError, match=r"training needs skia-python.*pip install '\.\[train\]'"):
        chosen.work(chosen)


def test_evaluation_is_printed_and_written_for_both_kinds_of_unseen_pictures(parse, tmp_path, monkeypatch, capsys):
    drawn: list[Any] = []
    monkeypatch.setattr(recipe, "draw_pictures", lambda split, *rest: drawn.append((split, *rest)) or split)
    monkeypatch.setattr(
        recipe, "figures_of", lambda models, data, count, device: {"vae psnr all": len(data), "count": count}
    )
    chosen = parse("evaluate", "--models", "mine", "--out", tmp_path / "out", "--count", 5)
    assert chosen.work(chosen) == 0
    assert drawn == [("held_out", 300, 128, None), ("unseen_style", 100, 128, None)]
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert figures["held_out"] == {"vae psnr all": 8, "count": 5}
    assert "missed" in capsys.readouterr().out
