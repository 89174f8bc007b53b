"""Counts of whole runs, without running them."""

from dataclasses import replace

import pytest
import torch

from paints_undo.bench.count import count, count_once
from paints_undo.bench.families import no_tensor, sizes_of, write_family
from paints_undo.errors import InputError
from paints_undo.family.choice import defaults_of
from paints_undo.family.model_family import PARTS, open_family
from paints_undo.family.weights import load_part


@pytest.fixture(scope="module")
def family(tiny_family, tmp_path_factory):
    return write_family(
        tmp_path_factory.mktemp("count") / "f", sizes_of(open_family(tiny_family)), no_tensor, data_type="BF16"
    )


@pytest.fixture(scope="module")
def options(family):
    chosen = defaults_of(family)
    keyframes = replace(chosen.keyframes, operation_steps=(500,), sampling_steps=3, guidance_scale=1)
    return replace(chosen, keyframes=keyframes, segments=replace(chosen.segments, sampling_steps=4, guidance_scale=1))


@pytest.fixture(scope="module")
def original(family, options):
    return count(family, options, "original")


def test_the_original_brings_each_network_for_each_pair_and_takes_it_back(family, original):
    pairs = 2
    assert original.loads == 4 + 6 * pairs and original.unloads == original.loads - 1
    sizes = {part: sum(p.nbytes for p in load_part(family, part, torch.bfloat16).parameters()) for part in PARTS}
    up = sum(sizes.values()) + sizes["single_frame/vae"]
    up += sizes["multi_frame/vae"] + (pairs - 1) * (
        sum(size for part, size in sizes.items() if part.startswith("multi")) + sizes["multi_frame/vae"]
    )
    down = up - sizes["multi_frame/vae"]
    moved = sum(numbers["weight_bytes"] for numbers in original.stages.values())
    assert moved == pytest.approx(up + down, rel=0.01)  # beside the weights there are numbers of positions


def test_counts_of_two_short_runs_give_those_of_a_longer_one(family, options, original):
    once = count_once(family, options, "original")
    assert original.stages.keys() == once.stages.keys()
    assert original.flop == pytest.approx(once.flop, rel=1e-9)
    assert original.bytes_moved == pytest.approx(once.bytes_moved, rel=1e-9)


def test_this_program_computes_and_moves_less(family, options, original):
    auto = count(family, options, "auto")
    assert auto.flop < original.flop and auto.bytes_moved < original.bytes_moved and auto.loads < original.loads
    assert auto.unloads == 0 and auto.peak_bytes > 0
    assert {stage for stage, _ in auto.spans} <= auto.stages.keys()


def test_streaming_cannot_be_counted(family, options):
    with pytest.raises(InputError, match="the plan least streams networks block by block, which --count cannot follow"):
        count(family, options, "least")
