"""The lines that a person sees in a picture and would draw first, however it is painted."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold
from skimage.morphology import skeletonize

from paints_undo.strokes.flow import direction
from paints_undo.strokes.ink import near_ends, trace

SEEN_AT = 420  # pixels of the longer side: what does not show at this size is no matter of a sketch
WEAK, STRONG = 0.12, 0.045  # of all pixels: those on which a line goes on, and those on which one begins
COLOUR = 0.6  # of a difference in colour, beside one in tone
EVEN = 0.6  # 0: only the strongest lines of the picture; 1: the strongest of each place
GAP = 1 / 30  # of the longer side: how far a hand goes on where a line is lost
CORNER = -0.1  # cosine of a turn at which a hand lifts


@dataclass
class Seen:
    """path: float (n, 3), x, y and how clearly it shows there, 1 in the middle.  fine: seen from close by."""

    path: np.ndarray
    fine: bool = False

    @property
    def length(self) -> float:
        """In pixels of the picture."""
        return float(np.hypot(*np.diff(self.path[:, :2], axis=0).T).sum())


def seen_lines(artwork: np.ndarray, size: int = SEEN_AT, fine: bool = False) -> list[Seen]:
    """The lines and edges of a picture, uint8 RGB, as it is seen at a size; places in its own pixels.

    size: of the longer side, pixels.
    """
    scale = size / max(artwork.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(artwork, None, fx=scale, fy=scale, interpolation=how)
    response = coherent_lines(small)
    weak, strong = np.percentile(response, (100 - 100 * WEAK, 100 - 100 * STRONG))
    response /= max(1e-6, strong)
    lines = trace(skeletonize(apply_hysteresis_threshold(response, weak / max(1e-6, strong), 1)), 6)
    seen = []
    for points in _joined(lines, size * GAP):
        for part in _at_corners(points):
            if len(part) > 5:
                x, y = np.round(part).astype(int).T
                clear = ndimage.uniform_filter1d(np.minimum(response[y, x], 2), 9)
                seen.append(Seen(np.column_stack([(part + 0.5) / scale - 0.5, clear]), fine))
    return seen


def coherent_lines(picture: np.ndarray) -> np.ndarray:
    """How much each pixel of uint8 RGB lies on a line, float32 (h, w), evened out over the picture.

    Differences of Gaussians across the picture's flow, gathered along it (Kang, Lee, Chui 2007, Coherent Line Drawing).
    """
    calm = cv2.bilateralFilter(cv2.medianBlur(picture, 3), 7, 30, 4)
    lab: np.ndarray = cv2.cvtColor(calm.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    light, red, yellow = (lab[..., k] for k in range(3))
    # where tones are alike, a line belongs to what is more colourful, or warmer
    sight = np.dstack([light, -COLOUR * np.hypot(red, yellow), -0.7 * COLOUR * (red + yellow)])
    mixed = cv2.GaussianBlur(sight.sum(2), (0, 0), 0.7)
    cos, sin = (part.astype(np.float32) for part in direction(mixed, 3.2))
    height, width = mixed.shape
    xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    steps = np.arange(-6, 7)
    narrow, broad = (np.exp(-(steps**2) / (2 * sigma**2)) for sigma in (1.1, 2.0))
    weights = 0.985 * broad / broad.sum() - narrow / narrow.sum()
    sides = np.zeros_like(sight)
    for k, weight in zip(steps.tolist(), weights.tolist(), strict=True):
        sides += np.float32(weight) * _at(sight, xs - k * sin, ys + k * cos)
    across = np.clip(sides, 0, None).max(2)
    out, total = across.copy(), 1.0
    for sign in (1, -1):
        x, y, dx, dy = xs, ys, sign * cos, sign * sin
        for k in range(1, 13):
            x, y = x + dx, y + dy
            weight = float(np.exp(-(k**2) / 60))
            out += np.float32(weight) * _at(across, x, y)
            total += weight
            vx, vy = _at(cos, x, y), _at(sin, x, y)
            turned = np.where(vx * dx + vy * dy < 0, -1, 1).astype(np.float32)
            dx, dy = vx * turned, vy * turned
    out /= total
    return out / (0.4 * out.mean() + cv2.GaussianBlur(out, (0, 0), max(height, width) / 14) + 1e-6) ** EVEN


def _at(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _joined(lines: list[np.ndarray], gap: float) -> list[np.ndarray]:
    """Lines whose ends point at each other as one line."""
    parts = {k: line for k, line in enumerate(lines)}
    if len(lines) < 2:
        return lines
    ends, ways, first, second, length, ahead = near_ends(lines, 7, gap)
    straight = ahead.min(0)
    straight[length < 2.5] = -(ways[first] * ways[second]).sum(1)[length < 2.5]
    cost = length * (1.6 - straight)
    home = list(range(len(lines)))
    used: set[int] = set()
    for k in np.argsort(cost, kind="stable"):
        a, b = int(first[k]), int(second[k])
        if straight[k] < 0.7 or a in used or b in used or home[a // 2] == home[b // 2]:
            continue
        used |= {a, b}
        one, other = parts.pop(home[a // 2]), parts.pop(home[b // 2])
        if not np.array_equal(one[-1], ends[a]):
            one = one[::-1]
        if not np.array_equal(other[0], ends[b]):
            other = other[::-1]
        new = home[a // 2]
        home = [new if at == home[b // 2] else at for at in home]
        parts[new] = np.vstack([one, other])
    return list(parts.values())


def _at_corners(points: np.ndarray) -> list[np.ndarray]:
    """A line in the parts that a hand draws without lifting."""
    if len(points) < 12:
        return [points]
    calm = ndimage.gaussian_filter1d(points.astype(float), 1.5, axis=0, mode="nearest")
    step = 5
    ways = calm[step:] - calm[:-step]
    ways /= np.maximum(1e-6, np.hypot(*ways.T))[:, None]
    turn = (ways[step:] * ways[:-step]).sum(1)
    low = (turn < CORNER) & (turn == ndimage.minimum_filter1d(turn, 9))
    return [part.astype(float) for part in np.split(calm, np.flatnonzero(low) + step)]
