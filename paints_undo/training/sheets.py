"""Pictures for people: contact sheets of processes and reconstructions, and loss curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
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


def loss_curve(losses: Sequence[tuple[int, float, float]], width: int = 640, height: int = 320) -> np.ndarray:
    """A picture uint8 (height, width, 3) of (step, seconds, loss) entries: loss on a log axis over steps."""
    canvas = np.full((height, width, 3), 255, np.uint8)
    values = np.array([loss for _, _, loss in losses if loss > 0])
    if len(values) < 2:
        return canvas
    low, high = np.log(values.min()), np.log(values.max())

    def row_of(level: Any) -> Any:
        return height - 20 - (level - low) / max(high - low, 1e-9) * (height - 40)

    for level in np.linspace(low, high, 5):
        row, label = round(row_of(level)), f"{np.exp(level):.3g}"
        cv2.line(canvas, (60, row), (width, row), (225, 225, 225), 1)
        cv2.putText(canvas, label, (4, row + 4), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (90, 90, 90), 1, cv2.LINE_AA)
    across, down = np.linspace(60, width - 6, len(values)), row_of(np.log(values))
    points = np.round(np.stack([across, down], axis=1) * 8).astype(np.int32)
    cv2.polylines(canvas, [points], False, (84, 104, 160), 1, cv2.LINE_AA, 3)
    return canvas


def psnr(drawn: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Peak signal-to-noise ratio of each picture (n,) in decibels; pictures (n, ...) in -1..1."""
    error = (drawn.clamp(-1, 1) - wanted).square().flatten(1).mean(1)
    return 10 * torch.log10(4 / error.clamp(min=1e-10))
