"""The fused kernels against PyTorch, interpreted on the CPU, and compiled for GPUs that need not be there.

Triton decides at its import whether it interprets, so that both happen in processes of their own.
"""

import json
import os
import subprocess
import sys

import pytest
import torch

from paints_undo.models.fused import TOLERANCE

pytest.importorskip("triton", reason="needs Triton, which only Linux and GPU builds of PyTorch have")

INTERPRETED = """
import json
import torch
from torch.nn import functional as F
from paints_undo.models import triton_kernels as kernels
from paints_undo.models.fused import deviation

def drawn(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))

errors = {}
for batch, count, channels, groups in [(2, 77, 320, 32), (1, 100, 960, 32), (3, 33, 8, 4), (1, 2100, 64, 32)]:
    tokens, weight, bias = 3 + 2 * drawn(batch, count, channels), drawn(channels), drawn(channels + 1)[1:]
    exact = F.group_norm(tokens.double().transpose(1, 2), groups, weight.double(), bias.double(), 1e-5).transpose(1, 2)
    for silu in (False, True):
        found = kernels.group_norm(tokens, groups, weight, bias, 1e-5, silu)
        errors[f"norm {count}x{channels} {silu}"] = (found - (F.silu(exact) if silu else exact)).abs().max().item()
for shape in [(1, 2), (2, 5, 260), (70, 512)]:
    projected = drawn(*shape)
    value, gate = projected.double().chunk(2, dim=-1)
    errors[f"gate {shape}"] = (kernels.geglu(projected) - value * F.gelu(gate)).abs().max().item()
weight, bias = drawn(64), drawn(65)[1:]
constant = kernels.group_norm(torch.full((1, 500, 64), 7.3), 32, weight, bias, 1e-6, silu=False)
errors["constant"] = (constant - bias).abs().max().item()
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    errors[str(dtype)] = deviation(kernels, torch.device("cpu"), dtype)
print(json.dumps(errors))
"""

COMPILED = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from paints_undo.models import triton_kernels as kernels

numbers, sums, size = "*fp16", "*fp32", "i32"
tile = {"ROWS": kernels.ROWS, "COLUMNS": kernels.COLUMNS}
groups = {"ROWS": kernels.ROWS, "WIDTH": 10, "PADDED": 16, "AT_ONCE": kernels.CHUNKS_AT_ONCE}
for kernel, given, constants in [
    (kernels._moments, [numbers, sums, sums, size, size], tile),
    (kernels._statistics, [sums, sums, sums, size, size, "fp32"], groups),
    (kernels._normalised, [numbers, sums, *3 * [numbers], size, size], {"SILU": True, **tile, "WIDTH": 10}),
    (kernels._gated, [numbers, numbers, size, size], tile),
]:
    signature = dict(zip(kernel.arg_names, [*given, *len(constants) * ["constexpr"]], strict=True))
    for architecture in (75, 90):
        built = compile(ASTSource(kernel, signature, constants), target=GPUTarget("cuda", architecture, 32))
        print(len(built.asm["cubin"]))
"""


def said_by(program: str, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRITON_")}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**kept, **environment}, timeout=280
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def errors() -> dict[str, float]:
    return json.loads(said_by(INTERPRETED, TRITON_INTERPRET="1"))


def test_they_compute_what_pytorch_computes(errors):
    large = {name: error for name, error in errors.items() if name.startswith(("norm", "gate")) and not error < 5e-6}
    assert large == {} and len(errors) == 8 + 3 + 1 + 3


def test_a_constant_picture_stays_constant(errors):
    assert errors["constant"] == 0


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_every_number_format_agrees_as_far_as_it_can(errors, dtype):
    assert 0 < errors[str(dtype)] < TOLERANCE[dtype]


def test_they_compile_for_gpus(tmp_path):
    """From a Turing card to Hopper: what the interpreter lets pass, the compiler may not."""
    sizes = list(map(int, said_by(COMPILED, TRITON_CACHE_DIR=str(tmp_path)).split()))
    assert len(sizes) == 8 and min(sizes) > 1000


@pytest.mark.gpu
def test_on_a_gpu_they_agree_in_every_number_format():
    from paints_undo.models.fused import find_kernels

    assert all(find_kernels(torch.device("cuda:0"), dtype) is not None for dtype in TOLERANCE)
