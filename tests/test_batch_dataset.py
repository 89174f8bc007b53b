"""Samples hold what they say, and datasets of them are read back by the libraries they are for."""

import dataclasses
import gzip
import io
import json
from typing import Any

import cv2
import datasets
import numpy as np
import PIL.Image
import pytest
import webdataset
from batch_pictures import QuickEngine, items, scan
from fake_engine import FakeEngine, FakeFamily

from paints_undo.batch.dataset import (
    Sample,
    SampleOptions,
    draw_sample,
    packed,
    probable_tags,
    tagger_of,
    unpacked,
    write_dataset,
)
from paints_undo.batch.items import Shard
from paints_undo.batch.store import open_store
from paints_undo.errors import CheckpointError, InputError
from paints_undo.pictures.pixels import read_picture
from paints_undo.strokes.process import Process
from paints_undo.strokes_engine import Strokes
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


def test_the_seed_and_a_prompt_of_ones_own_decide(tmp_path):
    first, second = (vars(drawn(tmp_path, seed=7)[0]) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)
    other, _ = drawn(tmp_path, seed=8, prompt="a cat")
    assert not np.array_equal(first["keyframes"], other.keyframes) and str(other.prompt) == "a cat"


def test_what_a_sample_cannot_hold_is_refused():
    for values in ({"line_art_step": 1000}, {"sketch_step": -1}, {"least_probability": 1.5}):
        with pytest.raises(InputError, match="; use a"):
            SampleOptions(**values)
    assert list(probable_tags(FewTags(), PICTURE, 0.0)) == ["general", "solo", "1girl", "hat"]
    assert probable_tags(FewTags(), PICTURE, 1.0) == {}
    with pytest.raises(CheckpointError, match="bare has no tagger"):
        tagger_of(FakeEngine(family=FakeFamily(name="bare")))


def sample_of(number):
    def picture(value):
        return np.full((8, 8, 3), (number, value, 0), np.uint8)

    keyframes, prompt = np.stack([picture(1), picture(2)]), np.array(f"prompt {number}")
    tags, probabilities = np.array(["1girl", "solo"]), np.array([0.5, 0.25], np.float32)
    return Sample(picture(0), np.array([400, 999]), keyframes, picture(3), picture(4), prompt, tags, probabilities)


@pytest.fixture
def place(tmp_path):
    """A folder with five samples; (folder, items)."""
    some, store = items(tmp_path / "art", 5), open_store(str(tmp_path / "out"))
    for number, item in enumerate(some):
        store.write(f"batch/samples/{item.key}.npz", packed(**vars(sample_of(number))))
    return tmp_path / "out", some


def test_webdataset_reads_its_shards(place):
    folder, some = place
    names = write_dataset("webdataset", open_store(str(folder)), some, 2, Shard())
    assert names == [f"dataset/samples-00000-{number:06d}.tar" for number in range(3)]
    paths = [str(folder / name) for name in names]
    read = list(webdataset.WebDataset(paths, shardshuffle=False, empty_check=False).decode("rgb8"))
    assert [sample["__key__"] for sample in read] == sorted(item.key[:32] for item in some)
    by_key = {item.key[:32]: number for number, item in enumerate(some)}
    for sample in read:
        number = by_key[sample["__key__"]]
        expected = {
            "artwork.png": 0,
            "keyframe_0400.png": 1,
            "keyframe_0999.png": 2,
            "line_art.png": 3,
            "sketch.png": 4,
        }
        assert {name: tuple(sample[name][0, 0]) for name in expected} == {
            name: (number, value, 0) for name, value in expected.items()
        }
        assert sample["txt"] == f"prompt {number}" and sample["json"]["tags"] == {"1girl": 0.5, "solo": 0.25}
        assert sample["json"]["artwork_sha256"] == some[number].digest


