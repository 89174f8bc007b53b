"""Areas cut into strokes: labels of what each stroke covers, and the path that it takes."""

from __future__ import annotations

import heapq

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.strokes.operations import nearest_label

BINS = 9  # places along a stroke's path


def path_of(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """The middle line of some pixels, float32 (n, 3): x, y and half width, along their longer axis."""
    xs, ys = xs.astype(np.float32), ys.astype(np.float32)
    x0, y0 = xs.mean(), ys.mean()
    dx, dy = xs - x0, ys - y0
    angle = 0.5 * np.arctan2(2 * (dx * dy).mean(), (dx * dx).mean() - (dy * dy).mean() + 1e-6)
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = dy * np.cos(angle) - dx * np.sin(angle)
    low, span = along.min(), max(1.0, float(np.ptp(along)))
    count = int(np.clip(span / 3, 2, BINS))
    place = np.minimum(((along - low) / span * count).astype(int), count - 1)
    number = np.bincount(place, minlength=count)
    there = number > 0
    mid = np.bincount(place, across, count)[there] / number[there]
    at = low + (np.flatnonzero(there) + 0.5) / count * span
    half = np.maximum(0.5, number[there] / (span / count) / 2)
    points = np.stack(
        [x0 + at * np.cos(angle) - mid * np.sin(angle), y0 + at * np.sin(angle) + mid * np.cos(angle), half], 1
    )
    if len(points) == 1:
        points = np.repeat(points, 2, 0)
        points[:, 0] += (-0.5, 0.5)
    return points.astype(np.float32)


def paths_of(labels: np.ndarray, count: int) -> list[np.ndarray]:
    """The path of every label from 1 to count; a label that is nowhere has none, (0, 3)."""
    paths = []
    for number, box in enumerate(ndimage.find_objects(labels.astype(np.int32), count), 1):
        if box is None:
            paths.append(np.zeros((0, 3), np.float32))
            continue
        ys, xs = np.nonzero(labels[box] == number)
        paths.append(path_of(xs + box[1].start, ys + box[0].start))
    return paths


def rows(mask: np.ndarray, width: float, longest: float, tilt: float = -0.35) -> tuple[np.ndarray, int]:
    """A region, bool (h, w), as rows of strokes along its own bent middle: labels, and how many.

    Long rows are cut; what is smaller than a dab joins the stroke beside it.
    """
    ys, xs = np.nonzero(mask)
    dx, dy = xs - xs.mean(), ys - ys.mean()
    spread = np.array([[(dx * dx).mean(), (dx * dy).mean()], [(dx * dy).mean(), (dy * dy).mean()]]) + 1e-3 * np.eye(2)
    size, axes = np.linalg.eigh(spread)
    axis = axes[:, 1] if size[1] > 1.6 * size[0] else np.array([np.cos(tilt), np.sin(tilt)])
    along, across = dx * axis[0] + dy * axis[1], dy * axis[0] - dx * axis[1]
    place = np.clip(((along - along.min()) / max(1e-6, np.ptp(along)) * 14).astype(int), 0, 13)
    number = np.bincount(place, minlength=14)
    there = np.flatnonzero(number)
    middle = np.interp(np.arange(14), there, np.bincount(place, across, 14)[there] / number[there])
    middle = ndimage.gaussian_filter1d(middle, 1.5, mode="nearest")
    across = across - np.interp((along - along.min()) / max(1e-6, np.ptp(along)) * 14 - 0.5, np.arange(14), middle)
    across = across + 0.13 * width * np.sin(along / max(1.0, width) * 1.3 + len(xs) % 7)
    count = max(1, round(float(np.ptp(across)) / width))
    within = (across - across.min()) / max(1e-6, np.ptp(across)) * count
    row = np.clip(within.astype(int), 0, count - 1)
    along = along - 0.5 * width * (1 - (2 * (within % 1) - 1) ** 2)  # round ends
    labels, made = np.zeros(mask.shape, np.int32), 0
    for k in range(count):
        here = row == k
        if not here.any():
            continue
        low, high = along[here].min(), along[here].max()
        parts = max(1, int(np.ceil((high - low) / longest)))
        cuts = low + (high - low) * (np.arange(1, parts) + 0.15 * np.sin(np.arange(1, parts) * 5 + k)) / parts
        labels[ys[here], xs[here]] = made + 1 + np.searchsorted(cuts, along[here])
        made += parts
    return without_crumbs(labels, mask, 0.12 * width * width)


def without_crumbs(labels: np.ndarray, mask: np.ndarray, least: float) -> tuple[np.ndarray, int]:
    """Labels in one piece each: pieces smaller than `least` go to their neighbours; numbered anew."""
    pieces, count = _pieces(labels)
    area = np.bincount(pieces.ravel(), minlength=count + 1)
    keep = area >= min(least, area[1:].max())
    keep[0] = False
    kept = np.where(keep[pieces], pieces, 0)
    if not keep[1:].all():
        kept = np.where(mask, nearest_label(kept), 0)
    numbers = np.zeros(count + 1, np.int32)
    numbers[keep] = np.arange(1, int(keep.sum()) + 1)
    return numbers[kept], int(keep.sum())


def _pieces(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Connected pieces of equal labels, numbered from 1; 0 stays 0."""
    out, count = np.zeros(labels.shape, np.int32), 0
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        if box is not None:
            mine = labels[box] == number
            found, pieces = cv2.connectedComponents(mine.astype(np.uint8), connectivity=8)
            out[box][mine] = pieces[mine] + count
            count += found - 1
    return out, count


def split_by_mass(xs: np.ndarray, ys: np.ndarray, mass: np.ndarray, count: int) -> list[np.ndarray]:
    """At most `count` compact groups of points, as indices, of about equal mass: the heaviest is cut in two, again."""
    heap, done, tick = [(-float(mass.sum()), 0, np.arange(len(xs)))], [], 1
    while heap and len(heap) + len(done) < count:
        _, _, group = heapq.heappop(heap)
        if len(group) < 2 or (np.ptp(xs[group]) == 0 and np.ptp(ys[group]) == 0):
            done.append(group)
            continue
        longer = xs[group] if np.ptp(xs[group]) >= np.ptp(ys[group]) else ys[group]
        order = np.argsort(longer, kind="stable")
        summed = np.cumsum(mass[group][order])
        cut = int(np.clip(np.searchsorted(summed, summed[-1] / 2), 1, len(group) - 1))
        for half in (group[order[:cut]], group[order[cut:]]):
            heapq.heappush(heap, (-float(mass[half].sum()), tick, half))
            tick += 1
    return done + [entry[2] for entry in heap]


def tour(places: np.ndarray, start: np.ndarray, rng: np.random.Generator, jump: float = 0.12) -> list[int]:
    """An order through places, (n, 2): mostly the nearest next, now and then a jump elsewhere and back."""
    left, order, at = list(range(len(places))), [], np.asarray(start, float)
    while left:
        far = np.hypot(*(places[left] - at).T)
        jumps = len(left) > 3 and rng.random() < jump
        k = left.pop(int(rng.integers(len(left))) if jumps else int(far.argmin()))
        order.append(k)
        at = places[k]
    return order
