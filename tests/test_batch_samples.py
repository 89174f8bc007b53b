"""Samples hold what they say, the same every time."""

import dataclasses
from typing import Any

import numpy as np
import pytest
from batch_pictures import QuickEngine, items
from fake_engine import FakeEngine, FakeFamily

from paints_undo.batch.dataset import Sample, SampleOptions, draw_sample, packed, probable_tags, tagger_of, unpacked
from paints_undo.errors import CheckpointError, InputError
from paints_undo.pictures.pixels import read_picture
from wd14_tagger import Tagger

PICTURE = np.zeros((64, 64, 3), np.uint8)


class FewTags(Tagger):
    def __init__(self) -> None:
        self.names = ["general", "1girl", "solo", "hat"]

    def probabilities(self, picture: np.ndarray) -> np.ndarray:
        return np.array([0.9, 0.25, 0.9, 0.05], np.float32)

    def prompt(self, picture: np.ndarray, *thresholds: Any, **others: Any) -> str:
        return "1girl, solo"


def drawn(tmp_path, options=None, **values):
    (item,) = items(tmp_path, 1, **values)
    item = dataclasses.replace(item, options=dataclasses.replace(item.options, tag=True))
    picture = read_picture(item.artwork)
    return draw_sample(QuickEngine(), FewTags(), item, picture, options or SampleOptions()), item


def test_a_sample_and_its_arrays(tmp_path):
    sample, _ = drawn(tmp_path, prompt="", operation_steps=(400, 950))
    assert str(sample.prompt) == "1girl, solo" and sample.steps.tolist() == [400, 950]
    assert sample.artwork.shape == sample.line_art.shape == (48, 32, 3)
    assert np.array_equal(sample.sketch, sample.keyframes[1]) and not np.array_equal(sample.sketch, sample.line_art)
    assert list(sample.probable) == ["general", "solo", "1girl"] and sample.probable["1girl"] == 0.25

    again = Sample(**unpacked(packed(**vars(sample))))
    assert again.probable == sample.probable and again.steps.tolist() == [400, 950]
    for name in ("artwork", "line_art", "sketch", "keyframes", "prompt"):
        assert np.array_equal(getattr(again, name), getattr(sample, name))
    none, _ = drawn(tmp_path, SampleOptions(least_probability=1.0), prompt="x")
    assert Sample(**unpacked(packed(**vars(none)))).probable == {}


def test_the_seed_decides(tmp_path):
    first, second = (vars(drawn(tmp_path, seed=7)[0]) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not np.array_equal(first["keyframes"], drawn(tmp_path, seed=8)[0].keyframes)


def test_a_prompt_of_ones_own_stays(tmp_path):
    assert str(drawn(tmp_path, prompt="a cat")[0].prompt) == "a cat"


def test_options_are_checked():
    for values in ({"line_art_step": 1000}, {"sketch_step": -1}, {"least_probability": 1.5}):
        with pytest.raises(InputError, match="; use a"):
            SampleOptions(**values)


def test_probable_tags_have_a_least():
    assert list(probable_tags(FewTags(), PICTURE, 0.0)) == ["general", "solo", "1girl", "hat"]
    assert probable_tags(FewTags(), PICTURE, 1.0) == {}


def test_families_without_a_tagger_are_refused():
    engine = FakeEngine(family=FakeFamily(name="bare"))
    with pytest.raises(CheckpointError, match="bare has no tagger"):
        tagger_of(engine)
