"""A layer in pieces computes what it computes as a whole."""

import pytest
import torch
from torch import nn

from paints_undo.models import pieces as module
from paints_undo.models.pieces import feed_forward_pieces, in_pieces


def run(layer, tokens):
    """The result, and how many tokens the layer was given at a time."""
    seen = []
    return in_pieces(lambda x: seen.append(x.shape[:-1].numel()) or layer(x), tokens, inner_width=16), seen


@pytest.fixture
def layer():
    return nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 4))


@pytest.mark.parametrize(("pieces", "sizes"), [(1, [30]), (2, [15, 15]), (4, [8, 8, 8, 6]), (100, [1] * 30)])
def test_same_numbers_in_pieces(layer, pieces, sizes):
    tokens = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    with feed_forward_pieces(pieces):
        found, seen = run(layer, tokens)
    assert seen == sizes
    torch.testing.assert_close(found, layer(tokens), rtol=1e-6, atol=1e-6)


def test_pieces_fit_the_cache_unless_gradients_are_recorded(layer, monkeypatch):
    monkeypatch.setattr(module, "CACHED_BYTES", 10 * 16 * 4)
    tokens = torch.ones(6, 5, 4)
    assert run(layer, tokens)[1] == [30]
    with torch.inference_mode():
        assert run(layer, tokens)[1] == [10, 10, 10]
        with feed_forward_pieces(5):
            assert run(layer, tokens)[1] == [6] * 5


def test_gradients_flow_through_pieces(layer):
    tokens = torch.ones(3, 2, 4, requires_grad=True)
    with feed_forward_pieces(3):
        run(layer, tokens)[0].sum().backward()
    assert tokens.grad.abs().min() > 0


def test_at_least_one_piece():
    with pytest.raises(ValueError, match="feed-forward pieces is 0; use 1 or more"), feed_forward_pieces(0):
        pass
