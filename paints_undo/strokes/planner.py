"""One artwork, exactly 1,000 operations, in an order that a person would choose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paints_undo.strokes.balance import all_seen, fewer, in_one_piece, split
from paints_undo.strokes.drafts import Draft, Drafts
from paints_undo.strokes.finishing import SEEN, SEEN_PART, finishing, remainder, unlike
from paints_undo.strokes.laying import flat_count, flat_strokes, ink_strokes, line_pieces, shaded_shapes, shape_strokes
from paints_undo.strokes.look import Findings, look
from paints_undo.strokes.operations import OWNING, TOTAL, Operation, Plan, nearest_label
from paints_undo.strokes.searching import complete
from paints_undo.strokes.separation import finish, over
from paints_undo.strokes.sketching import Sketcher

FEWEST_SEEN = 10  # pixels of an operation; some of them may be on a soft edge, and 7 must change
FEWEST_SEEN = 10  # pixels of an operation; some of them may be on a soft edge, and 7 must change
FEWEST_SKETCHED, MOST_SKETCHED = 120, 190
HALVED = {"flats": 0.12, "shapes": 0.6, "shading": 1.0, "details": 1.5, "ink": 0.8}
LARGEST = 1 / 18  # of the longer side: what the broadest flat stroke may be wide


def make_plan(artwork: np.ndarray, seed: int, route: str = "auto") -> Plan:
    """The operations that draw an artwork, uint8 RGB (H, W, 3)."""
    findings = look(artwork, route)
    ways = [np.random.default_rng((seed, phase)) for phase in range(6)]
    least = max(7, int(np.ceil(SEEN_PART * findings.figure.size)))
    sketcher = Sketcher(findings, ways[0])
    construction = sketcher.construction(44)
    ink = _ink(findings, ways[1])
    matte = findings.ink.alpha if ink.strokes else np.zeros_like(findings.ink.alpha)
    need = flat_count(findings, findings.side * LARGEST)
    flats = flat_strokes(findings, int(np.clip(need, 40, 260)), ways[2])
    shapes = shape_strokes(findings, int(np.clip(1.3 * len(shaded_shapes(findings)), 10, 170)), ways[3])
    plain, painted = _painted(artwork.shape, flats, None), _painted(artwork.shape, flats, shapes)
    left = remainder(artwork, painted, matte, _lit(shapes))
    bare = matte < 128
    seen = {
        "ink": matte > 30,
        "flats": (unlike(plain, np.full_like(artwork, 255)) > SEEN) & bare,
        "shapes": (unlike(painted, plain) > SEEN) & bare,
        "shading": left.shading > SEEN,
        "details": left.details > SEEN,
    }
    ink, flats, shapes = (
        in_one_piece(part, seen[phase], least) for phase, part in (("ink", ink), ("flats", flats), ("shapes", shapes))
    )
    room = TOTAL - FEWEST_SKETCHED - len(construction) - 4
    room -= len(ink.strokes) + len(flats.strokes) + len(shapes.strokes)
    shading, details = finishing(findings, left, max(20, room), ways[4])
    drafts = {"ink": ink, "flats": flats, "shapes": shapes, "shading": shading, "details": details}
    for phase in ("shading", "details"):
        drafts[phase] = in_one_piece(drafts[phase], seen[phase], least)
    before = len(construction) + 4
    spare = TOTAL - before - FEWEST_SKETCHED - _count(drafts)
    sketch = sketcher.sketch(int(np.clip(FEWEST_SKETCHED + 0.3 * spare, FEWEST_SKETCHED, MOST_SKETCHED)))
    before += len(sketch)
    drafts = {phase: all_seen(part, seen[phase], FEWEST_SEEN) for phase, part in drafts.items()}
    drafts = _exactly(drafts, seen, TOTAL - before, least)
    drafts = {phase: all_seen(part, seen[phase], FEWEST_SEEN) for phase, part in drafts.items()}
    return exact(complete(_plan(findings, seed, construction, sketch, drafts, matte), findings), artwork)


def exact(plan: Plan, artwork: np.ndarray) -> Plan:
    """The plan with the few pixels that no layer brings to the artwork given to the nearest stroke of the top layer.

    Where that layer has none, the last operation of all becomes one.
    """
    finished = finish(artwork, plan)
    painted = over(finished.under, finished.ink, finished.matte)
    details = plan.owners["details"]
    wrong = (details == 0) & (painted != artwork).any(2)
    if details.any() or not wrong.any():
        details[wrong] = nearest_label(details)[wrong]
        return plan
    number = max(k for k, operation in enumerate(plan.operations, 1) if operation.owns)
    last = plan.operations[number - 1]
    mine = plan.owners[last.phase] == number
    details[mine | wrong] = number
    plan.owners[last.phase][mine] = 0
    plan.matte[mine] = 0
    touch = replace(last, phase="details", layer="details", brush="touch", colour=None)
    return replace(plan, operations=(*plan.operations[: number - 1], touch, *plan.operations[number:]))


def _count(drafts: dict[str, Drafts]) -> int:
    return sum(len(part.strokes) for part in drafts.values())


def _exactly(drafts: dict[str, Drafts], seen: dict[str, np.ndarray], count: int, least: int) -> dict[str, Drafts]:
    """As many strokes as are wanted, in one piece each; fewer only where there is nothing more to see."""
    for smallest in (2 * least, least, FEWEST_SEEN):
        for _ in range(3):
            if _count(drafts) >= count:
                break
            drafts = split(drafts, seen, count - _count(drafts), smallest, HALVED)
            drafts = {phase: in_one_piece(part, seen[phase], min(least, smallest)) for phase, part in drafts.items()}
    return fewer(drafts, seen, _count(drafts) - count)


def _ink(findings: Findings, rng: np.random.Generator) -> Drafts:
    """The ink: in shorter strokes where there are few lines."""
    longest = 0.3
    for longest in (0.3, 0.22, 0.16, 0.11, 0.08):
        if len(line_pieces(findings, longest)) > 210:
            break
    return ink_strokes(findings, longest, 270, rng)


def _put_away() -> list[Operation]:
    """Layer operations: the construction is taken back when the sketch stands, and the sketch when the ink does."""
    nowhere = np.zeros((0, 3), np.float32)
    return [
        Operation("sketch", "construction", "none", nowhere, None, 0.45, "layer", "fade the construction"),
        Operation("ink", "sketch", "none", nowhere, None, 0.4, "layer", "fade the sketch"),
        Operation("ink", "construction", "none", nowhere, None, 0.0, "layer", "hide the construction"),
        Operation("ink", "sketch", "none", nowhere, None, 0.0, "layer", "hide the sketch"),
    ]


def _painted(shape: tuple[int, ...], flats: Drafts, shapes: Drafts | None) -> np.ndarray:
    """The colours of flats, and of shapes on them, uint8 (H, W, 3)."""
    picture = np.full(shape, 255, np.uint8)
    for part in (flats, shapes):
        if part is not None and part.strokes:
            table = np.array([(255, 255, 255)] + [stroke.colour for stroke in part.strokes], np.uint8)
            there = part.labels > 0
            picture[there] = table[part.labels[there]]
    return picture


def _lit(shapes: Drafts) -> np.ndarray:
    """int8 (H, W): 1 where a light shape lies, -1 where a shadow does."""
    table = np.array([0] + [1 if stroke.layer == "light" else -1 for stroke in shapes.strokes], np.int8)
    return table[shapes.labels]


def _plan(
    findings: Findings,
    seed: int,
    construction: list[Operation],
    sketch: list[Operation],
    drafts: dict[str, Drafts],
    matte: np.ndarray,
) -> Plan:
    fade, fade_sketch, hide, hide_sketch = _put_away()
    half = len(sketch) // 3
    operations = [*construction, *sketch[:half], fade, *sketch[half:]]
    owners: dict[str, np.ndarray] = {}
    for phase in OWNING:
        part = drafts[phase]
        if phase == "ink":
            operations.append(fade_sketch)
        if phase == "flats":
            operations += [hide, hide_sketch]
        offset = len(operations)
        owners[phase] = np.where(part.labels > 0, part.labels + offset, 0).astype(np.uint16)
        operations += [_operation(phase, draft) for draft in part.strokes]
    matte = np.where(owners["ink"] > 0, matte, np.uint8(0))
    # what the file keeps is what is drawn, so that a process read back draws the very same canvases
    rounded = tuple(replace(operation, points=np.round(operation.points, 1)) for operation in operations)
    return Plan(seed, findings.route, findings.reason, rounded, owners, matte)


def _operation(phase: str, draft: Draft) -> Operation:
    return Operation(phase, draft.layer, draft.brush, draft.path, draft.colour, 1.0, draft.kind, draft.title)
