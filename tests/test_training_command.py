import argparse
import json

import numpy as np
import pytest
from training_pictures import a_process

from paints_undo.errors import InputError
from paints_undo.training import command, recipe
from paints_undo.training.process import compose
from paints_undo.video import write_video


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


def test_the_parts_of_the_command_and_of_the_recipe_are_the_same():
    assert set(command.PARTS) == set(recipe.LOOPS)


def test_a_person_can_train_on_their_own_time_lapses(parse, videos, tmp_path, monkeypatch, capsys):
    called = []
    monkeypatch.setattr(recipe, "train_part", lambda *given: called.append(given))
    chosen = parse("train", "all", "--data", videos, "--out", tmp_path / "out", "--steps", 3, "--size", 32, "--seed", 7)
    assert chosen.work(chosen) == 0
    assert [given[0] for given in called] == list(command.PARTS)
    part, out, data, held_out, loop, start = called[0]
    assert out == tmp_path / "out" and len(data) == 1 and held_out is None and start is None
    assert loop.steps == 3 and loop.seed == 7
    assert capsys.readouterr().out == f"{tmp_path / 'out'}\n"


def test_minutes_can_be_chosen_and_each_part_has_its_own():
    assert recipe.loop_of("vae", 0, None, None).minutes != recipe.loop_of("tagger", 0, None, None).minutes
    assert recipe.loop_of("vae", 0, 2.5, None).minutes == 2.5


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
    monkeypatch.setattr(recipe, "figures_of", lambda models, data, count: {"vae psnr all": len(data), "count": count})
    chosen = parse("evaluate", "--models", "mine", "--out", tmp_path / "out", "--count", 5)
    assert chosen.work(chosen) == 0
    assert drawn == [("held_out", 300, 128, None), ("unseen_style", 100, 128, None)]
    figures = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert figures["held_out"] == {"vae psnr all": 8, "count": 5}
    assert "missed" in capsys.readouterr().out
