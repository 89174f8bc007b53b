"""The tagger, and the tokenizer for its tags."""

import csv

import numpy as np
import pytest
import torch
from training_pictures import a_face, quick
from transformers import CLIPTokenizer

from paints_undo.family.model_family import TOKENIZER_FILES
from paints_undo.training.loop import Training
from paints_undo.training.own_timelapses import TimelapseSet
from paints_undo.training.tagger import (
    RATINGS,
    TaggerOptions,
    TagNetwork,
    answers,
    as_tagger_input,
    calibrate,
    common_tags,
    micro_f1,
    tag_targets,
    train_tagger,
    vary,
    write_tag_table,
    write_tagger,
)
from paints_undo.training.tokenizer import known_words, learn_merges, write_tokenizer
from wd14_tagger import Tagger
from wd14_tagger.tagger import _read_tags

WORDS = ("hair", "chair", "air", "blue", "girl", "girls", "solo")
TAGS = [("solo", "smile", "143"), ("solo", "blue hair"), ("solo", "smile", "")]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    size = write_tokenizer(folder, WORDS)
    assert {path.name for path in folder.iterdir()} == set(TOKENIZER_FILES)
    tokenizer = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    assert len(tokenizer) == size
    return tokenizer


def test_every_known_word_is_one_token(tokenizer):
    assert len(tokenizer(" ".join(WORDS)).input_ids) == len(WORDS) + 2
    assert tokenizer.convert_ids_to_tokens(tokenizer("1girl, blue hair").input_ids)[1:-1] == [
        "1</w>",
        "girl</w>",
        ",</w>",
        "blue</w>",
        "hair</w>",
    ]


@pytest.mark.parametrize("text", ["xylophone", "naïve", "猫", "😀 #!"])
def test_any_other_text_falls_back_to_its_bytes(tokenizer, text):
    ids = tokenizer(text).input_ids
    assert tokenizer.eos_token_id not in ids[1:-1] and len(ids) > 2
    assert tokenizer.decode(ids, skip_special_tokens=True).replace(" ", "") == text.replace(" ", "")


def test_merges_are_the_same_each_time_and_words_of_rare_tags_are_left_out():
    assert learn_merges(WORDS) == learn_merges(WORDS)
    assert learn_merges(["ab"]) == [("a", "b</w>")]
    words = known_words([("blue hair",)] * 3 + [("xylophone",)], fewest=2)
    assert "hair" in words and "xylophone" not in words and "masterpiece" in words


TINY = TaggerOptions(widths=(8, 16), depths=(1, 1), size=32, batch=8)


@pytest.fixture(scope="module")
def data():
    """Faces, and faces with all colours turned around: easy to tell apart."""
    face = a_face(32)
    frames = [torch.from_numpy(picture).permute(2, 0, 1)[None] for picture in (face, 255 - face)]
    return TimelapseSet([str(i) for i in range(16)], [("solo", "light"), ("solo", "dark hair")] * 8, frames * 8)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    return train_tagger(Training(data, tmp_path_factory.mktemp("run"), TINY, quick(60)))


def test_it_learns_and_the_exported_model_is_a_wd14_model(trained, data, tmp_path):
    write_tagger(tmp_path, trained, data, TINY.size)
    tagger = Tagger(tmp_path / "model.onnx", tmp_path / "selected_tags.csv")
    assert tagger.tags(a_face(32)) == ["solo", "light"]
    assert tagger.tags(255 - a_face(32)) == ["solo", "dark hair"]
    found = tagger.probabilities(a_face(32))
    with torch.no_grad():
        wanted = trained(as_tagger_input(data.finished(torch.tensor([0])))).sigmoid()[0]
    assert np.abs(found - wanted.numpy()).max() < 1e-4
    assert found[0] > 0.9 and found[1:4].max() < 0.1  # general, and no other rating


def test_varied_pictures_stay_pictures_on_white():
    pictures = -torch.ones(64, 3, 32, 32)
    varied = vary(pictures, torch.Generator().manual_seed(0))
    assert varied.shape == pictures.shape and varied.min() >= -1 and varied.max() == 1
    assert len({round(float(some.mean()), 4) for some in varied}) > 32
    assert torch.equal(varied, vary(pictures, torch.Generator().manual_seed(0)))


def test_calibration_moves_the_best_threshold_to_the_apps(trained, data):
    network = TagNetwork(7, TINY)
    network.load_state_dict(trained.state_dict())
    with torch.no_grad():
        network.head.bias[4:] -= 1  # too timid
    indices, targets = torch.arange(16), tag_targets(data.tags, ["solo", "dark hair", "light"])
    before = answers(network, data, indices)
    calibrate(network, data, indices, targets)
    after = answers(network, data, indices)
    assert micro_f1(after.sigmoid(), targets) >= micro_f1(before.sigmoid(), targets)
    assert torch.equal(before[:, :4], after[:, :4])


def test_f1_counts_tags_and_not_ratings():
    targets = torch.tensor([[1.0, 0, 0, 0, 1, 1, 0]])
    assert micro_f1(torch.tensor([[0.0, 1, 1, 1, 0.9, 0.1, 0.9]]), targets) == 0.5


def test_common_tags_come_first_numbers_are_none_and_a_small_set_keeps_rare_ones():
    assert common_tags(TAGS, 1) == {"solo": 3, "smile": 2, "blue hair": 1}
    assert common_tags(TAGS, 2) == {"solo": 3, "smile": 2}
    assert "blue hair" in common_tags(TAGS)
    many = [("solo",)] * 3000 + [("fox",)] * 29 + [("cat",)] * 30
    assert list(common_tags(many)) == ["solo", "cat"]


def test_the_table_is_one_that_the_tagger_reads(tmp_path):
    write_tag_table(tmp_path / "selected_tags.csv", common_tags(TAGS, 1), 3)
    names, categories = _read_tags(tmp_path / "selected_tags.csv")
    assert names == [*RATINGS, "solo", "smile", "blue_hair"]
    assert categories == [9, 9, 9, 9, 0, 0, 0]
    rows = list(csv.DictReader((tmp_path / "selected_tags.csv").open()))
    assert [row["count"] for row in rows] == ["3", "0", "0", "0", "3", "2", "1"]
    assert [int(row["tag_id"]) for row in rows] == list(range(7))


def test_targets_have_a_column_for_each_rating_and_tag():
    targets = tag_targets(TAGS, ["solo", "blue hair"])
    assert torch.equal(targets, torch.tensor([[1.0, 0, 0, 0, 1, 0], [1, 0, 0, 0, 1, 1], [1, 0, 0, 0, 1, 0]]))
