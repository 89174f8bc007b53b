"""Finished picture + label map -> DrawingProcess: the one recipe behind vector and raster art alike."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.training.cel_shading import cel_shade
from paints_undo.training.process import DrawingProcess
from paints_undo.training.regions import Regions, find_regions
from paints_undo.training.strokes import draw_lines, draw_sketch, find_strokes

PAPER = 250  # a region at least this bright in all channels needs no paint, so it takes no time either


def build_process(final: np.ndarray, labels: np.ndarray, light: int = 0) -> DrawingProcess:
    """The drawing process of a picture given at the working size.

    `final` is uint8 (2H, 2W, 3) and `labels` int (2H, 2W); the maps of the result have half that size, H and W.
    `light` -1 or 1 adds cel shading lit from the left or the right to the finished picture, 0 leaves it as it is.
    Raises ValueError for odd sizes and for pictures without any shape.
    """
    height, width = final.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"the working size must be even in both directions, got {width} x {height}; scale by 2")
    regions = find_regions(final, labels)
    if light:
        final = cel_shade(final, regions, light)
    strokes = find_strokes(regions)
    sketch, sketch_order = draw_sketch(regions, strokes)
    line, line_order = draw_lines(regions, strokes)
    flat_order, shade_order = _fill_orders(regions)
    return DrawingProcess(
        final=_halve(final),
        flat=_halve(regions.colour[regions.index].astype(np.uint8)),
        sketch=_to_bytes(_halve(sketch)),
        line=_to_bytes(_halve(line)),
        sketch_order=_to_bytes(sketch_order[::2, ::2]),
        line_order=_to_bytes(line_order[::2, ::2]),
        flat_order=_to_bytes(flat_order[::2, ::2]),
        shade_order=_to_bytes(_halve(shade_order)),
    )


def _fill_orders(regions: Regions) -> tuple[np.ndarray, np.ndarray]:
    """When each pixel gets its flat colour and its shading, float32 (H, W) in 0..1.

    Regions follow one another in working order, each for a time that grows with the root of its area; inside a
    region the brush sweeps down in diagonal bands (flat) or in one soft movement (shading).
    """
    paper = regions.colour.min(axis=1) >= PAPER
    effort = np.where(paper, 1e-3, np.sqrt(regions.area))
    in_order = effort[np.argsort(regions.rank)]
    begins = (np.cumsum(in_order) / effort.sum() - in_order / effort.sum()).astype(np.float32)
    begin, share = begins[regions.rank], (effort / effort.sum()).astype(np.float32)

    places: np.ndarray = np.indices(regions.index.shape, np.float32)
    rows, columns = places[0], places[1]
    height, width = regions.index.shape
    wave = 0.012 * height * np.sin(columns * (12 / width))
    flat = _sweep(rows + 0.5 * columns + wave, regions.index)
    flat = 0.7 * np.round(flat * 6) / 6 + 0.3 * flat
    shade = _sweep(rows - 0.4 * columns, regions.index)
    return tuple(begin[regions.index] + share[regions.index] * sweep for sweep in (flat, shade))


def _sweep(front: np.ndarray, index: np.ndarray) -> np.ndarray:
    """`front` rescaled to 0..1 inside every region."""
    front, numbers = front.astype(np.float32), np.arange(index.max() + 1)
    lowest, highest = ndimage.minimum(front, index, numbers), ndimage.maximum(front, index, numbers)
    return (front - lowest[index]) / np.maximum(highest - lowest, 1e-6)[index]


def _halve(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values * 255), 0, 255).astype(np.uint8)
