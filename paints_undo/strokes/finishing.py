"""The last third of a drawing: shading until only small marks are missing, then these, and last the gleams."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paints_undo.strokes.cells import paths_of, tour
from paints_undo.strokes.drafts import Draft, Drafts
from paints_undo.strokes.flow import FlowPainter, direction
from paints_undo.strokes.look import BEHIND, FACE, FIGURE, HEAD, Findings
from paints_undo.strokes.operations import nearest_label, strongest
from paints_undo.strokes.separation import without_details

SEEN = 12  # grey levels: less is not seen in a film
SEEN_PART = 0.00016  # of the canvas: what an operation must change to be seen
DETAILS_PART = 0.2  # of the canvas, at most
DETAILS_LEVELS = 2.6  # what they change on average over the canvas, at most, in a pixel's strongest channel
WORK = 640  # pixels of the longer side that strokes are placed at


@dataclass
class Remainder:
    """What flats and ink leave to do. All (H, W).

    shading, details: uint8, how many grey levels; details are done over the shading.  light: bool, where shading is
    lighter than what it lies on.  owed: bool, where anything at all is missing.
    """

    shading: np.ndarray
    details: np.ndarray
    light: np.ndarray
    owed: np.ndarray
    detailed: np.ndarray


def unlike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The largest difference of a pixel's channels, uint8 (H, W)."""
    return strongest(cv2.absdiff(one, other))


def remainder(artwork: np.ndarray, painted: np.ndarray, matte: np.ndarray, lit: np.ndarray) -> Remainder:
    """What is missing where there is no ink.

    painted: what there is, uint8 (H, W, 3).  lit: int8 (H, W), 1 where a light shape lies, -1 where a shadow does.
    """
    bare = matte == 0
    calm = without_details(artwork)
    marks = np.where(bare, unlike(artwork, calm), 0).astype(np.uint8)
    side = max(matte.shape)
    detailed = _detailed(marks, side)
    target = np.where(detailed[..., None], calm, artwork)
    shading = np.where(bare, unlike(target, painted), 0).astype(np.uint8)
    grey = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) for picture in (artwork, painted))
    lighter = cv2.GaussianBlur(next(grey) - next(grey), (0, 0), side / 120) > 0
    lighter = cv2.medianBlur(lighter.astype(np.uint8), 5) > 0
    light = np.where(lit == 0, lighter, lit > 0)
    owed = bare & (unlike(artwork, painted) > 0)
    return Remainder(shading, np.where(detailed, marks, 0).astype(np.uint8), light, owed, detailed)


def _detailed(marks: np.ndarray, side: int) -> np.ndarray:
    """Where small marks are drawn on top: the strongest, in pieces large enough to be seen."""
    limit = max(SEEN - 2, float(np.percentile(marks, 100 * (1 - 0.55 * DETAILS_PART))))
    strong = (marks > limit).astype(np.uint8)
    size = max(3, round(side / 250)) | 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    wide = cv2.morphologyEx(strong, cv2.MORPH_CLOSE, kernel)
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(wide, connectivity=8)
    inside = np.bincount(pieces.ravel(), ((marks > SEEN) & (wide > 0)).ravel(), len(stats))
    keep = inside >= SEEN_PART * marks.size
    keep[0] = False
    mask = keep[pieces]
    while mask.mean() > DETAILS_PART or float(np.where(mask, marks, 0).mean()) > DETAILS_LEVELS:
        limit += 3
        mask &= cv2.dilate((marks > limit).astype(np.uint8), kernel) > 0
    return mask


def patches(
    findings: Findings, scale: float, zones: tuple[int, ...], rng: np.random.Generator
) -> tuple[np.ndarray, list[int]]:
    """Places to work at one after another, int (h, w) at a scale, and their order, zone by zone."""
    height, width = findings.figure.shape
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    flats = cv2.resize(findings.regions.flats, size, interpolation=cv2.INTER_NEAREST)
    zone = cv2.resize(findings.zone, size, interpolation=cv2.INTER_NEAREST)
    count = len(findings.regions.flat_area)
    patch = zone.astype(np.int32) * count + flats
    order: list[int] = []
    for place in zones:
        here = np.unique(patch[zone == place])
        middles = np.array([_middle(patch, label) for label in here]).reshape(-1, 2)
        order += [int(here[k]) for k in tour(middles, findings.focus * scale, rng)]
    return patch, order


