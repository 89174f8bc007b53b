"""How a painting comes about, as four curves: coverage, ink, colour, and distance to the finished picture.

The distance is perceptual: 1 - MS-SSIM (Wang, Simoncelli, Bovik: Multiscale structural similarity for image quality
assessment, 2003), which needs no network; papers on painting processes draw the same curve with LPIPS.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

PAINTED = 8.0  # CIELAB distance from white of a pixel that counts as painted
INKED = 12.0  # L* by which a pixel is darker than its surroundings to count as a line
COLOURED = 10.0  # CIELAB chroma
LINE_SHARE = 64  # the longer side divided by this is the widest line, in pixels
MOST_SIDE = 384  # pixels; larger frames are measured smaller

_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # the paper's weights
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


@dataclass(frozen=True)
class Curves:
    """Each (n,), one value for each frame."""

    coverage: np.ndarray  # share of the canvas that is no longer white, 0..1
    ink: np.ndarray  # share that is line, 0..1
    colour: np.ndarray  # share that has colour, 0..1
    distance: np.ndarray  # 1 - MS-SSIM to the finished picture, 0 the same .. 1

    def named(self) -> dict[str, np.ndarray]:
        """The curves under their names for people."""
        return {
            "coverage": self.coverage,
            "ink": self.ink,
            "colour": self.colour,
            "distance to the finished picture": self.distance,
        }


def measure(frames: Sequence[np.ndarray] | np.ndarray, finished: np.ndarray) -> Curves:
    """The curves of frames uint8 (h, w, 3), first stroke first, against a finished picture of their size."""
    target, rows = _small(finished), []
    for frame in frames:
        small = _small(frame)
        lab = lab_of(small)
        ink = darker_than_surroundings(lab[..., 0]) > INKED
        colour = np.linalg.norm(lab[..., 1:], axis=-1) > COLOURED
        rows.append((painted(lab).mean(), ink.mean(), colour.mean(), 1 - similarity(small, target)))
    return Curves(*np.array(rows, dtype=np.float64).reshape(-1, 4).T)


def lab_of(picture: np.ndarray) -> np.ndarray:
    """CIELAB float32 (h, w, 3) of a picture uint8 (h, w, 3): L* 0..100."""
    return cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def painted(lab: np.ndarray) -> np.ndarray:
    """Which pixels (h, w) of a picture in CIELAB are no longer white canvas."""
    return np.linalg.norm(lab - (100, 0, 0), axis=-1) > PAINTED


def darker_than_surroundings(light: np.ndarray) -> np.ndarray:
    """By how much each value (h, w) is below its surroundings, where that is narrow: the black top-hat transform."""
    side = 2 * max(1, max(light.shape) // LINE_SHARE) + 1
    brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.morphologyEx(light, cv2.MORPH_BLACKHAT, brush)


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """MS-SSIM of the grey values of two pictures uint8 (h, w, 3) of one shape, 0..1; small ones at fewer scales."""
    a, b = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in (first, second))
    scales = max(1, min(len(_SCALES), int(np.log2(min(a.shape) / 8))))
    weights, product = np.array(_SCALES[:scales]) / sum(_SCALES[:scales]), 1.0
    for scale, weight in enumerate(weights):
        light, structure = _ssim(a, b)
        product *= max(0.0, structure * (light if scale == scales - 1 else 1)) ** weight
        a, b = (cv2.resize(plane, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for plane in (a, b))  # type: ignore[assignment]  # float32 still
    return float(product)


def _ssim(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Mean similarity of light with structure, and of structure alone."""

    def blur(plane: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(plane, (11, 11), 1.5)

    mean_a, mean_b = blur(a), blur(b)
    variances = blur(a * a) - mean_a**2 + blur(b * b) - mean_b**2
    structure = (2 * (blur(a * b) - mean_a * mean_b) + _C2) / (variances + _C2)
    light = (2 * mean_a * mean_b + _C1) / (mean_a**2 + mean_b**2 + _C1)
    whole = float(structure.mean())
    return float((light * structure).mean()) / whole if whole > 0 else 0.0, whole


def _small(picture: np.ndarray) -> np.ndarray:
    scale = MOST_SIDE / max(picture.shape)
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
