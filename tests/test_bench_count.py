"""Whole runs counted without running them, and the families of random or no weights for that."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from paints_undo.bench import count as counting
from paints_undo.bench import families
from paints_undo.bench.count import OneKernelAttention, count, count_once
from paints_undo.bench.families import (
    FULL,
    SIZES,
    SMALL,
    FamilySizes,
    no_tensor,
    random_family,
    random_tensor,
    shapes_of,
    sizes_of,
    write_family,
)
from paints_undo.bench.live_bytes import ACTIVATIONS, WEIGHTS, LiveBytes
from paints_undo.errors import InputError
from paints_undo.family.choice import defaults_of
from paints_undo.family.model_family import PARTS, open_family
from paints_undo.family.weights import load_part, load_tokenizer

META = torch.device("meta")
KB = 1024


@pytest.fixture(scope="module")
def family(tiny_family, tmp_path_factory):
    return write_family(
        tmp_path_factory.mktemp("count") / "f", sizes_of(open_family(tiny_family)), no_tensor, data_type="BF16"
    )


@pytest.fixture(scope="module")
def options(family):
    """Of three sampling steps of keyframes and four of segments, neither with guidance."""
    chosen = defaults_of(family)
    keyframes = replace(chosen.keyframes, operation_steps=(500,), sampling_steps=3, guidance_scale=1)
    return replace(chosen, keyframes=keyframes, segments=replace(chosen.segments, sampling_steps=4, guidance_scale=1))


@pytest.fixture(scope="module")
def runs(family, options):
    """Of one sampling step and of two, by the plan stage."""
    return {steps: count_once(family, counting.with_sampling_steps(options, steps), "stage") for steps in (1, 2)}


def test_each_network_is_brought_once_and_the_autoencoders_again_to_decode(family, runs):
    sizes = {part: sum(p.nbytes for p in load_part(family, part, torch.bfloat16).parameters()) for part in PARTS}
    for run in runs.values():
        assert run.loads == 8 + 2
        moved = sum(numbers["weight_bytes"] for numbers in run.stages.values())
        assert moved == sum(sizes.values()) + sizes["single_frame/vae"] + sizes["multi_frame/vae"]
        assert sizes["multi_frame/unet"] < run.peak_bytes < sum(sizes.values())


def test_every_further_step_counts_as_the_first_one_did(family, options, runs, monkeypatch):
    monkeypatch.setattr(counting, "count_once", lambda family, chosen, plan: runs[chosen.keyframes.sampling_steps])
    longer = counting.count(family, options, "stage")
    for stage, numbers in longer.stages.items():
        steps = {"keyframes sampling": 3, "segments sampling": 4}.get(stage, 1)
        assert numbers["flop"] == pytest.approx(steps * runs[1].stages[stage]["flop"], rel=0.02), stage
        assert numbers["peak_bytes"] == max(run.stages[stage]["peak_bytes"] for run in runs.values())
    assert longer.flop > 2 * runs[1].stages["segments sampling"]["flop"] > 0 < longer.bytes_moved


def test_streaming_cannot_be_counted(tmp_path, family, options):
    with pytest.raises(InputError, match="the plan least is none of those that this device has memory for"):
        count(family, options, "least")  # its networks are smaller than a ring
    full = write_family(tmp_path / "full", SIZES["full"], no_tensor)
    with pytest.raises(InputError, match="the plan least streams networks block by block, which --count cannot follow"):
        count(full, defaults_of(full), "least")


def test_products_and_convolutions_count_two_for_each_multiplication():
    with torch.inference_mode(), FlopCounterMode(display=False) as products:
        F.linear(torch.empty(3, 5, device=META), torch.empty(7, 5, device=META))
        F.conv2d(torch.empty(1, 2, 8, 8, device=META), torch.empty(4, 2, 3, 3, device=META), padding=1)
    assert products.get_total_flops() == 2 * 3 * 5 * 7 + 2 * 64 * 4 * 2 * 9


def test_attention_is_one_kernel_that_keeps_no_scores():
    with torch.inference_mode(), LiveBytes(META) as live, OneKernelAttention() as attention:
        query, key = (torch.empty(2, 4, tokens, 8, device=META) for tokens in (1000, 77))
        seen = F.scaled_dot_product_attention(query, key, key)
        assert seen.shape == query.shape
        seen.transpose(1, 2).flatten(2)  # free, as behind the kernels of a GPU
        assert live.peak == query.nbytes + key.nbytes + seen.nbytes
    assert attention.flop == 2 * 2 * 2 * 4 * 1000 * 77 * 8


def test_on_a_cpu_attention_is_computed():
    tokens = torch.randn(1, 1, 3, 4)
    with OneKernelAttention():
        seen = F.scaled_dot_product_attention(tokens, tokens, tokens)
    torch.testing.assert_close(seen, F.scaled_dot_product_attention(tokens, tokens, tokens))


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_tensors_count_while_they_live(device):
    given = torch.empty(5 * KB, dtype=torch.uint8, device=device)
    with LiveBytes(torch.device(device)) as live:
        given[KB:].view(2, -1).detach()  # what was there before is not of this block
        first = torch.empty(KB, dtype=torch.uint8, device=device)
        again = first.view(2, -1)  # the same memory
        assert live.live == KB
        second = torch.empty(2 * KB, dtype=torch.uint8, device=device)
        assert live.live == live.peak == 3 * KB
        del second
        assert (live.live, live.peak) == (KB, 3 * KB)
        assert live.restart_peak() == 3 * KB and live.peak == KB
        del first
        assert live.live == KB
        del again
        assert live.live == 0


def test_copies_are_counted_both_ways_by_kind_and_arrive_as_zeros():
    network, host = nn.Linear(KB // 4, 1), torch.ones(KB, dtype=torch.uint8)
    with torch.no_grad(), LiveBytes(META) as live:
        weights = [parameter.to(META) for parameter in (network.weight, network.bias)]
        there = host.to(META)
        back = (there + 1).cpu()
        assert not back.any() and back.device.type == "cpu"
        kept = torch.ones(KB, dtype=torch.uint8)
        kept.copy_(there)
        there.copy_(host)
        weights[0] = network.weight.to(META)
    assert live.moved == {WEIGHTS: 2 * KB + 4, ACTIVATIONS: 4 * KB}
    assert live.loads == 2


def test_networks_that_are_built_do_not_count():
    with LiveBytes(META) as live:
        with META:
            built = nn.Linear(KB, KB)
        built.state_dict()
        assert live.live == live.peak == 0
        brought = torch.ones(KB).to(META)
        assert live.live == 4 * KB
    assert built.weight.is_meta and brought.is_meta


def test_numbers_can_be_read_off_tensors_without_values():
    with LiveBytes(META):
        assert torch.empty((), device=META).item() == 1.0
        assert bool(torch.isfinite(torch.empty(3, device=META)).all())


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


KEYS = Path(__file__).parent / "data" / "released" / "keys"


def test_the_full_size_is_the_published_one():
    weights = 0
    for part, config in FULL.configs.items():
        shapes = shapes_of(part, config)
        published = json.loads((KEYS / f"{part.replace('/', '_')}.json").read_text())
        shapes = {key: list(shape) for key, shape in shapes.items()}
        assert shapes == {key: shape for key, shape in published.items() if not key.endswith("position_ids")}
        weights += sum(math.prod(shape) for shape in shapes.values())
    assert 2 * weights / 2**30 == pytest.approx(6.745, abs=0.001)


def test_the_small_size_has_every_part_and_a_mid_size_unet():
    assert SMALL.configs.keys() == PARTS.keys()
    shapes = shapes_of("multi_frame/unet", SMALL.configs["multi_frame/unet"])
    assert 30e6 < sum(math.prod(shape) for shape in shapes.values()) < 65e6
