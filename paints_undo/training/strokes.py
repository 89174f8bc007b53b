"""Regions -> strokes -> the sketch and line maps with their reveal orders.

The sketch is a function of the shapes, not of chance: construction strokes that cut corners and overshoot, light
guides through the big shapes, then a second, smoother pass. A network can learn that; it cannot learn noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d

from paints_undo.training.regions import Regions, line_mask, spread

LONGEST_STROKE = 0.55  # of the width; a pen is lifted after that
SKETCHED_LENGTH = 0.16  # of the width; shorter contours are details that a sketch leaves out
SIMPLIFY = 0.018  # of the width: how far a construction stroke may leave the contour
OVERSHOOT = 0.02  # of the width: how far a construction stroke runs past its corner
SMOOTH = 0.014  # of the width: standard deviation of the smoothing along the second pass
FIXED_POINT = 3  # fractional bits of OpenCV's drawing coordinates


@dataclass(frozen=True)
class Stroke:
    """One pen stroke: `points` float32 (n, 2) of x, y at the working size, and `region`, the shape that it outlines."""

    points: np.ndarray
    region: int


def find_strokes(regions: Regions) -> list[Stroke]:
    """Contours of all regions cut into pen strokes, in working order; stretches without a visible line are left out."""
    width = regions.index.shape[1]
    lines = line_mask(regions) | regions.ink[regions.index]
    visible = cv2.dilate(lines, np.ones((5, 5), np.uint8)) > 0
    strokes = []
    for number in np.argsort(regions.rank):
        mask = (regions.index == number).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            points = contour[:, 0]
            points = np.roll(points, -int(np.argmin(points[:, 1] + 0.3 * points[:, 0])), axis=0)
            for piece in _split_where_false(points, visible[points[:, 1], points[:, 0]]):
                count = max(1, round(len(piece) / (width * LONGEST_STROKE)))
                strokes += [Stroke(part.astype(np.float32), int(number)) for part in np.array_split(piece, count)]
    return strokes


def draw_lines(regions: Regions, strokes: list[Stroke]) -> tuple[np.ndarray, np.ndarray]:
    """Line opacity and its reveal order, both float32 (H, W) in 0..1: borders at pen width, ink at its own."""
    pen = cv2.dilate(line_mask(regions), np.ones((3, 3), np.uint8)).astype(np.float32)
    opacity = np.maximum(cv2.GaussianBlur(pen, (0, 0), 0.7), regions.ink[regions.index])
    return opacity, _reveal_order([stroke.points for stroke in strokes], regions.index.shape, 4)


def draw_sketch(regions: Regions, strokes: list[Stroke]) -> tuple[np.ndarray, np.ndarray]:
    """Sketch opacity and its reveal order, both float32 (H, W) in 0..1: guides, construction strokes, second pass."""
    width = regions.index.shape[1]
    long_enough = [stroke for stroke in strokes if len(stroke.points) > width * SKETCHED_LENGTH] or strokes
    guides = _guides(regions)
    construction = [line for stroke in long_enough for line in _construction(stroke.points, width)]
    second = [_smooth(stroke.points, width) for stroke in long_enough]
    opacity: np.ndarray = np.zeros(regions.index.shape, np.float32)
    for lines, strength in ((guides, 0.45), (construction, 0.50), (second, 0.70)):
        drawn = np.zeros(regions.index.shape, np.uint8)
        cv2.polylines(drawn, [_fixed(line) for line in lines], False, 255, 2, cv2.LINE_AA, FIXED_POINT)
        opacity = opacity + strength * (drawn / np.float32(255)) * (1 - opacity)
    # Guides are fainter than what is drawn over them: where both meet, the later and stronger stroke sets the time.
    return opacity, _reveal_order(guides + construction + second, regions.index.shape, 3, yielding=len(guides))


def _split_where_false(points: np.ndarray, keep: np.ndarray) -> list[np.ndarray]:
    """Runs of points where `keep` holds, without runs too short to be a stroke."""
    cuts = np.flatnonzero(np.diff(keep.astype(np.int8))) + 1
    runs = zip(np.split(points, cuts), np.split(keep, cuts), strict=True)
    return [run for run, wanted in runs if wanted[:1].all() and len(run) >= 6]


def _construction(points: np.ndarray, width: int) -> list[np.ndarray]:
    """Straight strokes along the contour, each running a little past its corners."""
    corners = cv2.approxPolyDP(points[:, None], SIMPLIFY * width, False)[:, 0]
    lines = []
    for begin, end in zip(corners[:-1], corners[1:], strict=True):
        length = float(np.hypot(*(end - begin)))
        past = (end - begin) / max(length, 1) * min(OVERSHOOT * width, 0.3 * length)
        lines.append(np.stack([begin - past, end + past]))
    return lines


def _smooth(points: np.ndarray, width: int) -> np.ndarray:
    """The contour as a quick hand draws it: rounder than it is, with its ends kept."""
    soft = gaussian_filter1d(points, SMOOTH * width, axis=0, mode="nearest")
    return soft[:: max(1, len(soft) // 40)]


def _guides(regions: Regions) -> list[np.ndarray]:
    """An ellipse around the biggest shape and a cross through it, as construction drawings of heads have."""
    candidates = np.flatnonzero(~regions.background & ~regions.ink & (regions.area > 0.03 * regions.index.size))
    if not len(candidates):
        return []
    biggest = candidates[np.argmax(regions.area[candidates])]
    rows, columns = np.nonzero(regions.index == biggest)
    x, y = regions.centre[biggest]
    half_width, half_height = 1.9 * columns.std(), 1.9 * rows.std()  # a filled ellipse's half axis is 2 std
    angle = np.linspace(-np.pi / 2, 1.5 * np.pi, 48)
    ellipse = np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], axis=1)
    upright = np.array([[x, y - half_height * 1.1], [x, y + half_height * 1.1]])
    level = np.array([[x - half_width * 1.1, y], [x + half_width * 1.1, y]])
    return [ellipse, upright, level]


def _reveal_order(lines: list[np.ndarray], shape: tuple[int, int], thickness: int, yielding: int = 0) -> np.ndarray:
    """When each pixel is reached if the lines are drawn one after another: float32 (H, W) 0..1, spread everywhere.

    Where strokes cross, the earliest counts; the first `yielding` lines give way to all others.
    """
    order = np.full(shape, 2, np.float32)
    lengths = np.array([max(1.0, float(np.hypot(*np.diff(line, axis=0).T).sum())) for line in lines] or [1.0])
    ends = np.cumsum(lengths) / lengths.sum()
    timed = list(zip(lines, ends - lengths / lengths.sum(), ends, strict=False))
    for line, begin, end in timed[:yielding] + timed[yielding:][::-1]:
        pieces = min(12, max(1, round((end - begin) * 250)))
        for number in reversed(range(pieces)):
            part = _part(line, number / pieces, (number + 1) / pieces)
            when = begin + (end - begin) * number / pieces
            cv2.polylines(order, [_fixed(part)], False, float(when), thickness, cv2.LINE_8, FIXED_POINT)
    return spread(np.minimum(order, 1), order <= 1)


def _part(line: np.ndarray, begin: float, end: float) -> np.ndarray:
    """The stretch of a polyline between two fractions of its number of segments."""
    at = np.arange(len(line))
    last = len(line) - 1
    wanted = np.unique(np.concatenate([[begin * last], at[(at > begin * last) & (at < end * last)], [end * last]]))
    return np.stack([np.interp(wanted, at, line[:, axis]) for axis in (0, 1)], axis=1)


def _fixed(line: np.ndarray) -> np.ndarray:
    return np.round(np.asarray(line) * (1 << FIXED_POINT)).astype(np.int32)
