"""One artwork, exactly 1,000 operations, in an order that a person would choose."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paints_undo.strokes import painting
from paints_undo.strokes.balance import fewer, in_one_piece, split
from paints_undo.strokes.drafts import Draft, Drafts
from paints_undo.strokes.finishing import SEEN, SEEN_PART, finishing, remainder, unlike
from paints_undo.strokes.laying import flat_count, flat_strokes, ink_strokes, line_pieces, shaded_shapes, shape_strokes
from paints_undo.strokes.look import Findings, look
from paints_undo.strokes.operations import OWNING, TOTAL, Operation, Plan, nearest_label
from paints_undo.strokes.separation import finish, over, solved_ink
from paints_undo.strokes.sketching import Sketcher

FEWEST_SKETCHED, MOST_SKETCHED, AT_ANY_RATE_SKETCHED = 120, 190, 420
HALVED = {"flats": 0.12, "shapes": 0.6, "shading": 1.0, "details": 1.5, "ink": 0.8}
MOST_MODELLED = 280
LARGEST = 1 / 18  # of the longer side: what the broadest flat stroke may be wide


def make_plan(artwork: np.ndarray, seed: int, route: str = "auto") -> Plan:
    """The operations that draw an artwork, uint8 RGB (H, W, 3)."""
    findings = look(artwork, route)
    ways = [np.random.default_rng((seed, phase)) for phase in range(6)]
    least = max(7, int(np.ceil(SEEN_PART * findings.figure.size)))
    sketcher = Sketcher(findings, ways[0])
    construction = sketcher.construction(44)
    easel = painting.set_up(findings, ways[2]) if findings.route == "painting" else None
    ink, flats, shapes = _drawn(findings, ways, least) if easel is None else _blocked(easel, ways, least)
    matte = findings.ink.alpha if ink.strokes else np.zeros_like(findings.ink.alpha)
    start = _start(artwork, easel)
    seen = _seen(artwork, matte, flats, shapes, start)
    left = remainder(artwork, _painted(start, flats, shapes), matte, _lit(shapes))
    seen |= {"shading": left.shading > SEEN, "details": left.details > SEEN}
    before = len(construction) + (4 if easel is None else len(easel.ground) + (1 if easel.ground else 3))
    room = TOTAL - FEWEST_SKETCHED - before
    room -= len(ink.strokes) + len(flats.strokes) + len(shapes.strokes)
    shading, details = finishing(findings, left, max(20, room), ways[4])
    drafts = {"ink": ink, "flats": flats, "shapes": shapes, "shading": shading, "details": details}
    for phase in ("shading", "details"):
        drafts[phase] = in_one_piece(drafts[phase], seen[phase], least)
    spare = TOTAL - before - FEWEST_SKETCHED - _count(drafts)
    wanted = int(np.clip(FEWEST_SKETCHED + 0.3 * spare, FEWEST_SKETCHED, MOST_SKETCHED))
    drafts = _more(drafts, seen, TOTAL - before - wanted, least)
    sketch = sketcher.sketch(max(wanted, min(AT_ANY_RATE_SKETCHED, TOTAL - before - _count(drafts))))
    room = TOTAL - before - len(sketch)
    drafts = _more(drafts, seen, room, 7)
    drafts = fewer(drafts, seen, _count(drafts) - room)
    drafts["shading"] = _brushes(drafts["shading"], seen["shading"])
    if easel is None:
        plan = _plan(findings, seed, construction, sketch, drafts, matte)
    else:
        drafts = painting.in_painters_order(easel, drafts)
        plan = _plan(findings, seed, construction, sketch, drafts, matte, easel.ground)
    last_touches(plan, artwork)
    return plan


def _drawn(findings: Findings, ways: list[np.random.Generator], least: int) -> tuple[Drafts, Drafts, Drafts]:
    """Ink, flats and shapes of an illustration."""
    artwork = findings.artwork
    ink = _ink(findings, ways[1])
    matte = findings.ink.alpha if ink.strokes else np.zeros_like(findings.ink.alpha)
    need = flat_count(findings, findings.side * LARGEST)
    flats = flat_strokes(findings, int(np.clip(need, 40, 260)), ways[2])
    shapes = shape_strokes(findings, int(np.clip(1.3 * len(shaded_shapes(findings)), 10, 170)), ways[3])
    seen = _seen(artwork, matte, flats, shapes, np.full_like(artwork, 255))
    ink, flats = (in_one_piece(part, seen[phase], least) for phase, part in (("ink", ink), ("flats", flats)))
    return ink, flats, in_one_piece(shapes, seen["shapes"], least, leave_out=True)


def _blocked(easel: painting.Easel, ways: list[np.random.Generator], least: int) -> tuple[Drafts, Drafts, Drafts]:
    """No ink, the masses of a painting, and the strokes that model them."""
    artwork = easel.findings.artwork
    start, nothing = _start(artwork, easel), np.zeros(artwork.shape[:2], np.int32)
    flats = painting.block_in(easel, ways[2])
    for _ in range(2):  # colours change where crumbs go to another stroke
        shown = unlike(_painted(start, flats), start) > SEEN
        flats = painting.coloured(easel, in_one_piece(flats, shown, least), painting.DARKEST_WASH, ways[2])
    painted = _painted(start, flats)
    shapes = painting.modelling(easel, painted, MOST_MODELLED, ways[3])
    shapes = in_one_piece(shapes, unlike(_painted(painted, shapes), painted) > SEEN, least, leave_out=True)
    return Drafts(nothing, []), painting.settled(flats), painting.settled(shapes)


def _start(artwork: np.ndarray, easel: painting.Easel | None) -> np.ndarray:
    """What the flats are laid on: paper, or a ground."""
    white = np.full_like(artwork, 255)
    return white if easel is None else painting.ground_laid(easel.ground, white)


def _seen(
    artwork: np.ndarray, matte: np.ndarray, flats: Drafts, shapes: Drafts, start: np.ndarray
) -> dict[str, np.ndarray]:
    """Where ink, flats and shapes show, bool (H, W): flats and shapes through the ink that lies over them.

    start: what the flats are laid on, uint8 (H, W, 3).
    """
    white = np.full_like(artwork, 255)
    plain, painted = _painted(start, flats), _painted(start, flats, shapes)
    inked, alpha = solved_ink(artwork, painted, matte)
    bare, flat, shaped = (over(under, inked, alpha) for under in (start, plain, painted))
    return {
        "ink": unlike(bare, white) > SEEN,
        "flats": unlike(flat, bare) > SEEN,
        "shapes": unlike(shaped, flat) > SEEN,
    }


def last_touches(plan: Plan, artwork: np.ndarray) -> None:
    """Give the few pixels that no layer brings to the artwork to the nearest stroke of the top layer."""
    finished = finish(artwork, plan)
    painted = over(finished.under, finished.ink, finished.matte)
    details = plan.owners["details"]
    wrong = (details == 0) & (painted != artwork).any(2)
    details[wrong] = nearest_label(details)[wrong]


def _brushes(shading: Drafts, seen: np.ndarray) -> Drafts:
    """Shading with a soft brush where a stroke shows all over, and with a fine one where it shows here and there."""
    count = len(shading.strokes) + 1
    owned, shown = (np.bincount(some, minlength=count)[1:] for some in (shading.labels.ravel(), shading.labels[seen]))
    return Drafts(
        shading.labels,
        [
            replace(stroke, brush="touch") if stroke.brush == "soft" and 3 * part < 2 * whole else stroke
            for stroke, whole, part in zip(shading.strokes, owned, shown, strict=True)
        ],
    )


def _count(drafts: dict[str, Drafts]) -> int:
    return sum(len(part.strokes) for part in drafts.values())


def _more(drafts: dict[str, Drafts], seen: dict[str, np.ndarray], count: int, least: int) -> dict[str, Drafts]:
    """About as many strokes as are wanted, in one piece each; fewer where there is nothing more to see."""
    for smallest in (2 * least, least):
        for _ in range(3):
            if _count(drafts) >= count:
                return drafts
            drafts = split(drafts, seen, count - _count(drafts), smallest, HALVED)
            drafts = {phase: in_one_piece(part, seen[phase], least) for phase, part in drafts.items()}
    return drafts


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


def _painted(start: np.ndarray, *parts: Drafts) -> np.ndarray:
    """A picture, uint8 (H, W, 3), with the colours of strokes on it, phase by phase."""
    picture = start.copy()
    for part in parts:
        if part.strokes:
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
    ground: list[Operation] | None = None,
) -> Plan:
    """ground: of a painting, maybe empty."""
    fade, fade_sketch, hide, hide_sketch = _put_away()
    half = len(sketch) // 3
    operations = [*construction, *sketch[:half], fade, *sketch[half:]]
    owners: dict[str, np.ndarray] = {}
    before: dict[str, list[Operation]] = {"ink": [fade_sketch], "flats": [hide, hide_sketch]}
    if ground:  # nothing of what lies under it is seen in the end
        before = {"flats": ground}
    elif ground is not None:  # painted over the sketch
        before = {"flats": [hide], "shapes": [hide_sketch]}
    for phase in OWNING:
        part = drafts[phase]
        operations += before.get(phase, [])
        offset = len(operations)
        owners[phase] = np.where(part.labels > 0, part.labels + offset, 0).astype(np.uint16)
        operations += [_operation(phase, draft) for draft in part.strokes]
    # what the file keeps is what is drawn, so that a process read back draws the very same canvases
    rounded = tuple(replace(operation, points=np.round(operation.points, 1)) for operation in operations)
    return Plan(seed, findings.route, findings.reason, rounded, owners, matte)


def _operation(phase: str, draft: Draft) -> Operation:
    return Operation(phase, draft.layer, draft.brush, draft.path, draft.colour, 1.0, draft.kind, draft.title)
