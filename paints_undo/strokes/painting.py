"""A painting: masses blocked in with broad strokes along the flow, then modelled with smaller ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from paints_undo.strokes.cells import paths_of, without_crumbs
from paints_undo.strokes.drafts import Draft, Drafts, colour_of
from paints_undo.strokes.flow import FlowPainter, direction
from paints_undo.strokes.ink import ellipse
from paints_undo.strokes.look import BEHIND, Findings
from paints_undo.strokes.operations import Colour, nearest_label
from paints_undo.strokes.regions import PAPER, smooth_borders

WORK = 560  # pixels of the longer side that strokes are placed at
# half widths of strokes, one over parts of the longer side: face, head, figure, background
BROAD, MIDDLE = np.array([55.0, 38.0, 27.0, 21.0]), np.array([190.0, 140.0, 95.0, 70.0])
ALIKE_BROAD, ALIKE_MIDDLE = 15.0, 10.0  # Lab units within one stroke
WRONG = 15  # grey levels: a place that is off by more is modelled
DARKEST_WASH, DARKEST_TONE = 118.0, 200.0  # grey levels darker than paper: first washes, and the tones over them
CRUMB = 0.0012  # of the canvas: what is smaller is no stroke of its own
MOST_HIGHLIGHTS = 36
TITLES = ("the face", "the head", "the figure", "the background")


@dataclass
class Easel:
    """A painting while it is planned, small.  picture: uint8 (h, w, 3).  zone, paper: (h, w).

    wet: whether it is painted light to dark on white paper, as ink wash and watercolour are.  zones: in this order.
    """

    findings: Findings
    picture: np.ndarray
    zone: np.ndarray
    paper: np.ndarray
    wet: bool
    zones: tuple[int, ...]

    @property
    def side(self) -> int:
        """The longer side, pixels."""
        return max(self.zone.shape)


def set_up(findings: Findings, zones: tuple[int, ...]) -> Easel:
    """What a painter decides first: the medium."""
    height, width = findings.figure.shape
    scale = min(1.0, WORK / findings.side)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = cv2.resize(findings.artwork, size, interpolation=cv2.INTER_AREA)
    zone = cv2.resize(findings.zone, size, interpolation=cv2.INTER_NEAREST).astype(np.int32)
    wet = on_paper(picture)
    paper = median(picture, 150).min(2) >= PAPER
    return Easel(findings, picture, zone, paper, wet, zones)


def on_paper(picture: np.ndarray) -> bool:
    """Whether white paper is part of a picture: more of it is wanted where there is colour."""
    chroma = float(np.ptp(picture.astype(np.int16), axis=2).mean())
    return float((picture.min(2) > 232).mean()) > (0.08 if chroma < 14 else 0.3)


def median(picture: np.ndarray, part: float) -> np.ndarray:
    """The picture in masses: the median over windows of a part of the longer side."""
    size = max(3, int(max(picture.shape[:2]) / part) | 1)
    return cv2.medianBlur(picture, size)


# Strokes


class _Hand:
    """Lays strokes from place to next place, the broad ones first."""

    def __init__(self, easel: Easel, wanted: np.ndarray, masses: np.ndarray, alike: float, rng: np.random.Generator):
        lab = cv2.cvtColor(masses.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
        light = cv2.cvtColor(masses, cv2.COLOR_RGB2GRAY).astype(np.float32)
        self.flow = direction(light, max(1.2, easel.side / 70))
        self.painter = FlowPainter(wanted.astype(np.uint8), self.flow, 1, lab, alike)
        self.easel, self.rng = easel, rng
        self.at = easel.findings.focus * easel.side / easel.findings.side

    def work(self, zone: int, radius: float, least: float, most: int) -> None:
        """Cover what is wanted of a zone with strokes of a half width, as long as each has enough to do."""
        painter, start = self.painter, self.painter.count
        painter.least = max(4, round(least * radius * radius))
        ys, xs = np.nonzero((self.easel.zone == zone) & (painter.left > 0))
        some = self.rng.permutation(len(xs))[: 60 + int(3 * len(xs) / max(4.0, radius * radius))]
        points = np.stack([xs[some], ys[some]], 1)
        while len(points) and painter.count - start < most:
            far = np.hypot(*(points - self.at).T) * self.rng.uniform(0.7, 1.3, len(points))
            k = int(far.argmin())
            x, y = points[k].tolist()
            points = np.delete(points, k, 0)
            if painter.dab(x, y, radius * float(self.rng.uniform(0.85, 1.2)), self.easel.zone):
                self.at = np.array([x, y], float)
                points = points[painter.left[points[:, 1], points[:, 0]] > 0]


def block_in(easel: Easel, rng: np.random.Generator) -> Drafts:
    """The masses in broad strokes: over the subject and the background, then again with half as broad ones."""
    masses = median(easel.picture, 24)
    hand = _Hand(easel, ~easel.paper, masses, ALIKE_BROAD, rng)
    radii = easel.side / BROAD
    for finer, least, most in ((1.0, 5.0, 45), (0.55, 3.5, 40), (0.34, 3.5, 30)):
        for zone in easel.zones:
            hand.work(zone, max(2.0, finer * radii[zone]), least, most)
    labels = np.where(easel.paper, 0, nearest_label(hand.painter.labels))
    full = _full_size(easel, labels, hand.flow, 0.3 * easel.side / 30, rng)
    inside = (full > 0) | (easel.findings.artwork.min(2) < PAPER - 5)
    full = np.where(inside, nearest_label(full), 0)
    full, _ = without_crumbs(full, inside, CRUMB * full.size)
    return _drafts(easel, full, "block in", DARKEST_WASH, rng)


def modelling(easel: Easel, painted: np.ndarray, count: int, rng: np.random.Generator) -> Drafts:
    """Smaller strokes of colour where the masses are still wrong, at most `count`, zone by zone.

    painted: what there is, uint8 (H, W, 3).
    """
    height, width = easel.zone.shape
    small = cv2.resize(painted, (width, height), interpolation=cv2.INTER_AREA)
    target = median(easel.picture, 110)
    off = cv2.absdiff(target, small).max(2)
    wanted = cv2.morphologyEx((off > WRONG).astype(np.uint8), cv2.MORPH_OPEN, ellipse(3)) > 0
    hand = _Hand(easel, wanted & ~easel.paper, target, ALIKE_MIDDLE, rng)
    radii = easel.side / MIDDLE
    areas = np.bincount(easel.zone[wanted], minlength=4) / radii**2
    share = count * areas / max(1.0, areas.sum())
    for zone in easel.zones:
        for finer, least, part in ((1.0, 4.5, 0.65), (0.6, 4.0, 1.0)):
            spent = hand.painter.count
            hand.work(zone, max(1.2, finer * radii[zone]), least, int(np.ceil(part * share[zone])))
            share[zone] -= hand.painter.count - spent
    full = _full_size(easel, hand.painter.labels, hand.flow, 0.24 * easel.side / 60, rng)
    full, _ = without_crumbs(full, full > 0, 0.3 * CRUMB * full.size)
    drafts = _drafts(easel, full, "model", DARKEST_TONE, rng)
    return _layered(drafts, painted)


def _full_size(
    easel: Easel, labels: np.ndarray, flow: tuple[np.ndarray, np.ndarray], reach: float, rng: np.random.Generator
) -> np.ndarray:
    """Labels at the artwork's size, with ends as ragged as bristles leave them. reach: of a bristle, small pixels."""
    height, width = easel.findings.figure.shape
    size, scale = (width, height), easel.findings.side / easel.side
    bristles = _along(rng.normal(0, 1, labels.shape).astype(np.float32), flow, max(4, round(2 * reach)))
    wobble = cv2.GaussianBlur(rng.normal(0, 1, labels.shape).astype(np.float32), (0, 0), max(1.0, 0.8 * reach))
    ends = np.clip(bristles / max(1e-6, float(bristles.std())), -2, 2) * 0.6 * reach
    sides = np.clip(wobble / max(1e-6, float(wobble.std())), -2, 2) * 0.16 * reach
    dx, dy = flow[0] * ends - flow[1] * sides, flow[1] * ends + flow[0] * sides
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    x += cv2.resize(dx.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) * scale
    y += cv2.resize(dy.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) * scale
    large = cv2.resize(labels.astype(np.float32), size, interpolation=cv2.INTER_NEAREST).astype(np.int32)
    if scale > 1.3:
        large = smooth_borders(large, scale)
    moved = cv2.remap(large.astype(np.uint16), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    return moved.astype(np.int32)


def _along(noise: np.ndarray, flow: tuple[np.ndarray, np.ndarray], steps: int) -> np.ndarray:
    """Noise drawn out along the flow: what lies along one bristle's way is alike (Cabral, Leedom 1993)."""
    height, width = noise.shape
    total = noise.copy()
    for sign in (1.0, -1.0):
        x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        dx, dy = sign * flow[0].astype(np.float32), sign * flow[1].astype(np.float32)
        for _ in range(steps):
            x, y = x + dx, y + dy
            vx = cv2.remap(flow[0].astype(np.float32), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            vy = cv2.remap(flow[1].astype(np.float32), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            back = np.sign(vx * dx + vy * dy + np.float32(1e-9))
            dx, dy = np.asarray(vx * back, np.float32), np.asarray(vy * back, np.float32)
            total += cv2.remap(noise, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return total


def _drafts(easel: Easel, labels: np.ndarray, word: str, darkest: float, rng: np.random.Generator) -> Drafts:
    """Strokes of labels, without those that are nowhere; alike for what goes astray: those of one zone."""
    kept, numbers = np.unique(labels, return_inverse=True)
    labels = numbers.reshape(labels.shape).astype(np.int32)
    if kept[0] != 0:
        labels += 1
    count = int(labels.max())
    paths = paths_of(labels, count)
    strokes: list[Draft] = []
    for path in paths:
        zone = int(easel.findings.zones_at(path[:, :2].mean(0)[None])[0])
        strokes.append(Draft("flats", "flat", path, (0, 0, 0), f"{word} {TITLES[zone]}", key=("paint", zone == BEHIND)))
    return coloured(easel, Drafts(labels, strokes), darkest, rng)


def coloured(easel: Easel, drafts: Drafts, darkest: float, rng: np.random.Generator) -> Drafts:
    """Every stroke in the colour that the artwork has under most of it, varied a little as paint is mixed anew."""
    artwork, count = easel.findings.artwork, len(drafts.strokes)
    if not count:
        return drafts
    there = drafts.labels > 0
    order = np.argsort(drafts.labels[there], kind="stable")
    pixels = artwork[there][order]
    ends = np.cumsum(np.bincount(drafts.labels[there], minlength=count + 1)[1:])
    strokes: list[Draft] = []
    for stroke, some in zip(drafts.strokes, np.split(pixels, ends[:-1]), strict=True):
        value = np.median(some.astype(np.float64), 0) if len(some) else np.array([255.0, 255.0, 255.0])
        if easel.wet:  # thinner paint first: as much darker than paper as a wash may be
            dark = max(1.0, 255 - value.mean())
            value = 255 - (255 - value) * darkest * (1 - np.exp(-1.25 * dark / darkest)) / dark
        value = value + rng.normal(0, 2.2) + rng.normal(0, 1.0, 3)
        strokes.append(replace(stroke, colour=colour_of(np.clip(value, 0, 255))))
    return Drafts(drafts.labels, strokes)


def settled(drafts: Drafts) -> Drafts:
    """Strokes whose colours stand: from now on only strokes of one colour are alike."""
    return Drafts(drafts.labels, [replace(stroke, key=None) for stroke in drafts.strokes])


def _layered(drafts: Drafts, painted: np.ndarray) -> Drafts:
    """Strokes lighter than what they lie on belong to the light, the others to the shadow."""
    strokes = []
    for stroke, under in zip(drafts.strokes, _mean(drafts, cv2.cvtColor(painted, cv2.COLOR_RGB2GRAY)), strict=True):
        strokes.append(replace(stroke, layer="light" if _grey(stroke.colour) > under else "shadow"))
    return Drafts(drafts.labels, strokes)


def _grey(colour: Colour | None) -> float:
    red, green, blue = colour or (0, 0, 0)
    return 0.299 * red + 0.587 * green + 0.114 * blue


# Order


def in_painters_order(easel: Easel, drafts: dict[str, Drafts]) -> dict[str, Drafts]:
    """Wet paint from light to dark, phase by phase; all other paint with its highlights last."""
    if easel.wet:
        return {phase: light_to_dark(part, easel.findings.artwork) for phase, part in drafts.items()}
    return {**drafts, "details": highlights_last(drafts["details"], easel.findings.artwork)}


def light_to_dark(drafts: Drafts, artwork: np.ndarray) -> Drafts:
    """The strokes in three passes, each darker; within one as they were."""
    if not drafts.strokes:
        return drafts
    light = _mean(drafts, cv2.cvtColor(artwork, cv2.COLOR_RGB2GRAY))
    steps = np.quantile(light, (0.35, 0.7))
    return drafts.in_order(np.argsort(-np.searchsorted(steps, light), kind="stable").tolist())


def highlights_last(drafts: Drafts, artwork: np.ndarray) -> Drafts:
    """The strokes of small light marks after all others."""
    if not drafts.strokes:
        return drafts
    grey = cv2.cvtColor(artwork, cv2.COLOR_RGB2GRAY)
    gleam = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, ellipse(max(3, 2 * round(max(grey.shape) / 110) + 1)))
    shine = _mean(drafts, np.where(grey > 140, gleam, 0))
    last = np.argsort(-shine, kind="stable")[:MOST_HIGHLIGHTS]
    last = np.sort(last[shine[last] > 24])
    strokes = list(drafts.strokes)
    for k in last.tolist():
        strokes[k] = replace(strokes[k], title=strokes[k].title.replace("details of", "highlight on"))
    first = np.setdiff1d(np.arange(len(strokes)), last)
    return Drafts(drafts.labels, strokes).in_order([*first.tolist(), *last.tolist()])


def _mean(drafts: Drafts, values: np.ndarray) -> np.ndarray:
    """The mean of values under each stroke."""
    count = len(drafts.strokes) + 1
    area = np.maximum(1, np.bincount(drafts.labels.ravel(), minlength=count))
    return (np.bincount(drafts.labels.ravel(), values.ravel(), count) / area)[1:]
