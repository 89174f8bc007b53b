"""The areas of a picture in two grains: shapes (shadows apart) and flats (what one fills with one colour)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.strokes.face import Face
from paints_undo.strokes.ink import Ink, ellipse, nearest_place

BALLS = (1 / 45, 1 / 90, 1 / 180, 1 / 400)  # radii of balls that do not pass through gaps, of the longer side
QUIET = 2.2  # Lab units a pixel: more is an edge
SHAPES_LIMIT, FLATS_LIMIT = 6.5, 5.2  # how unlike neighbours may be that become one
MOST_FLATS = 80
PAPER = 243  # from here on, in its darkest channel, a colour is left as paper


@dataclass
class Regions:
    """shapes, flats: int32 (H, W), labels from 0.  flat_of: the flat that each shape lies in.

    shape_colour, flat_colour: float32 (n, 3), sRGB 0 to 255; a flat has the colour of its largest shape.
    """

    shapes: np.ndarray
    flats: np.ndarray
    flat_of: np.ndarray
    shape_colour: np.ndarray
    flat_colour: np.ndarray
    shape_area: np.ndarray
    flat_area: np.ndarray
    base: np.ndarray  # the shape that gives each flat its colour


@dataclass
class _Graph:
    """Areas and the borders between them; joins all mutual best neighbours at once, round by round."""

    area: np.ndarray
    small: np.ndarray  # the area under which an area counts as small
    colour: np.ndarray  # Lab, (n, 3)
    weight: np.ndarray  # of the colour
    first: np.ndarray
    second: np.ndarray
    length: np.ndarray
    inked: np.ndarray  # how much of a border is a line, summed along it
    joined: np.ndarray  # where each of the first areas went
    keeps_largest: bool = False  # a mean would drift and chain
    largest: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def of(cls, labels: np.ndarray, lab: np.ndarray, line: np.ndarray, weight: np.ndarray, least: np.ndarray) -> _Graph:
        count, flat = int(labels.max()) + 1, labels.ravel()
        weights = weight.ravel() + 1e-3
        total = np.bincount(flat, weights, count)
        sums = np.stack([np.bincount(flat, weights * lab[..., k].ravel(), count) for k in range(3)], 1)
        area = np.bincount(flat, minlength=count).astype(float)
        sides = np.concatenate([labels[:, :-1].ravel(), labels[:-1].ravel()])
        others = np.concatenate([labels[:, 1:].ravel(), labels[1:].ravel()])
        beyond = [np.maximum(line[:, :-1], line[:, 1:]).ravel(), np.maximum(line[:-1], line[1:]).ravel()]
        differ = sides != others
        graph = cls(
            area,
            np.bincount(flat, least.ravel(), count) / area,
            sums / total[:, None],
            total,
            sides[differ],
            others[differ],
            np.ones(int(differ.sum())),
            np.concatenate(beyond)[differ].astype(float),
            np.arange(count),
        )
        graph._tidy()
        return graph

    def _tidy(self) -> None:
        """One entry for each pair of neighbours."""
        count = len(self.area)
        low, high = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        apart = low != high
        keys, place = np.unique(low[apart].astype(np.int64) * count + high[apart], return_inverse=True)
        self.length = np.bincount(place, self.length[apart], len(keys))
        self.inked = np.bincount(place, self.inked[apart], len(keys))
        self.first, self.second = keys // count, keys % count

    def smallness(self, by: float = 1.0, least: float = 0.02) -> np.ndarray:
        """For each border, the smaller side's area over what counts as small, at most 1."""
        a, b = self.area[self.first], self.area[self.second]
        ratio = np.where(a < b, a / self.small[self.first], b / self.small[self.second]) / by
        return np.clip(ratio, least, 1)

    def difference(self) -> np.ndarray:
        """The colours' difference over each border, Lab (n, 3)."""
        return self.colour[self.first] - self.colour[self.second]

    def keep_largest(self) -> None:
        """From now on a joined area keeps the colour of its largest part."""
        self.keeps_largest, self.largest, self.joined = True, self.area.copy(), np.arange(len(self.area))

    def join(self, cost: Callable[[_Graph], np.ndarray], limit: float) -> None:
        """Join neighbours that are each other's cheapest, until none costs as little as the limit."""
        while len(self.first):
            costs = cost(self)
            best = np.full(len(self.area), np.inf)
            np.minimum.at(best, self.first, costs)
            np.minimum.at(best, self.second, costs)
            wanted = (costs <= limit) & (costs <= best[self.first]) & (costs <= best[self.second])
            if not wanted.any():
                return
            into, used = np.arange(len(self.area)), np.zeros(len(self.area), bool)
            for a, b in zip(self.first[wanted], self.second[wanted], strict=True):  # ties could chain: one a round
                if not (used[a] or used[b]):
                    into[b] = a
                    used[a] = used[b] = True
            self._rename(np.unique(into, return_inverse=True)[1])

    def _rename(self, new: np.ndarray) -> None:
        count = int(new.max()) + 1
        area, weight = np.bincount(new, self.area), np.bincount(new, self.weight)
        small = np.bincount(new, self.small * self.area) / area
        if self.keeps_largest:
            order = np.argsort(self.largest, kind="stable")
            colour, largest = np.empty((count, 3)), np.empty(count)
            colour[new[order]], largest[new[order]] = self.colour[order], self.largest[order]
            self.largest = largest
        else:
            sums = self.colour * self.weight[:, None]
            colour = np.stack([np.bincount(new, sums[:, k]) for k in range(3)], 1) / weight[:, None]
        self.area, self.weight, self.small, self.colour = area, weight, small, colour
        self.first, self.second, self.joined = new[self.first], new[self.second], new[self.joined]
        self._tidy()


