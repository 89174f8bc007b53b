"""Ink, flats and the shapes on them as strokes."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.strokes.cells import paths_of, rows, split_by_mass, tour
from paints_undo.strokes.drafts import Draft, Drafts, colour_of
from paints_undo.strokes.ink import nearest_place
from paints_undo.strokes.look import EYES, FACE, GROUND, KINDS, SKIN, Findings, lab_of
from paints_undo.strokes.order import Order
from paints_undo.strokes.regions import PAPER

BROADEST, BROADEST_BEHIND = 1 / 17, 1 / 13  # of a flat's stroke, of the longer side
LONGEST, LONGEST_BEHIND = 0.34, 0.42
ZONE_RANK = np.array([2.2, 1.3, 1.0, 0.6])
IN_ZONE = ("of the face", "of the head", "of the figure", "of the background")


def line_pieces(findings: Findings, longest: float) -> list[np.ndarray]:
    """The picture's lines in pieces that a hand draws without lifting. longest: of the longer side."""
    out = []
    for line in findings.ink.lines:
        parts = max(1, int(np.ceil(len(line) / (longest * findings.side))))
        out += [part for part in np.array_split(line, parts) if len(part) > 3]
    return out


def ink_strokes(findings: Findings, longest: float, count: int, rng: np.random.Generator) -> Drafts:
    """The ink in at most `count` strokes: a stroke owns the inked pixels that are nearest to its part of a line."""
    alpha = findings.ink.alpha
    height, width = alpha.shape
    nothing = Drafts(np.zeros((height, width), np.int32), [])
    pieces = line_pieces(findings, longest)
    if not pieces or not alpha.any():
        return nothing
    marks = np.zeros((height, width), np.int32)
    for number, piece in enumerate(pieces, 1):
        x, y = piece.astype(int).T
        marks[y, x] = number
    _, place = nearest_place(marks > 0)
    owner = np.where(alpha > 0, marks.ravel()[place], 0)
    visible = np.bincount(owner[alpha > 30], minlength=len(pieces) + 1)[1:]
    middles = np.array([piece.mean(0) for piece in pieces])
    zone = findings.zones_at(middles)
    length = np.array([len(piece) for piece in pieces])
    group = _grouped(length * ZONE_RANK[zone], visible, middles, zone, count, max(10, round(0.00012 * alpha.size)))
    groups = int(group.max()) + 1
    labels = np.concatenate([[0], group + 1]).astype(np.int32)[owner]
    paths = []
    for k in range(groups):
        parts = [pieces[i] for i in np.flatnonzero(group == k)]
        paths.append(max(parts, key=len))
    where = findings.zones_at(np.array([path.mean(0) for path in paths]))
    half = cv2.distanceTransform((alpha > 60).astype(np.uint8), cv2.DIST_L2, 3)
    strokes = [
        Draft("ink", "ink", _inked(path, half), None, f"line {IN_ZONE[zone]}")
        for path, zone in zip(paths, where, strict=True)
    ]
    return Drafts(labels, strokes).in_order(_ink_order(findings, paths, where, rng))


def _grouped(
    rank: np.ndarray, visible: np.ndarray, middles: np.ndarray, zone: np.ndarray, count: int, least: int
) -> np.ndarray:
    """The stroke that each line belongs to: what is too small to see, or of low rank, goes along with a neighbour."""
    order = np.argsort(-rank, kind="stable")
    alone = order[visible[order] >= least][:count]
    if not len(alone):
        alone = order[np.argsort(-visible[order], kind="stable")][:1]
    group = np.full(len(rank), -1)
    group[alone] = np.arange(len(alone))
    rest = np.flatnonzero(group < 0)
    spare = count - len(alone)
    if len(rest) and spare > 0:  # hatching, text: marks near each other in one go, if enough can be seen of them
        cells = split_by_mass(middles[rest, 0], middles[rest, 1], visible[rest] + 1e-3, min(spare, len(rest)))
        made = len(alone)
        for cell in cells:
            if visible[rest[cell]].sum() >= least:
                group[rest[cell]] = made
                made += 1
    rest = np.flatnonzero(group < 0)
    if len(rest):
        known = np.flatnonzero(group >= 0)
        far = np.hypot(*(middles[rest][:, None] - middles[known]).transpose(2, 0, 1))
        group[rest] = group[known[far.argmin(1)]]
    return group


