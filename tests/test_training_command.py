import argparse
import json

import numpy as np
import pytest
from training_pictures import a_process, compose

from paints_undo.errors import InputError
from paints_undo.pictures.video import write_video
from paints_undo.training import command, recipe


@pytest.fixture
def parse():
    parser = argparse.ArgumentParser()
    command.add_commands(parser.add_subparsers())
    return lambda *words: parser.parse_args([str(word) for word in words])


@pytest.fixture
def videos(tmp_path):
    process = a_process()
    frames = np.stack([compose(process, step) for step in np.linspace(999, 0, 12).astype(int)])
    folder = tmp_path / "videos"
    folder.mkdir()
    write_video(frames, folder / "mine.mp4", 4)
    return folder


def test_a_person_can_train_on_their_own_time_lapses(parse, videos, tmp_path, monkeypatch, capsys):
    called = []
    monkeypatch.setattr(recipe, "train_part", lambda *given: called.append(given))
    flags = ("--steps", 3, "--size", 32, "--seed", 7, "--device", "cpu", "--batch", 5)
    chosen = parse("train", "all", "--data", videos, "--out", tmp_path / "out", *flags)
    assert chosen.work(chosen) == 0
    assert [given[0] for given in called] == list(command.PARTS)
    part, out, data, held_out, config, processes, start = called[0]
    assert out == tmp_path / "out" and len(data) == 1 and held_out is None and start is None
    assert config.loop.steps == 3 and config.loop.seed == 7 and config.options.crops == 5
    assert processes.is_main and processes.device.type == "cpu"
    assert capsys.readouterr().out == f"{tmp_path / 'out'}\n"


def test_a_config_file_is_for_one_part_and_a_folder_for_all(parse, videos, tmp_path, monkeypatch):
    called = []
    monkeypatch.setattr(recipe, "train_part", lambda *given: called.append(given))
    (tmp_path / "vae.json").write_text('{"options": {"crops": 3}}')
    own = ("--data", videos, "--size", 32, "--device", "cpu")
    chosen = parse("train", "all", "--config", tmp_path, *own)
    assert chosen.work(chosen) == 0
    assert called[0][4].options.crops == 3 and len(called) == len(command.PARTS)
    chosen = parse("train", "vae", "--config", tmp_path / "vae.json", *own)
    assert chosen.work(chosen) == 0 and called[-1][4].options.crops == 3
    chosen = parse("train", "all", "--config", tmp_path / "vae.json", *own)
    with pytest.raises(InputError, match="give a folder with PART.json files"):
        chosen.work(chosen)


def test_a_device_that_is_not_there_is_one_clear_error(parse):
    chosen = parse("train", "vae", "--device", "gpu")
    with pytest.raises(InputError, match="device is 'gpu'; use one of cuda, mps, cpu"):
        chosen.work(chosen)


def test_a_folder_without_videos_is_one_clear_error(parse, tmp_path):
    chosen = parse("train", "vae", "--data", tmp_path, "--out", tmp_path / "out", "--steps", 1)
    with pytest.raises(InputError, match="no usable time-lapse"):
        chosen.work(chosen)


def test_a_missing_package_is_named_with_the_remedy(parse, monkeypatch):
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda name: None if name == "skia" else object())
    chosen = parse("train", "vae")
    with pytest.raises(InputError, match=r"training needs skia-python.*pip install '\.\[train\]'"):
        chosen.work(chosen)


def test_evaluation_is_printed_and_written_for_both_kinds_of_unseen_pictures(parse, tmp_path, monkeypatch, capsys):
    drawn = []
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