def _balls(quiet: np.ndarray) -> np.ndarray:
    """Labels of quiet places, large balls first: a gap narrower than the ball does not join two of them."""
    side, labels, count = max(quiet.shape), np.zeros(quiet.shape, np.int32), 0
    for radius in BALLS:
        free = quiet & (labels == 0)
        kernel = ellipse(2 * radius * side + 1)
        cores = cv2.erode(free.astype(np.uint8), kernel, borderValue=1)
        found, core = cv2.connectedComponents(cores, connectivity=4)
        grown = cv2.dilate(core.astype(np.float32), kernel).astype(np.int32)
        put = free & (grown > 0)
        labels[put] = grown[put] + count
        count += found - 1
    return labels


def _first_areas(artwork: np.ndarray, smooth: np.ndarray, lab: np.ndarray, ink: Ink) -> np.ndarray:
    """The areas before any are joined: flooded from quiet places, with borders in the middle of lines."""
    steep = np.zeros(lab.shape[:2], np.float32)
    for k in range(3):
        steep += cv2.Sobel(lab[..., k], cv2.CV_32F, 1, 0) ** 2 + cv2.Sobel(lab[..., k], cv2.CV_32F, 0, 1) ** 2
    markers = _balls((np.sqrt(steep) / 8 < QUIET) & ~ink.mask)
    if not markers.any():
        return np.zeros(markers.shape, np.int64)
    labels = cv2.watershed(cv2.addWeighted(artwork, 0.5, smooth, 0.5, 0), markers.copy())
    labels[[0, -1]] = labels[:, [0, -1]] = -1
    labels[ink.mask & (markers == 0)] = -1
    if not (labels > 0).any():
        return np.zeros(markers.shape, np.int64)
    _, place = nearest_place(labels > 0)
    return np.unique(labels.ravel()[place], return_inverse=True)[1].reshape(labels.shape)


def smooth_borders(labels: np.ndarray, sigma: float) -> np.ndarray:
    """Every pixel goes to the area that is most present around it."""
    pad = int(3 * sigma) + 1
    best, smooth = np.zeros(labels.shape, np.float32), labels.copy()
    for label, box in enumerate(ndimage.find_objects(labels + 1)):
        if box is None:
            continue
        wide = tuple(slice(max(0, side.start - pad), side.stop + pad) for side in box)
        present = cv2.GaussianBlur((labels[wide] == label).astype(np.float32), (0, 0), sigma)
        more = present > best[wide]
        best[wide][more] = present[more]
        smooth[wide][more] = label
    return smooth


