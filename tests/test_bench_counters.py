"""FLOP and bytes of known operations."""

import torch
from torch.nn import functional as F

from paints_undo.bench.counters import counting

META = torch.device("meta")


def test_products_and_convolutions_count_two_for_each_multiplication():
    with torch.inference_mode(), counting(META) as counters:
        F.linear(torch.empty(3, 5, device=META), torch.empty(7, 5, device=META))
        assert counters.read()["flop"] == 2 * 3 * 5 * 7
        F.conv2d(torch.empty(1, 2, 8, 8, device=META), torch.empty(4, 2, 3, 3, device=META), padding=1)
    assert counters.read()["flop"] == 2 * 3 * 5 * 7 + 2 * 64 * 4 * 2 * 9


def test_attention_is_one_kernel_that_keeps_no_scores():
    with torch.inference_mode(), counting(META) as counters:
        query, key = (torch.empty(2, 4, tokens, 8, device=META) for tokens in (1000, 77))
        seen = F.scaled_dot_product_attention(query, key, key)
        assert seen.shape == query.shape
        seen.transpose(1, 2).flatten(2)  # free, as behind the kernels of a GPU
        assert counters.live.peak == query.nbytes + key.nbytes + seen.nbytes
    assert counters.read()["flop"] == 2 * 2 * 2 * 4 * 1000 * 77 * 8


def test_on_a_cpu_attention_is_computed():
    tokens = torch.randn(1, 1, 3, 4)
    with counting(torch.device("cpu")):
        seen = F.scaled_dot_product_attention(tokens, tokens, tokens)
    torch.testing.assert_close(seen, F.scaled_dot_product_attention(tokens, tokens, tokens))


def test_copies_are_told_apart():
    with counting(META) as counters:
        torch.ones(4).to(META)
    assert counters.read() == {"flop": 0, "weight_bytes": 0, "activation_bytes": 16}
