"""The one door through which every attention of this project's own networks goes."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar

import torch
from torch import Tensor
from torch.nn import functional as F

from paints_undo.models.within import within

Kernel = Callable[[Tensor, Tensor, Tensor], Tensor]

# CUDA launches one grid row per batch entry, and a grid has at most this many rows.
LARGEST_BATCH = 65_535


def _sdpa(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    if query.device.type != "cpu":  # the fast kernels of GPUs take each token's numbers side by side alone
        query, key, value = (x if x.stride(-1) == 1 else x.contiguous() for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value)


def _xformers(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    from xformers.ops import memory_efficient_attention  # optional: only the extra "xformers" installs it

    # xformers wants (batch, tokens, heads, width) and no strides left over from a transpose
    query, key, value = (x.transpose(1, 2).contiguous() for x in (query, key, value))
    return memory_efficient_attention(query, key, value).transpose(1, 2)


def _plain(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    # as the paper writes it: on a CPU twice as fast in training small networks, whose sequences are short
    return (query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2)).softmax(-1) @ value


BACKENDS: dict[str, Kernel] = {"sdpa": _sdpa, "xformers": _xformers, "plain": _plain}
_chosen: ContextVar[str] = ContextVar("attention_backend", default="sdpa")


def attention_backend(name: str) -> AbstractContextManager[None]:
    """Within this block every attention of the calling thread runs on the backend `name`, a key of BACKENDS."""
    if name not in BACKENDS:
        raise ValueError(f"attention backend {name!r} is unknown; choose one of {', '.join(BACKENDS)}")
    return within(_chosen, name)


def attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """softmax(q k^T / sqrt(d)) v for each head (Vaswani et al. 2017), without a mask.

    query (b, n, heads * d), key and value (b, m, heads * d); the result has the query's shape.
    Batches above LARGEST_BATCH are cut in pieces, which changes no number.
    """
    kernel = BACKENDS[_chosen.get()]
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    if query.shape[0] <= LARGEST_BATCH:
        result = kernel(query, key, value)
    else:
        pieces = zip(*(x.split(LARGEST_BATCH) for x in (query, key, value)), strict=True)
        result = torch.cat([kernel(*piece) for piece in pieces])
    return result.transpose(1, 2).flatten(2)