def find_regions(artwork: np.ndarray, ink: Ink, face: Face | None) -> Regions:
    """The areas of a picture, uint8 RGB."""
    height, width = artwork.shape[:2]
    side = max(height, width)
    smooth = ink.clean
    for strength in (24, 18):
        smooth = cv2.bilateralFilter(smooth, 5, strength, 3)
    lab = cv2.cvtColor(smooth.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    labels = _first_areas(artwork, smooth, lab, ink)
    small = (side / 55) ** 2
    least = np.full((height, width), small, np.float32)
    if face is not None:  # what is small elsewhere is not small around the eyes
        for x, y in face.eyes:
            near_eye = min(small, (0.09 * face.distance) ** 2)
            cv2.circle(least, (int(x), int(y)), int(0.36 * face.distance), float(near_eye), -1)
    line = cv2.dilate(ink.alpha, np.ones((3, 3), np.uint8)).astype(np.float32) / 255
    graph = _Graph.of(labels, lab, line, (~ink.mask).astype(np.float32), least)

    def shapes_cost(graph: _Graph) -> np.ndarray:
        smallness = graph.smallness()
        lines = 10 * smallness * graph.inked / graph.length
        return np.linalg.norm(graph.difference(), axis=1) * smallness**0.4 + lines

    graph.join(shapes_cost, SHAPES_LIMIT)
    shapes = smooth_borders(graph.joined[labels], max(1.0, side / 450))
    graph.keep_largest()
    count_small_by = 1.0

    def flats_cost(graph: _Graph) -> np.ndarray:
        difference = graph.difference()
        smallness = graph.smallness(count_small_by, 0.004)
        colour = np.sqrt((0.36 * difference[:, 0]) ** 2 + 1.1 * (difference[:, 1:] ** 2).sum(1))
        return colour * smallness**0.45 + 22 * smallness * np.clip(graph.inked / graph.length - 0.15, 0, 1)

    while count_small_by < 200:  # too many: more of them count as small; the limit of colours stays
        graph.join(flats_cost, FLATS_LIMIT)
        if len(graph.area) <= MOST_FLATS:
            break
        count_small_by *= 1.4
    return _regions(_paint_on_paper(shapes, graph.joined, ink), graph.joined, ink)


def _paint_on_paper(shapes: np.ndarray, flat_of: np.ndarray, ink: Ink) -> np.ndarray:
    """The shapes; what is painted on those left as paper is, piece by piece, a shape numbered after them."""
    lightest = np.array(ndimage.median(ink.clean.min(2), shapes, np.arange(len(flat_of))))
    paint = (ink.clean.min(2) < PAPER - 4) & (ink.alpha < 128) & (lightest[shapes] >= PAPER)
    size = max(3, round(max(shapes.shape) / 220)) | 1
    closed = cv2.morphologyEx(paint.astype(np.uint8), cv2.MORPH_CLOSE, ellipse(size)) > 0
    closed &= lightest[shapes] >= PAPER
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(closed.astype(np.uint8), connectivity=4)
    large = stats[:, cv2.CC_STAT_AREA] >= max(12, 0.0003 * shapes.size)
    large[0] = False
    return np.where(large[pieces], len(flat_of) + pieces, shapes)


def _painted_apart(flat_of: np.ndarray, colour: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Flats of which none is left as paper where some of it is paint: such shapes are flats of their own."""
    largest = np.zeros(int(flat_of.max()) + 1, int)
    order = np.argsort(area, kind="stable")
    largest[flat_of[order]] = order
    apart = (colour[largest].min(1)[flat_of] >= PAPER) & (colour.min(1) < PAPER)
    flat_of = np.where(apart, flat_of.max() + 1 + np.arange(len(flat_of)), flat_of)
    return np.unique(flat_of, return_inverse=True)[1]


def _regions(shapes: np.ndarray, flat_of: np.ndarray, ink: Ink) -> Regions:
    """Shapes and flats numbered without holes, with their colours: medians of their own pixels away from lines."""
    flat_of = np.concatenate([flat_of, flat_of.max() + 1 + np.arange(int(shapes.max()) + 1 - len(flat_of))])
    kept, numbers = np.unique(shapes, return_inverse=True)
    shapes = numbers.reshape(shapes.shape).astype(np.int32)
    flat_of = np.unique(flat_of[kept], return_inverse=True)[1]
    area = np.bincount(shapes.ravel(), minlength=len(kept))
    colour = np.zeros((len(kept), 3), np.float32)
    quiet = ink.alpha < 13
    for label, box in enumerate(ndimage.find_objects(shapes + 1)):
        inside = shapes[box] == label
        best = inside & quiet[box]
        colour[label] = np.median(ink.clean[box][best if best.sum() > 8 else inside], axis=0)
    flat_of = _painted_apart(flat_of, colour, area)
    base = np.zeros(int(flat_of.max()) + 1, int)
    order = np.argsort(area, kind="stable")
    base[flat_of[order]] = order
    flats = flat_of[shapes].astype(np.int32)
    return Regions(shapes, flats, flat_of, colour, colour[base], area, np.bincount(flats.ravel()), base)
