"""Group normalisation is as exact with channels last as with channels first, and keeps them there."""

import pytest
import torch
from live_bytes import LiveBytes
from torch import nn
from torch.nn import functional as F

from paints_undo.models import normalization
from paints_undo.models.normalization import GroupNorm, GroupNormSiLU, channels_last

SHAPES = [(3, 8, 5, 4), (1, 8, 5, 4), (2, 8, 3, 5, 4)]


def last(x):
    """The same numbers with channels last in memory."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


def norm(kind=GroupNorm):
    layer = kind(4, 8)
    with torch.no_grad():
        layer.weight.copy_(torch.linspace(-1, 2, 8))
        layer.bias.copy_(torch.linspace(2, -1, 8))
    return layer


def expected(x, layer):
    return F.group_norm(x.double(), 4, layer.weight.double(), layer.bias.double(), layer.eps)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", [last, torch.clone])
@torch.inference_mode()
def test_against_float64(shape, order):
    x, layer = order(3 + torch.randn(shape, generator=torch.Generator().manual_seed(0))), norm()
    found = layer(x)
    assert (found - expected(x, layer)).abs().max() < 2e-6
    assert channels_last(found) == (order is last)
    with_silu = norm(GroupNormSiLU)(x)
    assert (with_silu - F.silu(expected(x, layer))).abs().max() < 2e-6


@torch.inference_mode()
def test_constant_pictures_stay_constant():
    x, layer = torch.full((2, 8, 32, 32), 7.3), norm()
    assert (layer(last(x)) - layer.bias[:, None, None]).abs().max() < 1e-3
    noisy = x + 1e-3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    own, pytorch = layer(last(noisy)), nn.GroupNorm.forward(layer, noisy)
    error, allowed = ((each - expected(noisy, layer)).abs().max() for each in (own, pytorch))
    assert error < max(2 * allowed, 1e-5)


@torch.inference_mode()
def test_half_precision_sums_in_float32():
    x, layer = last(100 + torch.randn(2, 8, 16, 16, generator=torch.Generator().manual_seed(0))).bfloat16(), norm()
    found = layer.bfloat16()(x)
    assert found.dtype == torch.bfloat16
    assert (found - expected(x, layer)).abs().max() < 0.05


@pytest.mark.parametrize("at_once", [1, 8 * 100, 2**23])
@torch.inference_mode()
def test_half_precision_becomes_float32_a_slice_at_a_time(at_once, monkeypatch):
    monkeypatch.setitem(normalization.SLICE, "cpu", at_once)
    noise = torch.randn(2, 8, 16, 17, generator=torch.Generator().manual_seed(0))
    x, layer = last(3 + noise).bfloat16(), norm(GroupNormSiLU).bfloat16()
    with LiveBytes(torch.device("cpu")) as live:
        found = layer(x)
    assert (found - F.silu(expected(x, layer))).abs().max() < 0.04
    if at_once == 8 * 100:
        assert live.peak < 4 * x.nbytes, "less than the two float32 copies of all of it"


def test_gradients():
    x, layer = last(torch.randn(2, 8, 3, 3, generator=torch.Generator().manual_seed(0))).requires_grad_(), norm()
    layer(x).square().sum().backward()
    assert x.grad.isfinite().all()
    assert layer.weight.grad.abs().min() > 0