def _middle(patch: np.ndarray, label: int) -> tuple[float, float]:
    ys, xs = np.nonzero(patch == label)
    return float(xs.mean()), float(ys.mean())


def finishing(
    findings: Findings, left: Remainder, count: int, zones: tuple[int, ...], rng: np.random.Generator
) -> tuple[Drafts, Drafts]:
    """Shading and details in at most `count` strokes, fewer where there is less to see; owed pixels all have one.

    zones: in which order they are finished.
    """
    height, width = findings.figure.shape
    scale = min(1.0, WORK / max(height, width))
    patch, order = patches(findings, scale, zones, rng)
    size = patch.shape[::-1]
    light = cv2.cvtColor(cv2.resize(findings.artwork, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    flow = direction(light.astype(np.float32), max(1.0, max(size) / 160))
    least = max(4, int(np.ceil(SEEN_PART * patch.size)))

    def small(seen: np.ndarray) -> np.ndarray:
        part = cv2.resize(seen.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        return (part > 0.25).astype(np.uint8)

    to_shade, to_detail = small(left.shading > SEEN), small(left.details > SEEN)
    heavy = 1.0 * float(to_shade.sum()), 1.6 * float(to_detail.sum())  # details take smaller strokes
    part = heavy[0] / max(1.0, sum(heavy))
    number = round(count * part)
    classes = cv2.resize(left.light.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(np.int32)
    both = patch * 2 + classes
    twice = [label for place in order for label in (place * 2, place * 2 + 1)]
    details = FlowPainter(to_detail, flow, max(3, least // 2))
    details.paint(patch, order, count - number, rng)
    shading = FlowPainter(to_shade, flow, max(3, least // 2))
    shading.paint(both, twice, count - details.count, rng)
    return _full_size(findings, left, shading, details)


def _full_size(
    findings: Findings, left: Remainder, shading: FlowPainter, details: FlowPainter
) -> tuple[Drafts, Drafts]:
    """Labels at the picture's size; every owed pixel goes to the nearest stroke of its kind."""
    height, width = left.owed.shape

    def large(labels: np.ndarray) -> np.ndarray:
        return cv2.resize(labels.astype(np.float32), (width, height), interpolation=cv2.INTER_NEAREST).astype(np.int32)

    marks = nearest_label(large(details.labels))
    fine = np.where(left.detailed & left.owed, marks, 0)
    placed = large(shading.labels)
    counts = np.bincount(placed.ravel(), left.light.ravel(), shading.count + 1)
    totals = np.maximum(1, np.bincount(placed.ravel(), minlength=shading.count + 1))
    is_light = counts > totals / 2
    broad = np.zeros_like(placed)
    want = left.owed & (left.shading > 0)
    for lighter in (False, True):
        here = want & (left.light == lighter)
        mine = np.where((placed > 0) & (is_light[placed] == lighter), placed, 0)
        if mine.any():
            broad[here] = nearest_label(mine)[here]
    # what no shading stroke of its own kind reaches is left to the details, which lie on top
    alone = left.owed & (fine == 0) & ((broad == 0) | ~want | left.detailed)
    homeless = alone & ((left.shading > 0) | left.detailed)
    touches = details.count
    if homeless.any():
        fine[homeless] = marks[homeless] if touches else 1
        touches = max(1, touches)
    titles = {FACE: "the face", HEAD: "the head", FIGURE: "the figure", BEHIND: "the background"}

    def drafts(labels: np.ndarray, count: int, layers: list[str], brush: str, word: str) -> Drafts:
        paths = paths_of(labels, count)
        zones = [int(findings.zones_at(path[:, :2].mean(0)[None])[0]) if len(path) else BEHIND for path in paths]
        return Drafts(
            labels,
            [
                Draft(layer, brush, path, None, f"{word} {titles[zone]}")
                for layer, path, zone in zip(layers, paths, zones, strict=True)
            ],
        )

    layers = ["light" if lighter else "shadow" for lighter in is_light[1:]]
    soft = drafts(broad, shading.count, layers, "soft", "shade")
    return soft, drafts(fine, touches, ["details"] * touches, "touch", "details of")
