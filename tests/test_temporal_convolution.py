"""The temporal convolution is Conv3d's, in any memory order."""

import pytest
import torch
from torch import nn

from paints_undo.models.temporal_convolution import TemporalConvolution3x1x1


@pytest.fixture
def layer():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TemporalConvolution3x1x1(6, 10)


def last(x):
    """The same numbers with channels last in memory, frame after frame."""
    return x.movedim(1, -1).contiguous().movedim(-1, 1)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("order", [last, torch.clone, lambda x: x.transpose(1, 2).contiguous().transpose(1, 2)])
def test_same_as_conv3d(layer, batch, order):
    video = torch.randn(batch, 6, 5, 4, 3, generator=torch.Generator().manual_seed(1))
    expected = nn.Conv3d.forward(layer, video)
    torch.testing.assert_close(layer(order(video)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", [1, 2])
@torch.inference_mode()
def test_channels_stay_last(layer, batch):
    layer = TemporalConvolution3x1x1(32, 32)
    found = layer(last(torch.zeros(batch, 32, 16, 16, 16)))
    assert found.movedim(1, -1).is_contiguous()


def test_gradients_are_conv3d_s(layer):
    gradients = []
    for forward in (layer.forward, lambda x: nn.Conv3d.forward(layer, x)):
        video = torch.randn(1, 6, 4, 3, 3, generator=torch.Generator().manual_seed(1)).requires_grad_()
        layer.zero_grad()
        forward(video).square().sum().backward()
        gradients.append([video.grad, layer.weight.grad, layer.bias.grad])
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_keys_and_shapes(layer):
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {"weight": (10, 6, 3, 1, 1), "bias": (10,)}
