"""What a brush leaves: masks, uint8, in the box that they cover."""

from __future__ import annotations

import math

import cv2
import numpy as np

from paints_undo.strokes.operations import Box, nearest_label

_FINE = 4  # bits of a pixel that opencv's lines are placed by
Mask = tuple[Box, np.ndarray]


def grain() -> np.ndarray:
    """The tooth of paper, float32 (256, 256), about 0.35 to 1: a tile that is laid beside itself."""
    noise = np.random.default_rng(9).normal(0, 1, (256, 256)).astype(np.float32)
    return np.clip(0.8 + 0.35 * cv2.GaussianBlur(noise, (0, 0), 0.7, borderType=cv2.BORDER_REFLECT), 0.35, 1)


def pressed(count: int) -> np.ndarray:
    """How hard a hand presses along a stroke, float (count,), 0.45 to 1: it lands, leans in and lifts."""
    t = np.clip(np.linspace(0, 1, count) * 0.9 + 0.08, 0, 1)
    return 0.45 + 0.55 * np.sin(np.pi * t) ** 0.6


def line(points: np.ndarray, shape: tuple[int, int], done: float = 1.0) -> Mask | None:
    """The mask of a pencil's or eraser's path (n, 3); None outside the canvas. done: the part that is drawn."""
    points = partial(points, done)
    if len(points) < 2:
        return None
    reach = float(points[:, 2].max()) + 3
    low = np.maximum(np.floor(points[:, :2].min(0) - reach).astype(int), 0)
    high = np.minimum(np.ceil(points[:, :2].max(0) + reach).astype(int) + 1, (shape[1], shape[0]))
    if (high - low < 2).any():
        return None
    mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    places = np.round((points[:, :2] - low) * (1 << _FINE)).astype(np.int32)
    widths = points[:-1, 2] + points[1:, 2]
    for start, end, width in zip(places[:-1].tolist(), places[1:].tolist(), widths.tolist(), strict=True):
        thick = max(1, math.ceil(width - 0.25))
        level = int(255 * min(1.0, max(0.3, width / thick)))  # narrower than its pixels is fainter
        cv2.line(mask, start, end, level, thick, cv2.LINE_AA, _FINE)
    return (slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))), mask


def partial(points: np.ndarray, done: float) -> np.ndarray:
    """The first part of a path, by its length."""
    if done >= 1 or len(points) < 2:
        return points
    steps = np.hypot(*np.diff(points[:, :2], axis=0).T)
    travelled = np.concatenate([[0], np.cumsum(steps)])
    want = done * travelled[-1]
    count = int(np.searchsorted(travelled, want, "right"))
    end = [np.interp(want, travelled, points[:, k]) for k in range(3)]
    return np.vstack([points[:count], np.array(end, points.dtype)[None]])


def owned(owners: np.ndarray, number: int, box: Box, soft: float, layer_of: np.ndarray) -> Mask:
    """The mask of what an operation owns, with an edge that is soft where a later one of its layer ends the pixels.

    owners: uint16 (H, W).  soft: the edge's standard deviation, pixels.  layer_of: the layer of every number.
    """
    pad = int(3 * soft) + 1 if soft else 0
    height, width = owners.shape
    wide = (
        slice(max(0, box[0].start - pad), min(height, box[0].stop + pad)),
        slice(max(0, box[1].start - pad), min(width, box[1].stop + pad)),
    )
    labels = owners[wide]
    mine = np.where(labels == number, np.uint8(255), np.uint8(0))
    if soft:
        edge = cv2.GaussianBlur(mine, (0, 0), soft)
        mine = np.where((labels > number) & (layer_of[labels] == layer_of[number]), edge, mine)
    return wide, mine


def grown(mask: Mask, points: np.ndarray, done: float) -> Mask:
    """The part of a mask that a brush has reached when the path is done in part."""
    box, full = mask
    if done >= 1 or len(points) < 2:
        return mask
    when = np.zeros(full.shape, np.uint16)
    places = np.round(points[:, :2] - (box[1].start, box[0].start)).astype(int)
    for number, (start, end) in enumerate(zip(places[:-1].tolist(), places[1:].tolist(), strict=True), 1):
        cv2.line(when, start, end, number, 1)
    if not when.any():
        return box, np.zeros_like(full)
    reached = nearest_label(when) <= done * (len(points) - 1)
    return box, np.where(reached, full, np.uint8(0))
