"""Pictures as tensors and back: uint8 RGB arrays (H, W, 3) outside the networks, float -1..1 inside them."""

from __future__ import annotations

import numpy as np
import torch

from paints_undo.errors import InputError, NotFinite


def pixels_to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """Return float32 (n, 3, H, W) in -1..1, contiguous, from uint8 (n, H, W, 3) or one picture (H, W, 3)."""
    stack = pictures if pictures.ndim == 4 else pictures[None]
    # Contiguous planes on purpose: channels-last normalisation loses precision on a constant picture (a white canvas).
    planes = np.ascontiguousarray(stack.transpose(0, 3, 1, 2)).astype(np.float32)
    return torch.from_numpy(planes / np.float32(127.5) - np.float32(1))


def tensor_to_pixels(tensor: torch.Tensor) -> np.ndarray:
    """Return uint8 (n, H, W, 3) from (n, 3, H, W) in -1..1: scaled, clipped to 0..255 and truncated, not rounded.

    Raises:
        FloatingPointError: a value is NaN or infinite; as a picture it would be black without a word.
    """
    values = tensor.detach().float()
    if not torch.isfinite(values).all():
        bad = int((~torch.isfinite(values)).sum())
        raise NotFinite(
            "{bad} of {count} decoded values are not finite: use a wider dtype (bf16 or fp32)", bad, values.numel()
        )
    pixels = (values * 127.5 + 127.5).clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def pixels_to_unit(pictures: np.ndarray) -> torch.Tensor:
    """Return float32 (n, H, W, 3) in 0..1 from uint8 (n, H, W, 3): pictures as other programs hand them around."""
    return torch.from_numpy(pictures.astype(np.float32) / np.float32(255))


def unit_to_pixels(pictures: torch.Tensor | np.ndarray) -> np.ndarray:
    """Return uint8 from floats in 0..1 of any shape: clipped and rounded, so that it undoes pixels_to_unit.

    Raises InputError for values that are not finite.
    """
    values = torch.as_tensor(pictures).detach().float().cpu().numpy()
    if not np.isfinite(values).all():
        raise InputError("a picture holds values that are not finite: give floats from 0 to 1")
    return (values.clip(0, 1) * 255 + 0.5).astype(np.uint8)
