"""The work between two products of matrices in one pass over the memory, where a GPU has kernels for it."""

import importlib
import logging
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional as F

from paints_undo.models.within import within

log = logging.getLogger(__name__)

WITHOUT = ("cpu", "mps", "meta")  # devices that Triton has no kernels for
TOLERANCE = {torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 8e-2}  # of numbers up to 6

_kernels: ContextVar[ModuleType | None] = ContextVar("fused_kernels", default=None)


def fused_kernels(kernels: ModuleType | None) -> AbstractContextManager[None]:
    """Within this block of the calling thread networks use these kernels, or PyTorch's own where there are none."""
    return within(_kernels, kernels)


def kernels_in_use() -> ModuleType | None:
    """What fused_kernels() said; None where gradients are recorded, which the kernels do not compute.

    None in compiled blocks, too: the compiler fuses by itself, and cannot follow what is asked of the thread.
    """
    return None if torch.compiler.is_compiling() or torch.is_grad_enabled() else _kernels.get()


def find_kernels(device: torch.device, dtype: torch.dtype) -> ModuleType | None:
    """The Triton kernels, once they have agreed with PyTorch on this device; None, and the reason in the log, else."""
    if device.type in WITHOUT:
        return None
    try:
        kernels = importlib.import_module("paints_undo.models.triton_kernels")
        error = deviation(kernels, device, dtype)
    except Exception as problem:  # a driver, a compiler or a card it does not know: everything works without, too
        log.info("no fused kernels on %s (%s: %s)", device, type(problem).__name__, problem)
        return None
    if not error < TOLERANCE[dtype]:
        log.warning("the fused kernels on %s differ from PyTorch by %.1e, so that they are not used", device, error)
        return None
    return kernels


def deviation(kernels: ModuleType, device: torch.device, dtype: torch.dtype) -> float:
    """By how much the kernels' results differ from those of PyTorch in float64, at most."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(device, dtype)

    tokens, weight, bias, projected = 1 + drawn(2, 77, 320), drawn(320), drawn(320), drawn(2, 33, 2 * 160)
    value, gate = projected.double().chunk(2, dim=-1)
    with torch.inference_mode():
        found = kernels.group_norm(tokens, 32, weight, bias, 1e-5, silu=True), kernels.geglu(projected)
        normal = F.group_norm(tokens.double().transpose(1, 2), 32, weight.double(), bias.double(), 1e-5).transpose(1, 2)
        expected = F.silu(normal), value * F.gelu(gate)
        return max((one - other).abs().max().item() for one, other in zip(found, expected, strict=True))
