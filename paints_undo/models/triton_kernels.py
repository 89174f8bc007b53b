"""Group normalisation with SiLU, and the gate of GEGLU, in as few passes over the memory as they take; for GPUs.

Written in Triton (Tillet et al. 2019), which comes with PyTorch's builds for GPUs and is imported with this module.
Sums are float32, whatever the tensors are.  With TRITON_INTERPRET=1 the kernels also run on a CPU, slowly.
"""

import contextlib

import torch
import triton
import triton.language as tl
from torch import Tensor

# One program's share of a picture (pixels, channels): small enough for registers, wide enough for whole cache lines.
ROWS, COLUMNS = 32, 128
CHUNKS_AT_ONCE = 64


@triton.jit
def _moments(x, means, spreads, count, channels, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Of each chunk of ROWS pixels: every channel's mean, and its summed squared distances from it.

    Sums are of differences from the first pixel, so that a constant picture has exactly its colour as its mean.
    """
    chunk, picture = tl.program_id(0), tl.program_id(2).to(tl.int64)
    rows, columns = chunk * ROWS + tl.arange(0, ROWS), tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (rows < count)[:, None] & (columns < channels)[None, :]
    places = picture * count * channels + rows.to(tl.int64)[:, None] * channels + columns[None, :]
    values = tl.load(x + places, mask=inside, other=0.0).to(tl.float32)
    first = (picture * count + chunk * ROWS) * channels + columns
    pivot = tl.load(x + first, mask=columns < channels, other=0.0).to(tl.float32)
    rest = tl.where(inside, values - pivot[None, :], 0.0)
    mean = pivot + tl.sum(rest, 0) / tl.minimum(count - chunk * ROWS, ROWS)
    distances = tl.where(inside, values - mean[None, :], 0.0)
    kept = (picture * tl.num_programs(0) + chunk) * channels + columns
    tl.store(means + kept, mean, mask=columns < channels)
    tl.store(spreads + kept, tl.sum(distances * distances, 0), mask=columns < channels)


@triton.jit
def _statistics(
    means, spreads, of_groups, count, channels, eps,
    ROWS: tl.constexpr, WIDTH: tl.constexpr, PADDED: tl.constexpr, AT_ONCE: tl.constexpr,
):  # fmt: skip
    """Each group's mean and inverse deviation, from the chunks' moments (Chan, Golub and LeVeque 1983)."""
    group, picture = tl.program_id(0), tl.program_id(1).to(tl.int64)
    chunks = tl.cdiv(count, ROWS)
    columns = tl.arange(0, PADDED)
    pivot = tl.load(means + picture * chunks * channels + group * WIDTH)
    total = tl.zeros((AT_ONCE, PADDED), tl.float32)
    for first in range(0, chunks, AT_ONCE):
        rows = first + tl.arange(0, AT_ONCE)
        inside = (rows < chunks)[:, None] & (columns < WIDTH)[None, :]
        places = (picture * chunks + rows)[:, None] * channels + group * WIDTH + columns[None, :]
        pixels = tl.minimum(count - rows * ROWS, ROWS)[:, None]
        total += tl.where(inside, tl.load(means + places, mask=inside, other=0.0) - pivot, 0.0) * pixels
    mean = pivot + tl.sum(tl.sum(total, 1), 0) / (count * WIDTH)
    spread = tl.zeros((AT_ONCE, PADDED), tl.float32)
    for first in range(0, chunks, AT_ONCE):
        rows = first + tl.arange(0, AT_ONCE)
        inside = (rows < chunks)[:, None] & (columns < WIDTH)[None, :]
        places = (picture * chunks + rows)[:, None] * channels + group * WIDTH + columns[None, :]
        pixels = tl.minimum(count - rows * ROWS, ROWS)[:, None]
        distances = tl.where(inside, tl.load(means + places, mask=inside, other=0.0) - mean, 0.0)
        spread += tl.load(spreads + places, mask=inside, other=0.0) + distances * distances * pixels
    variance = tl.sum(tl.sum(spread, 1), 0) / (count * WIDTH)
    kept = 2 * (picture * tl.num_programs(0) + group)
    tl.store(of_groups + kept, mean)
    tl.store(of_groups + kept + 1, 1.0 / tl.sqrt(variance + eps))


@triton.jit
def _normalised(
    x, of_groups, weight, bias, result, count, channels,
    SILU: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Every number less its group's mean, over its deviation, times the weight, plus the bias; SiLU of that."""
    picture = tl.program_id(2).to(tl.int64)
    rows, columns = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    there = columns < channels
    inside = (rows < count)[:, None] & there[None, :]
    places = picture * count * channels + rows.to(tl.int64)[:, None] * channels + columns[None, :]
    kept = 2 * (picture * (channels // WIDTH) + columns // WIDTH)
    mean = tl.load(of_groups + kept, mask=there, other=0.0)
    scale = tl.load(of_groups + kept + 1, mask=there, other=0.0)
    scale *= tl.load(weight + columns, mask=there, other=0.0).to(tl.float32)
    shift = tl.load(bias + columns, mask=there, other=0.0).to(tl.float32)
    values = tl.load(x + places, mask=inside, other=0.0).to(tl.float32)
    values = (values - mean[None, :]) * scale[None, :] + shift[None, :]
    if SILU:
        values *= tl.sigmoid(values)
    tl.store(result + places, values.to(result.dtype.element_ty), mask=inside)


@triton.jit
def _gated(x, result, count, inner, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """The first half of each row times GELU of the second."""
    rows, columns = tl.program_id(0) * ROWS + tl.arange(0, ROWS), tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (rows < count)[:, None] & (columns < inner)[None, :]
    places = rows.to(tl.int64)[:, None] * inner + columns[None, :]
    begin = rows.to(tl.int64)[:, None] * inner + places  # of rows twice as long
    value = tl.load(x + begin, mask=inside, other=0.0).to(tl.float32)
    gate = tl.load(x + begin + inner, mask=inside, other=0.0).to(tl.float32)
    gate *= 0.5 * (1.0 + tl.erf(gate * 0.7071067811865476))
    tl.store(result + places, (value * gate).to(result.dtype.element_ty), mask=inside)


def group_norm(tokens: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float, silu: bool) -> Tensor:
    """Group normalisation over pixels, then SiLU if asked; tokens (b, n, c) in memory order, the result likewise."""
    batch, count, channels = tokens.shape
    width, chunks, blocks = channels // groups, triton.cdiv(count, ROWS), triton.cdiv(channels, COLUMNS)
    means, spreads = tokens.new_empty((2, batch, chunks, channels), dtype=torch.float32)
    of_groups = tokens.new_empty((batch, groups, 2), dtype=torch.float32)
    result = torch.empty_like(tokens)
    padded = triton.next_power_of_2(width)
    with _on_its_device(tokens):
        _moments[(chunks, blocks, batch)](tokens, means, spreads, count, channels, ROWS, COLUMNS)
        _statistics[(groups, batch)](
            means, spreads, of_groups, count, channels, eps, ROWS, width, padded, CHUNKS_AT_ONCE
        )
        _normalised[(chunks, blocks, batch)](
            tokens, of_groups, weight, bias, result, count, channels, silu, ROWS, COLUMNS, width
        )
    return result


def geglu(projected: Tensor) -> Tensor:
    """value * GELU(gate) of (..., 2 inner) in memory order, whose halves they are; (..., inner)."""
    inner = projected.shape[-1] // 2
    count = projected.shape[:-1].numel()
    result = projected.new_empty((*projected.shape[:-1], inner))
    with _on_its_device(projected):
        _gated[(triton.cdiv(count, ROWS), triton.cdiv(inner, COLUMNS))](projected, result, count, inner, ROWS, COLUMNS)
    return result


def _on_its_device(tensor: Tensor) -> contextlib.AbstractContextManager:
    """Triton starts kernels on the current device, which need not be the tensor's."""
    if tensor.device.index is None:
        return contextlib.nullcontext()
    return torch.accelerator.device_index(tensor.device.index)
