"""Synthetic cel shading: flat vector art gets shadows and highlights, so that there is something to shade."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.training.regions import Regions

SHADED_AREA = 0.006  # share of the picture from which a region is worth a shadow
DARKEST = 60  # brightest channel below which a shadow would not show
REACH = 0.11  # depth of the shadow as a share of the root of the region's area
SHADOW_TINT = np.array([0.74, 0.68, 0.84], np.float32)  # shadows lean to violet
HIGHLIGHT = 0.30


def cel_shade(final: np.ndarray, regions: Regions, light: int) -> np.ndarray:
    """`final` (uint8 (H, W, 3)) with a hard-edged shadow and a soft highlight in every big region.

    `light` is -1 for light from the left, 1 from the right. A shadow is what a copy of the region, moved away from
    the light, does not cover.
    """
    if light not in (-1, 1):
        raise ValueError(f"light must be -1 (from the left) or 1 (from the right), got {light}")
    size = regions.index.shape[1]
    shadow = np.zeros(regions.index.shape, np.float32)
    highlight = np.zeros(regions.index.shape, np.float32)
    at_the_sides = np.isin(np.arange(len(regions.area)), regions.index[:, [0, -1]])  # hills and skies
    wanted = ~regions.background & ~at_the_sides & (regions.area >= SHADED_AREA * regions.index.size)
    for number in np.flatnonzero(wanted & (regions.colour.max(axis=1) >= DARKEST)):
        mask = (regions.index == number).astype(np.uint8)
        solid = ndimage.binary_fill_holes(mask).astype(np.uint8)  # or the eyes would cast shadows into the face
        reach = max(2.0, REACH * float(regions.area[number]) ** 0.5)
        shadow += mask * (1 - _moved(solid, light * reach, -0.8 * reach))
        core = mask * (cv2.distanceTransform(solid, cv2.DIST_L2, 3) > 0.35 * reach).astype(np.float32)
        lit = _moved(solid, -1.7 * light * reach, 1.7 * reach)
        highlight += core * (1 - cv2.GaussianBlur(lit, (0, 0), 0.5 * reach))
    shadow = cv2.GaussianBlur(shadow, (0, 0), size / 300).clip(0, 1)[..., None]
    highlight = cv2.GaussianBlur((highlight > 0.75).astype(np.float32), (0, 0), size / 250)[..., None] * HIGHLIGHT
    shaded = final * (1 - shadow * (1 - SHADOW_TINT))
    return (shaded + (255 - shaded) * highlight).clip(0, 255).astype(np.uint8)


def _moved(mask: np.ndarray, right: float, down: float) -> np.ndarray:
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(mask, matrix, mask.shape[::-1]).astype(np.float32)
