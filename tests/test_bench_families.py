"""Random families load like any other, and those for counting take no room."""

import numpy as np
import pytest
import torch
from safetensors import safe_open

from paints_undo.bench import families
from paints_undo.bench.families import no_tensor, random_family, random_tensor, sizes_of, write_family
from paints_undo.bench.sizes import FamilySizes
from paints_undo.errors import InputError
from paints_undo.family.model_family import PARTS, open_family
from paints_undo.family.weights import load_part, load_tokenizer


@pytest.fixture(scope="module")
def tiny(tiny_family) -> FamilySizes:
    return sizes_of(open_family(tiny_family))


def test_a_random_family_loads_strictly_with_finite_weights_of_sane_scale(tiny, tmp_path):
    family = write_family(tmp_path / "random", tiny, random_tensor)
    for part in PARTS:
        network = load_part(family, part, torch.float32)
        assert all(tensor.isfinite().all() for tensor in network.state_dict().values())
    weight = load_part(family, "multi_frame/unet", torch.float32).get_parameter("out.2.weight")
    assert weight.std() * weight[0].numel() ** 0.5 == pytest.approx(1, rel=0.2)
    assert load_tokenizer(family, "multi_frame/tokenizer")("masterpiece").input_ids
    assert [entry.name for entry in tmp_path.iterdir()] == ["random"]  # nothing left of what was written aside


def test_the_same_family_is_written_every_time(tiny, tmp_path):
    file = "single_frame/unet/" + PARTS["single_frame/unet"].weights
    once, twice = (write_family(tmp_path / name, tiny, random_tensor) for name in "ab")
    assert (once.folders["single_frame"].parent / file).read_bytes() == (
        twice.folders["single_frame"].parent / file
    ).read_bytes()


def test_a_family_for_counting_takes_no_room_on_the_disk(tiny, tmp_path):
    family = write_family(tmp_path / "empty", tiny, no_tensor, data_type="BF16")
    file = family.part_folder("multi_frame/unet") / PARTS["multi_frame/unet"].weights
    with safe_open(file, framework="pt") as stored:
        tensor = stored.get_tensor("out.2.weight")
    assert tensor.dtype == torch.bfloat16 and not tensor.any()
    with open(file, "rb") as stream:
        header = 8 + int.from_bytes(stream.read(8), "little")
    assert header % 8 == 0 and 512 * file.stat().st_blocks < header + 2**16 < file.stat().st_size


def test_a_named_size_is_written_once(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(families.SIZES, "small", tiny)
    family = random_family("small", tmp_path)
    written = (tmp_path / "small" / "model_family.json").stat().st_mtime_ns
    assert random_family("small", tmp_path).folders == family.folders
    assert (tmp_path / "small" / "model_family.json").stat().st_mtime_ns == written
    with pytest.raises(InputError, match="size is 'huge'; use one of"):
        random_family("huge", tmp_path)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(families.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 0}))
    with pytest.raises(OSError, match="less than .* GiB free; free some space or choose --cache"):
        write_family(tmp_path / "random", tiny, random_tensor)
    assert not list(tmp_path.iterdir())


def test_norms_are_near_one_and_biases_near_zero(tmp_path):
    generator = np.random.default_rng(0)
    for key, middle in (("norm.weight", 1), ("norm.bias", 0)):
        with open(tmp_path / key, "wb") as stream:
            random_tensor(stream, key, (1000,), generator)
        values = np.fromfile(tmp_path / key, "<f2").astype(np.float32)
        assert abs(values.mean() - middle) < 0.02 and 0.08 < values.std() < 0.12
