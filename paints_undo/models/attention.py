"""The one door through which every attention of this project's own networks goes."""

import sys
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

# So many scores of queries with keys at once, where a kernel keeps them: the published decoder's would take 59 GB.
# Apple's GPUs, which have no other kernel, hold no array above 4 GiB, and give wrong sums beyond 2**32 scores.
MOST_SCORES = 2**27
KEEP_SCORES = ("mps",)  # kinds of devices


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
    # as the paper writes it
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
    Batches above LARGEST_BATCH, and more than MOST_SCORES where scores are kept, are cut in pieces, which changes no
    number but for rounding.
    """
    name = _chosen.get()
    most = MOST_SCORES if name == "plain" or query.device.type in KEEP_SCORES else sys.maxsize
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    return _cut(BACKENDS[name], query, key, value, most).transpose(1, 2).flatten(2)


def _cut(kernel: Kernel, query: Tensor, key: Tensor, value: Tensor, most: int, axis: int = 0) -> Tensor:
    """What the kernel gives, a few batch entries at a time, or else heads of one, or else queries of one head."""
    scores = query.shape[:-1].numel() * key.shape[-2]
    if axis == 3 or (scores <= most and query.shape[0] <= LARGEST_BATCH):
        return kernel(query, key, value)
    at_once = max(1, min(most * query.shape[axis] // scores, LARGEST_BATCH))
    queries = query.split(at_once, axis)
    keys, values = (x.split(at_once, axis) if axis < 2 else [x] * len(queries) for x in (key, value))
    pieces = zip(queries, keys, values, strict=True)
    return torch.cat([_cut(kernel, *piece, most, axis + 1) for piece in pieces], axis)