def test_datasets_reads_its_folder(place, tmp_path):
    folder, some = place
    write_dataset("huggingface", open_store(str(folder)), some, 2, Shard())
    read = datasets.load_dataset(str(folder / "dataset"), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(read) == 5 and read["key"] == sorted(item.key[:32] for item in some)
    by_key = {item.key[:32]: number for number, item in enumerate(some)}
    for row in read:
        number = by_key[row["key"]]
        assert row["operation_steps"] == [400, 999] and row["tags"] == ["1girl", "solo"]
        assert row["probabilities"] == [0.5, 0.25] and row["prompt"] == f"prompt {number}"
        assert np.asarray(row["keyframes"][1])[0, 0].tolist() == [number, 2, 0]
        assert np.asarray(row["sketch"])[0, 0].tolist() == [number, 4, 0]
        assert json.loads(row["facts"])["settings"]["operation_steps"] == [400, 800]


@pytest.mark.parametrize("kind", ["webdataset", "huggingface"])
def test_the_same_samples_give_the_same_bytes(place, kind):
    folder, some = place
    write_dataset(kind, open_store(str(folder)), some, 3, Shard())
    first = scan(folder / "dataset")
    write_dataset(kind, open_store(str(folder)), some[::-1], 3, Shard())
    assert scan(folder / "dataset") == first


def test_parts_have_files_of_their_own(place):
    folder, some = place
    store = open_store(str(folder))
    names = [name for n in (1, 2) for name in write_dataset("webdataset", store, some[n - 1 :: 2], 9, Shard(n, 2))]
    assert names == ["dataset/samples-00000-000000.tar", "dataset/samples-00001-000000.tar"]


def test_a_sample_that_is_gone_is_named(place):
    folder, some = place
    (folder / "batch" / "samples" / f"{some[0].key}.npz").unlink()
    with pytest.raises(InputError, match="the sample of picture 000.png is gone"):
        write_dataset("webdataset", open_store(str(folder)), some, 9, Shard())


class OneTag:
    names = ("solo",)

    def probabilities(self, artwork):
        return np.array([0.5])


@pytest.fixture
def strokes(tmp_path):
    """A folder with a sample of an artwork that is drawn in strokes; (folder, items, sample, artwork)."""
    some, store = items(tmp_path / "art", 1), open_store(str(tmp_path / "out"))
    engine = Strokes()
    item = dataclasses.replace(some[0], options=engine.default_options)
    artwork = cv2.resize(read_picture("paints_undo/examples/girl.png"), (200, 250), interpolation=cv2.INTER_AREA)
    tagger: Any = OneTag()
    sample = draw_sample(engine, tagger, item, artwork, SampleOptions())
    store.write(f"batch/samples/{item.key}.npz", packed(**vars(sample)))
    return tmp_path / "out", [item], sample, artwork


def test_a_drawing_in_strokes_gives_its_layers_and_operations(strokes, tmp_path):
    folder, some, sample, artwork = strokes
    names = write_dataset("webdataset", open_store(str(folder)), some, 2, Shard())
    read = next(iter(webdataset.WebDataset(str(folder / names[0]), shardshuffle=False, empty_check=False)))
    for name in ("artwork", "line_art", "sketch", "flats", "shadow", "light"):
        pixels = np.asarray(PIL.Image.open(io.BytesIO(read[f"{name}.png"])))
        assert np.array_equal(pixels, getattr(sample, name)) and pixels.shape[:2] == (250, 200)
    assert np.array_equal(sample.artwork, artwork)
    assert (sample.line_art != 255).any() and (sample.sketch != 255).any() and not (sample.flats == 0).all()
    (tmp_path / "operations.json.gz").write_bytes(read["operations.json.gz"])
    process = Process.read(tmp_path / "operations.json.gz", artwork)
    assert np.array_equal(sample.keyframes[0], process.canvas(1000 - int(sample.steps[0])))
    assert len(json.loads(gzip.decompress(read["operations.json.gz"]))["operations"]) == 1000


def test_they_are_in_its_folder_for_datasets(strokes, tmp_path):
    folder, some, sample, _ = strokes
    write_dataset("huggingface", open_store(str(folder)), some, 2, Shard())
    row = datasets.load_dataset(str(folder / "dataset"), split="train", cache_dir=str(tmp_path / "cache"))[0]
    assert np.array_equal(np.asarray(row["flats"]), sample.flats) and row["shadow"].mode == "RGBA"
    assert row["operations"] == sample.operations.tobytes()
