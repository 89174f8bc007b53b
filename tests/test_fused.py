"""When networks use fused kernels, and when they do without."""

import logging
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
from torch.nn import functional as F

from paints_undo import PaintsUndo, SegmentOptions
from paints_undo.models import fused
from paints_undo.models.fused import find_kernels, fused_kernels, kernels_in_use
from paints_undo.models.normalization import GroupNorm, GroupNormSiLU
from paints_undo.models.video_unet_blocks import GEGLU

CPU = torch.device("cpu")


def group_norm(tokens, groups, weight, bias, eps, silu):
    normal = F.group_norm(tokens.transpose(1, 2), groups, weight, bias, eps).transpose(1, 2).contiguous()
    return F.silu(normal) if silu else normal


def geglu(projected):
    value, gate = projected.chunk(2, dim=-1)
    return value * F.gelu(gate)


def kernels_of(**functions: Callable[..., torch.Tensor]) -> ModuleType:
    """A module of kernels, as models/triton_kernels.py is one."""
    module = ModuleType("kernels")
    vars(module).update(functions)
    return module


OWN = kernels_of(group_norm=group_norm, geglu=geglu)
WRONG = kernels_of(group_norm=group_norm, geglu=lambda projected: 1.1 * geglu(projected))


@pytest.fixture
def with_kernels(monkeypatch):
    """This machine's CPU as a device that has kernels, these."""

    def have(kernels):
        monkeypatch.setattr(fused, "WITHOUT", ())
        monkeypatch.setattr(fused.importlib, "import_module", lambda name: kernels)

    return have


def test_only_within_the_block_and_without_gradients():
    assert kernels_in_use() is None
    with fused_kernels(OWN):
        assert kernels_in_use() is None  # gradients may be asked for
        with torch.inference_mode():
            assert kernels_in_use() is OWN
    with torch.inference_mode():
        assert kernels_in_use() is None


@pytest.mark.parametrize("layer", [GroupNorm(4, 8), GroupNormSiLU(4, 8), GEGLU(8, 16)], ids=lambda x: type(x).__name__)
def test_layers_use_them(layer):
    used = []
    noted = kernels_of(
        group_norm=lambda *given, **options: used.append("norm") or group_norm(*given, **options),
        geglu=lambda projected: used.append("gate") or geglu(projected),
    )
    x = torch.randn(2, 5, 4, 8, generator=torch.Generator().manual_seed(0))
    x = x if isinstance(layer, GEGLU) else x.movedim(-1, 1)
    with torch.inference_mode():
        eager = layer(x)
        with fused_kernels(noted):
            found = layer(x)
    assert len(used) == 1 and found.stride() == eager.stride()
    assert (found - eager).abs().max() < 1e-6


def test_a_cpu_has_none():
    assert find_kernels(CPU, torch.float32) is None


def test_kernels_that_agree_are_used(with_kernels):
    with_kernels(OWN)
    assert find_kernels(CPU, torch.float32) is OWN and find_kernels(CPU, torch.bfloat16) is OWN


def test_kernels_that_do_not_agree_are_left_alone(with_kernels, caplog):
    with_kernels(WRONG)
    assert find_kernels(CPU, torch.float32) is None
    assert "differ from PyTorch" in caplog.text


def test_what_cannot_be_imported_or_compiled_is_done_without(with_kernels, caplog):
    def broken(*given, **options):
        raise RuntimeError("the driver is too old")

    with_kernels(kernels_of(group_norm=broken))
    with caplog.at_level(logging.INFO):
        assert find_kernels(CPU, torch.float32) is None
    assert "the driver is too old" in caplog.text


def test_bit_exact_runs_do_without(with_kernels, tiny_family):
    with_kernels(OWN)
    assert PaintsUndo.load(tiny_family, device="cpu")._kernels is OWN
    assert PaintsUndo.load(tiny_family, device="cpu", bit_exact=True)._kernels is None


def test_an_engine_that_has_kernels_draws_with_them(with_kernels, tiny_family):
    used = []
    with_kernels(kernels_of(group_norm=group_norm, geglu=lambda projected: used.append(1) or geglu(projected)))
    engine = PaintsUndo.load(tiny_family, device="cpu")
    used.clear()
    pictures = [torch.full((64, 96, 3), grey, dtype=torch.uint8).numpy() for grey in (80, 255)]
    engine.fill_segments(pictures, SegmentOptions(sampling_steps=1))
    assert used
