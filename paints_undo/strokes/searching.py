"""Exactly 1,000 operations, each of which shows: where a picture has too little for so many, a hand that searches.

Few lines on white take few strokes of ink. What a person does with the time that is left is pencil: lines put down
again, tone hatched in them and around them, some of it rubbed out and tried once more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.errors import InputError
from paints_undo.strokes.brushes import pressed
from paints_undo.strokes.canvas import in_pencil
from paints_undo.strokes.cells import tour
from paints_undo.strokes.ink import ellipse
from paints_undo.strokes.look import Findings
from paints_undo.strokes.operations import TOTAL, Colour, Operation, Plan, strongest

SHOWS, LEVELS = 7, 2  # an operation is seen when it changes so many pixels by more than so many grey levels
STILL, MOVED = 0.0001, 12  # of the canvas, and by how many levels: less does not move in a film
ROUNDS = 60  # of searching; what is missing then has no room on the paper
FEW = 60  # strokes along lines in a round; where there are fewer, the paper around them is toned too
PENCIL: Colour = (92, 96, 112)


def complete(plan: Plan, findings: Findings) -> Plan:
    """The plan with exactly 1,000 operations; pencil and layer operations that would show nothing are gone.

    Raises InputError where the paper has no room for so many.
    """
    last = max((k for k, operation in enumerate(plan.operations) if _is_pencil(operation)), default=-1)
    pencil = _Pencil(plan)
    begun = [operation for operation in plan.operations[: last + 1] if pencil.draw(operation)]
    rest = plan.operations[last + 1 :]
    layers = [operation for operation in rest if operation.kind == "layer"]
    owning = len(rest) - len(layers)
    if not owning:
        raise InputError("there is nothing to draw in this picture; it is a white sheet")
    ideas = _ideas(findings, np.random.default_rng((plan.seed, 77)))
    kept = pencil.shown(layers, plan)
    while (missing := TOTAL - owning - len(begun) - len(kept)) > 0:
        # what is put away later shows that it is: a first stroke of a sketch brings two operations back
        layer = "sketch" if missing > 2 or pencil.has("sketch") else "construction"
        more = pencil.searched(ideas, missing, layer)
        if not more:
            raise InputError("there is too little in the picture for a drawing of {count} strokes", TOTAL)
        begun += more
        kept = pencil.shown(layers, plan)
    kept = _without_fades(kept, -missing)
    begun = begun[: TOTAL - owning - len(kept)]
    keep = {id(operation) for operation in kept}
    return _joined(plan, begun, [o for o in rest if o.kind != "layer" or id(o) in keep])


def _is_pencil(operation: Operation) -> bool:
    return operation.phase in ("construction", "sketch") and operation.kind == "stroke"


def _without_fades(layers: list[Operation], surplus: int) -> list[Operation]:
    """Layer operations without some that only fade a layer, which another puts away for good."""
    fades = [k for k, operation in enumerate(layers) if operation.opacity > 0]
    gone = set(fades[: max(0, surplus)])
    return [operation for k, operation in enumerate(layers) if k not in gone]


def _joined(plan: Plan, begun: list[Operation], rest: list[Operation]) -> Plan:
    """The plan of these operations; what owns pixels keeps them under its new number."""
    operations = (*begun, *rest)
    place = {id(operation): k for k, operation in enumerate(operations, 1)}
    new = np.array([0] + [place.get(id(operation), 0) for operation in plan.operations], np.uint16)
    owners = {phase: new[owned] for phase, owned in plan.owners.items()}
    return replace(plan, operations=operations, owners=owners)


class _Pencil:
    """The pencil layers as they will be, without what is painted over them."""

    def __init__(self, plan: Plan):
        self.canvas = in_pencil((), *plan.size)

    def has(self, layer: str) -> bool:
        """Whether anything is on a layer."""
        return layer in self.canvas.layers and bool(self.canvas.layers[layer][..., 3].any())

    def draw(self, operation: Operation, moves: int = 0) -> bool:
        """Do an operation, unless it would change too little to be seen; whether it was done.

        moves: pixels that must change by so much that a film moves.
        """
        laid = self.canvas.lay(0, operation)
        if laid is None:
            return False
        change = strongest(cv2.absdiff(self.canvas.picture[laid.box], laid.picture))
        if (change > LEVELS).sum() >= SHOWS and (moves == 0 or self._moves(change > MOVED, moves)):
            return True
        self.canvas.take_back(operation, laid)
        return False

    def _moves(self, moved: np.ndarray, least: int) -> bool:
        """Whether a change is large enough to be seen in a film, and in one piece."""
        if moved.sum() < least:
            return False
        near = ellipse(max(3, round(0.01 * max(self.canvas.height, self.canvas.width))))
        wide = np.pad(moved.astype(np.uint8), near.shape[0])
        return bool(cv2.connectedComponents(cv2.morphologyEx(wide, cv2.MORPH_CLOSE, near))[0] == 2)

    def searched(self, ideas: Iterator[list[Operation]], wanted: int, layer: str) -> list[Operation]:
        """`wanted` strokes that show, or fewer where the paper has no room for more."""
        moves = int(np.ceil(STILL * self.canvas.height * self.canvas.width))
        out: list[Operation] = []
        for some in ideas:
            for idea in some:
                stroke = replace(idea, phase=layer, layer=layer)
                if len(out) < wanted and self.draw(stroke, moves):
                    out.append(stroke)
            if len(out) >= wanted:
                break
        return out

    def shown(self, layers: list[Operation], plan: Plan) -> list[Operation]:
        """Those layer operations that show when they are done; what is put away for good always is, if it is there."""
        opacity, out = dict(self.canvas.opacity), []
        for operation in layers:
            if operation.layer not in self.canvas.layers:
                continue
            layer = self.canvas.layers[operation.layer]
            number = 1 + next(k for k, other in enumerate(plan.operations) if other is operation)
            there = np.nonzero(layer[..., 3])
            over = plan.owners["flats"][there]
            dark = 255 - layer[there][:, :3].min(1).astype(np.float32)
            change = dark * layer[there][:, 3] / 255 * abs(opacity[operation.layer] - operation.opacity)
            change[(over > 0) & (over < number)] = 0
            if (change > 4 * LEVELS).sum() >= 2 * SHOWS or (not operation.opacity and change.any()):
                out.append(operation)
                opacity[operation.layer] = operation.opacity
        return out


# What a hand does with the time that is left


def _ideas(findings: Findings, rng: np.random.Generator) -> Iterator[list[Operation]]:
    """Round after round of pencil strokes; after the first rounds some of it is rubbed out, to be tried again."""
    side = findings.side
    lines = _pieces(_lines(findings), max(14.0, side / 9))
    marks = findings.regions.flat_colour[findings.regions.flats].min(2) < 240
    for x, y in (place for piece in lines for place in piece.astype(int).tolist()):
        marks[min(max(y, 0), marks.shape[0] - 1), min(max(x, 0), marks.shape[1] - 1)] = True
    away = cv2.distanceTransform((~marks).astype(np.uint8), cv2.DIST_L2, 3)
    for number in range(ROUNDS):
        drift = side / 110 * (1 - 0.8 * number / ROUNDS)
        again = [_restated(piece, drift, side, rng) for piece in lines]
        yield _toured(again, findings, rng)
        spacing = max(3.0, side / 70)
        yield _toured(_hatched(marks, number, spacing, side, rng), findings, rng)
        if len(lines) < FEW:  # tone around things, a little further each time
            near = (away > 0) & (away < side * (0.12 + 0.1 * number))
            yield _toured(_hatched(near, number + 1, spacing, side, rng), findings, rng)
        if number % 3 == 2:
            yield [_rubbed(piece, side) for piece in lines]


def _lines(findings: Findings) -> list[np.ndarray]:
    """The lines of the picture and the borders of its flats, (n, 2) each, the longest first."""
    lines = [trace for trace in findings.ink.lines if len(trace) > 8]
    flats = findings.regions.flats
    for flat, box in enumerate(ndimage.find_objects(flats + 1)):
        if box is None or findings.regions.flat_area[flat] < 12 or findings.regions.flat_area[flat] > 0.9 * flats.size:
            continue
        mine = np.pad((flats[box] == flat).astype(np.uint8), 1)
        for contour in cv2.findContours(mine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
            lines.append((contour[:, 0] + (box[1].start - 1, box[0].start - 1)).astype(np.float32))
    return sorted((trace for trace in lines if len(trace) > 8), key=len, reverse=True)[:200]


def _pieces(lines: list[np.ndarray], longest: float) -> list[np.ndarray]:
    return [piece for trace in lines for piece in np.array_split(trace, int(np.ceil(len(trace) / longest)))]


def _stroke(points: np.ndarray, side: int, opacity: float, title: str) -> Operation:
    width = max(0.6, side / 1000) * pressed(len(points))
    path = np.round(np.column_stack([points, width]), 1).astype(np.float32)
    return Operation("sketch", "sketch", "pencil", path, PENCIL, opacity, title=title)


def _restated(piece: np.ndarray, drift: float, side: int, rng: np.random.Generator) -> Operation:
    """A line put down once more, a little beside itself."""
    thinned = piece[:: max(1, len(piece) // 16)]
    bend = ndimage.gaussian_filter1d(rng.normal(0, 1, thinned.shape), 3, axis=0, mode="nearest")
    return _stroke(thinned + rng.normal(0, 0.7 * drift, 2) + 1.5 * drift * bend, side, 0.7, "search for a line")


def _rubbed(piece: np.ndarray, side: int) -> Operation:
    thinned = piece[:: max(1, len(piece) // 8)]
    path = np.column_stack([thinned, np.full(len(thinned), max(3.0, side / 45))]).astype(np.float32)
    return Operation("sketch", "sketch", "eraser", np.round(path, 1), title="rub out what is not right yet")


def _hatched(where: np.ndarray, number: int, spacing: float, side: int, rng: np.random.Generator) -> list[Operation]:
    """Parallel strokes over a place, bool (H, W), each time in another direction."""
    height, width = where.shape
    angle = -0.7 + 0.9 * number + float(rng.normal(0, 0.05))
    way, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    reach, middle = np.hypot(height, width) / 2, np.array([width / 2, height / 2])
    along = np.arange(-reach, reach)
    out = []
    for offset in np.arange(-reach + rng.uniform(0, spacing), reach, spacing):
        points = middle + offset * across + along[:, None] * way
        x, y = points.astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
        inside[inside] = where[y[inside], x[inside]]
        ends = np.flatnonzero(np.diff(np.concatenate([[False], inside, [False]]).astype(int)))
        for start, end in zip(ends[::2], ends[1::2], strict=True):
            for part in np.array_split(points[start:end], max(1, round((end - start) / max(18.0, side / 14)))):
                if len(part) > 7:
                    ends_only = np.stack([part[0], part.mean(0) + rng.normal(0, 0.4, 2), part[-1]])
                    out.append(_stroke(ends_only, side, 0.5, "hatch a tone"))
    return out


def _toured(strokes: list[Operation], findings: Findings, rng: np.random.Generator) -> list[Operation]:
    """From stroke to nearest stroke, at most as many as a hand does without looking up."""
    some = strokes if len(strokes) <= 300 else [strokes[k] for k in sorted(rng.choice(len(strokes), 300, False))]
    places = np.array([operation.points[:, :2].mean(0) for operation in some]).reshape(-1, 2)
    return [some[k] for k in tour(places, findings.focus, rng)]
