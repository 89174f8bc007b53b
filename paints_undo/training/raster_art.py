"""Any raster picture -> DrawingProcess, through a simple segmentation of its own."""

from __future__ import annotations

import cv2
import numpy as np

from paints_undo.training.layering import build_process
from paints_undo.training.process import DrawingProcess

COLOUR_RADIUS = 32  # mean shift: colours closer than this (0..255) belong together
SPACE_RADIUS = 8  # mean shift: pixels at the working size
SAME_COLOUR = 28  # largest channel difference to the pixel that a region was started from, after smoothing


def process_from_picture(picture: np.ndarray) -> DrawingProcess:
    """The drawing process of a picture, uint8 (H, W, 3), at its own size. Raises ValueError if it shows no shape."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"the picture must be uint8 (height, width, 3), got {picture.dtype} {picture.shape}")
    height, width = picture.shape[:2]
    working = cv2.resize(picture, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
    return build_process(working, segment(working))


def segment(picture: np.ndarray) -> np.ndarray:
    """Label map int32 (H, W) of areas of similar colour.

    Mean shift flattens texture but keeps edges; flood filling then joins what is close to a starting pixel's colour, so
    that a long gradient becomes several bands instead of one region. Specks are left in: regions.py merges them.
    """
    smooth = cv2.pyrMeanShiftFiltering(picture, SPACE_RADIUS, COLOUR_RADIUS)
    height, width = smooth.shape[:2]
    mask = np.zeros((height + 2, width + 2), np.uint8)
    labels = np.zeros((height, width), np.int32)
    tolerance = (SAME_COLOUR,) * 3
    label = 0
    for row, column in np.ndindex(height, width):
        if mask[row + 1, column + 1]:
            continue
        label += 1
        mask[mask == 2] = 1
        flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (2 << 8)
        cv2.floodFill(smooth, mask, (column, row), 0, tolerance, tolerance, flags)
        labels[mask[1:-1, 1:-1] == 2] = label
    return labels
