"""Counts of whole runs, without running them."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from paints_undo.bench.count import OneKernelAttention, count, count_once
from paints_undo.bench.families import no_tensor, sizes_of, write_family
from paints_undo.bench.live_bytes import LiveBytes
from paints_undo.bench.sizes import SIZES
from paints_undo.errors import InputError
from paints_undo.family.choice import defaults_of
from paints_undo.family.model_family import PARTS, open_family
from paints_undo.family.weights import load_part

META = torch.device("meta")


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
def stage_by_stage(family, options):
    return count(family, options, "stage")


def test_each_network_is_brought_once_and_the_autoencoders_again_to_decode(family, stage_by_stage):
    sizes = {part: sum(p.nbytes for p in load_part(family, part, torch.bfloat16).parameters()) for part in PARTS}
    assert stage_by_stage.loads == 8 + 2
    moved = sum(numbers["weight_bytes"] for numbers in stage_by_stage.stages.values())
    assert moved == sum(sizes.values()) + sizes["single_frame/vae"] + sizes["multi_frame/vae"]
    assert sizes["multi_frame/unet"] < stage_by_stage.peak_bytes < sum(sizes.values())


def test_counts_of_two_short_runs_give_those_of_a_longer_one(family, options, stage_by_stage):
    once = count_once(family, options, "stage")
    assert list(stage_by_stage.stages) == list(once.stages)
    assert stage_by_stage.flop == pytest.approx(once.flop, rel=1e-9)
    assert stage_by_stage.bytes_moved == pytest.approx(once.bytes_moved, rel=1e-9)


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
