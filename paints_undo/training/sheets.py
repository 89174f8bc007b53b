"""Pictures for people: contact sheets of processes and reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from paints_undo.atomic import write_atomically
from paints_undo.pictures.pixels import encode_png
from paints_undo.pictures.tensors import tensor_to_pixels


def contact_sheet(rows: Sequence[Sequence[np.ndarray]], gap: int = 2) -> np.ndarray:
    """Pictures of one size, uint8 (H, W, 3), side by side in rows of equal length: one uint8 picture."""
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise ValueError(f"rows must be of one length and not empty, got lengths {[len(row) for row in rows]}")
    frame = ((gap, gap), (gap, gap), (0, 0))
    padded = [[np.pad(picture, frame, constant_values=225) for picture in row] for row in rows]
    return np.concatenate([np.concatenate(row, axis=1) for row in padded], axis=0)


def write_sheet(path: Path, *stacks: torch.Tensor) -> None:
    """A PNG with one row for each stack of pictures, float (n, 3, H, W) in -1..1."""
    write_atomically(path, encode_png(contact_sheet([list(tensor_to_pixels(stack)) for stack in stacks])))


def psnr(drawn: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio of each picture (n,) in decibels; pictures (n, ...) in -1..1."""
    error = (drawn.clamp(-1, 1) - wanted).square().flatten(1).mean(1)
    return 10 * torch.log10(4 / error.clamp(min=1e-10))