def _inked(path: np.ndarray, half: np.ndarray) -> np.ndarray:
    """A line's path with its half widths, thinned to a point every few pixels."""
    step = max(1, len(path) // 40)
    thinned = np.vstack([path[::step], path[-1:]])
    x, y = thinned.astype(int).T
    return np.column_stack([thinned, np.maximum(0.5, half[y, x])]).astype(np.float32)


def _ink_order(findings: Findings, paths: list[np.ndarray], zone: np.ndarray, rng: np.random.Generator) -> list[int]:
    """Face first, then head, figure and background; in each neighbourhood long lines before short ones."""
    middles = np.array([path.mean(0) for path in paths])
    length = np.array([len(path) for path in paths])
    order: list[int] = []
    for here in range(4):
        now = np.flatnonzero(zone == here)
        if not len(now):
            continue
        if here == FACE and findings.face is not None:  # eyes lead, one after the other
            far = np.hypot(*(middles[now][:, None] - findings.face.eyes).transpose(2, 0, 1)) / findings.face.distance
            for eye in (0, 1):
                about = now[(far[:, eye] < 0.45) & (far.argmin(1) == eye)]
                order += [int(about[j]) for j in tour(middles[about], findings.face.eyes[eye], rng, 0.06)]
            now = now[far.min(1) >= 0.45]
            if not len(now):
                continue
        parts = split_by_mass(middles[now, 0], middles[now, 1], length[now].astype(float), max(1, len(now) // 22))
        cells = [now[part] for part in parts]
        starts = np.array([middles[cell].mean(0) for cell in cells])
        for k in tour(starts, findings.focus, rng, 0.2):
            long = length[cells[k]] > 0.06 * findings.side
            for some in (cells[k][long], cells[k][~long]):
                order += [int(some[j]) for j in tour(middles[some], starts[k], rng, 0.06)]
    return order


def brush_of(findings: Findings, flat: int, width: float) -> tuple[float, float]:
    """Width and longest stroke for a flat: finer on skin, broader behind, never a tenth of the canvas at once."""
    kind = findings.kinds[flat]
    if kind == GROUND:
        width, longest = min(width * 1.6, findings.side * BROADEST_BEHIND), LONGEST_BEHIND
    else:
        width, longest = min(width * (0.6 if kind in (SKIN, EYES) else 1), findings.side * BROADEST), LONGEST
    return width, min(7 * width, longest * findings.side)


def painted_flats(findings: Findings) -> np.ndarray:
    """The flats that are not left as paper."""
    return np.flatnonzero(findings.regions.flat_colour.min(1) < PAPER)


def flat_count(findings: Findings, width: float) -> float:
    """About how many strokes the flats take with a brush."""
    total = 0.0
    for flat in painted_flats(findings):
        broad, longest = brush_of(findings, flat, width)
        total += max(1.0, findings.regions.flat_area[flat] / (0.62 * broad * longest))
    return total


def flat_strokes(findings: Findings, count: int, way: Order, rng: np.random.Generator) -> Drafts:
    """The flats in about `count` strokes, in a seed's order; large before small."""
    regions, side = findings.regions, findings.side
    low, high = side / 200, side / 3
    for _ in range(24):
        width = (low * high) ** 0.5
        if flat_count(findings, width) > count:
            low = width
        else:
            high = width
    width = high
    boxes = ndimage.find_objects(regions.flats + 1)
    labels, strokes = np.zeros(regions.flats.shape, np.int32), list[Draft]()
    large = 6 * min(width, side / 15) ** 2
    for flat in way.of_flats(findings, painted_flats(findings), large, rng):
        box = boxes[flat]
        mine = regions.flats[box] == flat
        cut, made = rows(mine, *brush_of(findings, flat, width))
        labels[box][mine] = (cut + len(strokes))[mine]
        ink = colour_of(regions.flat_colour[flat])
        title = f"flat colour of {KINDS[findings.kinds[flat]]}"
        strokes += [Draft("flats", "flat", _moved(path, box), ink, title) for path in paths_of(cut, made)]
    return Drafts(labels, strokes)


def _moved(path: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    return path + np.array([box[1].start, box[0].start, 0], np.float32)


def shaded_shapes(findings: Findings) -> np.ndarray:
    """Shapes that differ enough from their flat to be painted as shadow or light, most striking first."""
    regions = findings.regions
    away = np.linalg.norm(lab_of(regions.shape_colour) - lab_of(regions.flat_colour)[regions.flat_of], axis=1)
    base = np.zeros(len(regions.shape_area), bool)
    base[regions.base] = True
    least = max(0.0002 * regions.shapes.size, (findings.side / 110) ** 2)
    distinct = np.abs(regions.shape_colour - regions.flat_colour[regions.flat_of]).max(1) > 13
    shapes = np.flatnonzero((away > 4.2) & distinct & ~base & (regions.shape_area > least))
    return shapes[np.argsort(-(away * np.sqrt(regions.shape_area))[shapes], kind="stable")]


def shape_strokes(findings: Findings, count: int, way: Order, rng: np.random.Generator) -> Drafts:
    """Shadow and light shapes in at most `count` strokes: kind by kind, the shadows of one before its lights."""
    regions, side = findings.regions, findings.side
    chosen = shaded_shapes(findings)[:count]
    labels, strokes, order_keys = np.zeros(regions.shapes.shape, np.int32), list[Draft](), list[tuple[int, int, int]]()
    boxes = ndimage.find_objects(regions.shapes + 1)
    spare = count - len(chosen)
    for shape in chosen[np.argsort(-regions.shape_area[chosen], kind="stable")]:
        flat = regions.flat_of[shape]
        box, area = boxes[shape], regions.shape_area[shape]
        mine = regions.shapes[box] == shape
        parts = int(min(8, max(1, area / (side / 16) ** 2), spare + 1))
        if parts > 1:
            width = np.sqrt(area / parts / 3)
            cut, made = rows(mine, width, 4 * width)
        else:
            cut, made = mine.astype(np.int32), 1
        spare -= made - 1
        light = regions.shape_colour[shape].mean() > regions.flat_colour[flat].mean()
        layer, kind = ("light" if light else "shadow"), int(findings.kinds[flat])
        title = f"{layer} on {KINDS[kind]}"
        labels[box][mine] = (cut + len(strokes))[mine]
        colour = colour_of(regions.shape_colour[shape])
        strokes += [Draft(layer, "flat", _moved(path, box), colour, title) for path in paths_of(cut, made)]
        order_keys += [(way.kinds.index(kind), int(light), int(flat))] * made
    order: list[int] = []
    keys = sorted(set(order_keys))
    for kind, light in sorted({key[:2] for key in keys}):
        flats = [key[2] for key in keys if key[:2] == (kind, light)]
        for k in tour(findings.middles[flats], findings.focus, rng):
            order += [i for i, key in enumerate(order_keys) if key == (kind, light, flats[k])]
    return Drafts(labels, strokes).in_order(order)
