"""One function computes every attention, whatever the backend and the batch."""

import pytest
import torch

from paints_undo.models import attention as module
from paints_undo.models.attention import attention, attention_backend
from paints_undo.models.picture_vae import picture_vae
from paints_undo.models.video_vae import PixelAttention


def plainly(query, key, value, heads):
    """Attention by its definition, in float64."""
    split = [x.double().unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value)]
    weights = (split[0] @ split[1].transpose(-1, -2) / split[0].shape[-1] ** 0.5).softmax(-1)
    return (weights @ split[2]).transpose(1, 2).flatten(2)


def tokens(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("backend", ["sdpa", "plain"])
def test_against_the_definition(backend):
    query, key, value = tokens(2, 5, 24), tokens(2, 7, 24, seed=1), tokens(2, 7, 24, seed=2)
    with attention_backend(backend):
        found = attention(query, key, value, heads=3)
    assert (found - plainly(query, key, value, 3)).abs().max() < 1e-6


def test_large_batches_are_cut_in_pieces(monkeypatch):
    query, key, value = (tokens(11, 4, 8, seed=seed) for seed in range(3))
    whole, seen = attention(query, key, value, heads=2), []
    sdpa = module.BACKENDS["sdpa"]
    monkeypatch.setitem(module.BACKENDS, "sdpa", lambda q, k, v: seen.append(len(q)) or sdpa(q, k, v))
    monkeypatch.setattr(module, "LARGEST_BATCH", 4)
    assert torch.equal(attention(query, key, value, heads=2), whole)
    assert seen == [4, 4, 3]


@pytest.mark.parametrize("most", [11 * 3 * 4 * 5 - 1, 3 * 4 * 5 - 1, 4 * 5 - 1, 5, 1])
def test_scores_that_are_kept_are_few_at_a_time(monkeypatch, most):
    query, key, value = tokens(11, 4, 24), tokens(11, 5, 24, seed=1), tokens(11, 5, 24, seed=2)
    whole, seen = attention(query, key, value, heads=3), []
    sdpa = module.BACKENDS["sdpa"]
    monkeypatch.setitem(
        module.BACKENDS, "sdpa", lambda q, k, v: seen.append(q.shape[:-1].numel() * k.shape[-2]) or sdpa(q, k, v)
    )
    monkeypatch.setattr(module, "MOST_SCORES", most)
    attention(query, key, value, heads=3)
    assert seen == [11 * 3 * 4 * 5], "but not where none are kept"
    seen.clear()
    monkeypatch.setattr(module, "KEEP_SCORES", ("cpu",))
    assert torch.allclose(attention(query, key, value, heads=3), whole, atol=1e-6)
    assert sum(seen) == 11 * 3 * 4 * 5 and max(seen) <= max(most, 5) < 2 * max(seen) + 5


def test_the_definition_as_a_backend_and_the_picture_vae_keep_few_scores(monkeypatch):
    vae, seen = picture_vae({"block_out_channels": [32], "down_block_types": ["DownEncoderBlock2D"]}), []
    plain = module.BACKENDS["plain"]
    monkeypatch.setitem(module.BACKENDS, "plain", lambda q, k, v: seen.append(q.shape) or plain(q, k, v))
    monkeypatch.setattr(module, "MOST_SCORES", 6 * 64)
    latents = torch.zeros(1, 4, 8, 8)
    with torch.inference_mode(), attention_backend("plain"):
        vae.decode(latents)
    assert seen == [(1, 1, 6, 32)] * 10 + [(1, 1, 4, 32)]


def test_chosen_backend_is_used_and_forgotten(monkeypatch):
    calls = []
    monkeypatch.setitem(module.BACKENDS, "other", lambda q, k, v: calls.append(q.shape) or q)
    x = tokens(1, 3, 8)
    with attention_backend("other"):
        assert torch.equal(attention(x, x, x, heads=2), x)
    attention(x, x, x, heads=2)
    assert calls == [(1, 2, 3, 4)]


def test_unknown_backend():
    with (
        pytest.raises(ValueError, match="'flash' is unknown; choose one of sdpa, xformers"),
        attention_backend("flash"),
    ):
        pass


@pytest.mark.gpu
def test_xformers_agrees_with_sdpa():
    pytest.importorskip("xformers.ops", reason="the extra xformers is not installed")
    query, key, value = (tokens(4, 64, 128, seed=seed).cuda().half() for seed in range(3))
    with attention_backend("xformers"):
        found = attention(query, key, value, heads=2)
    assert (found - attention(query, key, value, heads=2)).abs().max() < 5e-3


def test_off_a_cpu_each_token_lies_in_one_piece(monkeypatch):
    """Where it does not, PyTorch takes the path that holds the whole matrix of weights."""
    seen = []

    def kernel(*tensors):
        seen.append([tensor.stride(-1) for tensor in tensors])
        return torch.empty_like(tensors[0])

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", kernel)
    picture = torch.empty(1, 64, 8, 8, device="meta")
    PixelAttention(64, 8).to("meta")(picture)
    assert seen == [[1, 1, 1]]
