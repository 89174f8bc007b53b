"""Eyes in a drawing: a pair of spots that differ from light cheeks of one colour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 200  # pixels of the longer side that eyes are looked for in
CERTAIN = 0.5  # portraits score 0.64 to 1.6, pictures without a face 0.2 to 0.47
EXPECTED = 0.1  # of that, where tags say what is to be seen
# places between and below the eyes, in eye distances along and across them, that must be of one light colour
CHEEKS: tuple[tuple[float, float], ...] = (
    (0, 0),
    (-0.12, 0.1),
    (0.12, 0.1),
    (-0.45, 0.4),
    (0.45, 0.4),
    (-0.25, 0.4),
    (0.25, 0.4),
    (0, 0.35),
    (-0.2, 0.65),
    (0.2, 0.65),
)


@dataclass(frozen=True)
class Face:
    """Where a face is. eyes: float (2, 2), x and y; along, down: unit vectors; distance: between the eyes, pixels."""

    eyes: np.ndarray
    distance: float
    along: np.ndarray
    down: np.ndarray
    score: float

    @property
    def middle(self) -> np.ndarray:
        """Between the eyes."""
        return self.eyes.mean(0)

    @property
    def centre(self) -> np.ndarray:
        """Of the face's oval."""
        return self.middle + self.down * 0.12 * self.distance

    @property
    def radii(self) -> tuple[float, float]:
        """Of the face's oval, along and down."""
        return 1.12 * self.distance, 1.45 * self.distance

    def far(self, points: np.ndarray) -> np.ndarray:
        """How far points (n, 2) are from the face's centre; 1 is its oval."""
        offset = np.asarray(points, float) - self.centre
        return np.hypot(offset @ self.along / self.radii[0], offset @ self.down / self.radii[1])


def find_face(artwork: np.ndarray, expected: int = 0) -> Face | None:
    """The face that the picture, uint8 RGB, most likely shows; None where nothing looks like one.

    expected: 1 where tags speak of a person, -1 where they say that there is none.
    """
    scale = SIDE / max(artwork.shape[:2])
    if min(artwork.shape[:2]) * scale < 40:
        return None
    small = cv2.resize(artwork, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    grey = float(np.hypot(lab[..., 1], lab[..., 2]).mean()) < 4
    best, eyes = max((_best_pair(lab, sigma, grey) for sigma in (1.4, 2.0, 2.8, 4.0, 5.6)), key=lambda found: found[0])
    if best < CERTAIN - EXPECTED * expected or eyes is None:
        return None
    eyes = eyes / scale
    between = eyes[1] - eyes[0]
    distance = float(np.hypot(*between))
    along = between / distance
    return Face(eyes, distance, along, np.array([-along[1], along[0]]), best)


def _best_pair(lab: np.ndarray, sigma: float, grey: bool) -> tuple[float, np.ndarray | None]:
    """The score of the best pair of spots of one size, and the pair, left one first."""
    height, width = lab.shape[:2]
    small, large = (cv2.GaussianBlur(lab, (0, 0), sigma * by) for by in (1, 2.6))
    tone = cv2.GaussianBlur(lab, (0, 0), max(1, sigma * 0.6))
    odd = np.clip(large[..., 0] - small[..., 0], 0, None) + 0.35 * np.linalg.norm((small - large)[..., 1:], axis=2)
    size = max(1, int(sigma * 2.5)) | 1
    peaks = (odd == cv2.dilate(odd, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))) & (odd > 3)
    margin = max(1, int(0.04 * height))
    peaks[:margin] = peaks[-margin:] = peaks[:, :margin] = peaks[:, -margin:] = False
    y, x = np.nonzero(peaks)
    order = np.argsort(-odd[y, x], kind="stable")[:90]
    y, x = y[order], x[order]
    left, right = np.nonzero(np.triu(np.ones((len(y),) * 2, bool), 1))
    left, right = np.where(x[left] > x[right], right, left), np.where(x[left] > x[right], left, right)
    apart = np.hypot(x[right] - x[left], y[right] - y[left])
    lean = np.abs(np.arctan2(y[right] - y[left], np.maximum(1e-3, x[right] - x[left])))
    likely = (apart > 3.2 * sigma) & (apart < 15 * sigma) & (lean < 0.5) & (apart > 10) & (apart < 70)
    left, right, apart, lean = left[likely], right[likely], apart[likely], lean[likely]
    if not len(left):
        return 0.0, None
    along = np.stack([x[right] - x[left], y[right] - y[left]], 1) / apart[:, None]
    middle = np.stack([x[left] + x[right], y[left] + y[right]], 1) / 2

    def at(a: float, d: float) -> np.ndarray:
        """The tone at a place of every pair's face, (n, 3)."""
        place = middle + apart[:, None] * (a * along + d * np.stack([-along[:, 1], along[:, 0]], 1))
        column, row = np.clip(np.round(place).astype(int), 0, (width - 1, height - 1)).T
        return tone[row, column]

    cheeks = np.stack([at(*place) for place in CHEEKS])
    median = np.median(cheeks, 0)
    spread = np.sort(np.linalg.norm(cheeks - median, axis=2), axis=0)[7]  # two of ten may be hair or a mouth
    hue, chroma = np.degrees(np.arctan2(median[:, 2], median[:, 1])), np.hypot(median[:, 1], median[:, 2])
    flesh = 1.0 if grey else np.where((hue > 0) & (hue < 85) & (chroma > 3) & (chroma < 68), 1, 0.25)
    skin = np.where(median[:, 0] > 55, 1, 0.2) * flesh * np.clip(median[:, 0] / 85, 0, 1) ** 0.5
    dark = cv2.erode(lab[..., 0], np.ones((3, 3), np.uint8))

    def unlike(spot: np.ndarray) -> np.ndarray:
        """How much a spot differs from the cheeks."""
        darker = np.clip(median[:, 0] - dark[y[spot], x[spot]], 0, 60)
        return darker + np.linalg.norm((tone[y[spot], x[spot]] - median)[:, 1:], axis=1)

    strengths = odd[y[left], x[left]], odd[y[right], x[right]]
    score = np.minimum(unlike(left), unlike(right)) / 40 * np.exp(-spread / 7) * skin
    score *= np.exp(-np.abs(strengths[0] - strengths[1]) / 10) * np.clip(np.minimum(*strengths) / 8, 0.3, 1.5)
    score *= np.clip(1.35 - middle[:, 1] / height, 0.2, 1) * np.exp(-(((middle[:, 0] / width - 0.5) / 0.3) ** 2) * 0.5)
    score *= np.exp(-0.7 * lean) * np.clip(apart / 26, 0.2, 1.3)
    best = int(score.argmax())
    pair = np.array([[x[left[best]], y[left[best]]], [x[right[best]], y[right[best]]]], float)
    return float(score[best]), pair
