"""One artwork, exactly 1,000 operations, in an order that a person would choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import cv2
import numpy as np

from paints_undo.progress import PLANNING_PARTS, Report, no_report
from paints_undo.strokes import painting
from paints_undo.strokes.balance import all_seen, fewer, in_one_piece, split
from paints_undo.strokes.canvas import in_pencil, seen_in_pencil
from paints_undo.strokes.drafts import Draft, Drafts
from paints_undo.strokes.finishing import SEEN, SEEN_PART, finishing, remainder, unlike
from paints_undo.strokes.habits import Habits
from paints_undo.strokes.laying import flat_count, flat_strokes, ink_strokes, line_pieces, shaded_shapes, shape_strokes
from paints_undo.strokes.look import Findings, look
from paints_undo.strokes.operations import OWNING, TOTAL, Operation, Plan, nearest_label, strongest
from paints_undo.strokes.order import Order
from paints_undo.strokes.searching import complete
from paints_undo.strokes.separation import finish, over, solved_ink
from paints_undo.strokes.sketching import Sketcher

CONSTRUCTED = 26
NAMED_BY = 148  # the operation at which the sketch shows what the picture is of
MOST_SKETCHED, AT_ANY_RATE_SKETCHED = 220, 420
PUT_AWAY = 4  # layer operations
FEWEST_SEEN = 10  # pixels of an operation; some of them may be on a soft edge, and 7 must change
MOST_MODELLED = 280
HALVED = {"flats": 0.12, "shapes": 0.6, "shading": 1.0, "details": 1.5, "ink": 0.5}
SKETCH_JUDGED = 500  # pixels of the longer side
SKETCHED_AWAY, FAINTEST = 0.011, 0.6  # of the way to the artwork that a sketch may lead away from it; least pressure
LARGEST = 1 / 18  # of the longer side: what the broadest flat stroke may be wide


def make_plan(
    artwork: np.ndarray,
    seed: int,
    route: str = "auto",
    sketch: np.ndarray | None = None,
    tags: str = "",
    report: Report = no_report,
) -> Plan:
    """The operations that draw an artwork, uint8 RGB (H, W, 3). sketch: of the same shape, whose lines are traced."""

    def planned(part: int, begun: Sequence[Operation]) -> None:
        report(part, PLANNING_PARTS, partial(seen_in_pencil, begun, *artwork.shape[:2]))

    findings = look(artwork, route, tags)
    ways = [np.random.default_rng((seed, phase)) for phase in range(6)]
    least = max(7, int(np.ceil(SEEN_PART * findings.figure.size)))
    sketcher = Sketcher(findings, seed, ways[0], sketch)
    construction = sketcher.construction(CONSTRUCTED)
    planned(1, construction)
    soon = NAMED_BY - len(construction)
    way, habits = Order.of(seed), Habits.of(seed)
    total = TOTAL - habits.count
    easel = painting.set_up(findings, way.zones) if findings.route == "painting" else None
    ink, flats, shapes = _drawn(findings, way, ways, least) if easel is None else _blocked(easel, ways, least)
    planned(2, construction)
    matte = findings.ink.alpha if ink.strokes else np.zeros_like(findings.ink.alpha)
    seen = _seen(artwork, matte, flats, shapes)
    left = remainder(artwork, _painted(artwork.shape, flats, shapes), matte, _lit(shapes))
    seen |= {"shading": left.shading > SEEN, "details": left.details > SEEN}
    room = total - NAMED_BY - PUT_AWAY
    room -= len(ink.strokes) + len(flats.strokes) + len(shapes.strokes)
    shading, details = finishing(findings, left, max(20, room), way.shaded, ways[4])
    drafts = {"ink": ink, "flats": flats, "shapes": shapes, "shading": shading, "details": details}
    for phase in ("shading", "details"):
        drafts[phase] = in_one_piece(drafts[phase], seen[phase], least)
    spare = total - NAMED_BY - PUT_AWAY - _count(drafts)
    white = float((strongest(255 - artwork) < 12).mean())
    most = soon + int((MOST_SKETCHED - soon) * min(1.0, 1.6 * (1 - white)))
    wanted, before = int(np.clip(soon + 0.5 * spare, soon, most)), len(construction) + PUT_AWAY
    drafts = _all_seen(drafts, seen)
    drafts = _more(drafts, seen, total - before - wanted, least)
    pencilled = sketcher.sketch(max(wanted, min(AT_ANY_RATE_SKETCHED, total - before - _count(drafts))), soon)
    planned(3, [*construction, *pencilled])
    room = total - len(_pencil(construction, pencilled, True)) - (1 if pencilled else 0)
    drafts = _all_seen(_more(drafts, seen, room, FEWEST_SEEN), seen)
    if pencilled and _count(drafts) < room:
        pencilled += sketcher.again(room - _count(drafts))
    pencilled = _kept_light(pencilled, artwork)
    pencil = _pencil(construction, pencilled, bool(ink.strokes))
    room = total - len(pencil) - (1 if pencilled else 0)
    drafts = fewer(drafts, seen, _count(drafts) - room)
    drafts["shading"] = _brushes(drafts["shading"], seen["shading"])
    if easel is not None:
        drafts = painting.in_painters_order(easel, drafts)
    plan = habits.among(replace(_plan(findings, seed, pencil, drafts, matte), asked=route, tags=tags))
    return exact(complete(plan, findings), artwork)


def _drawn(
    findings: Findings, way: Order, ways: list[np.random.Generator], least: int
) -> tuple[Drafts, Drafts, Drafts]:
    """Ink, flats and shapes of an illustration."""
    ink = _ink(findings, ways[1])
    matte = findings.ink.alpha if ink.strokes else np.zeros_like(findings.ink.alpha)
    need = flat_count(findings, findings.side * LARGEST)
    flats = flat_strokes(findings, int(np.clip(need, 40, 260)), way, ways[2])
    shapes = shape_strokes(findings, int(np.clip(1.3 * len(shaded_shapes(findings)), 10, 170)), way, ways[3])
    seen = _seen(findings.artwork, matte, flats, shapes)
    ink, flats = in_one_piece(ink, seen["ink"], least), in_one_piece(flats, seen["flats"], least, leave_out=True)
    return ink, flats, in_one_piece(shapes, seen["shapes"], least, leave_out=True)


def _blocked(easel: painting.Easel, ways: list[np.random.Generator], least: int) -> tuple[Drafts, Drafts, Drafts]:
    """No ink, the masses of a painting, and the strokes that model them."""
    artwork = easel.findings.artwork
    white, nothing = np.full_like(artwork, 255), np.zeros(artwork.shape[:2], np.int32)
    flats = painting.block_in(easel, ways[2])
    for _ in range(2):  # colours change where crumbs go to another stroke
        shown = unlike(_painted(artwork.shape, flats, None), white) > SEEN
        flats = painting.coloured(easel, in_one_piece(flats, shown, least), painting.DARKEST_WASH, ways[2])
    painted = _painted(artwork.shape, flats, None)
    shapes = painting.modelling(easel, painted, MOST_MODELLED, ways[3])
    shown = unlike(_painted(artwork.shape, flats, shapes), painted) > SEEN
    shapes = in_one_piece(shapes, shown, least, leave_out=True)
    return Drafts(nothing, []), painting.settled(flats), painting.settled(shapes)


def _seen(artwork: np.ndarray, matte: np.ndarray, flats: Drafts, shapes: Drafts) -> dict[str, np.ndarray]:
    """Where ink, flats and shapes show, bool (H, W): flats and shapes through the ink that lies over them."""
    white = np.full_like(artwork, 255)
    plain, painted = _painted(artwork.shape, flats, None), _painted(artwork.shape, flats, shapes)
    inked, alpha = solved_ink(artwork, painted, matte)
    bare, flat, shaped = (over(under, inked, alpha) for under in (white, plain, painted))
    return {
        "ink": unlike(bare, white) > SEEN,
        "flats": unlike(flat, bare) > SEEN,
        "shapes": unlike(shaped, flat) > SEEN,
    }


def _all_seen(drafts: dict[str, Drafts], seen: dict[str, np.ndarray]) -> dict[str, Drafts]:
    """The strokes of every phase of which enough shows."""
    return {phase: all_seen(part, seen[phase], FEWEST_SEEN) for phase, part in drafts.items()}


def exact(plan: Plan, artwork: np.ndarray) -> Plan:
    """The plan with the few pixels that no layer brings to the artwork given to the nearest stroke of the top layer.

    Where that layer has none, the last operation of all becomes one.
    """
    finished = finish(artwork, plan)
    painted = over(finished.under, finished.ink, finished.matte)
    details = plan.owners["details"]
    wrong = (details == 0) & (unlike(painted, artwork) > 0)
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
    """The ink: in shorter strokes where there are few lines; none where the picture is painted."""
    if not findings.ink.alpha.any():
        return Drafts(np.zeros(findings.ink.alpha.shape, np.int32), [])
    longest = 0.3
    for longest in (0.3, 0.22, 0.16, 0.11, 0.08):
        if len(line_pieces(findings, longest)) > 210:
            break
    return ink_strokes(findings, longest, 270, rng)


def _layer(phase: str, layer: str, opacity: float, title: str) -> Operation:
    """The operation that gives a whole layer an opacity."""
    return Operation(phase, layer, "none", np.zeros((0, 3), np.float32), None, opacity, "layer", title)


def _covered(flats: Drafts, pencil: list[Operation]) -> int:
    """How many of the flats may be laid while there is still enough of a sketch to see that hiding it shows."""
    pencilled = [operation.points[:, :2] for operation in pencil if operation.layer == "sketch"]
    points = np.vstack([np.zeros((0, 2)), *pencilled])
    if not len(points):
        return 0
    height, width = flats.labels.shape
    x, y = np.clip(points.round().astype(int), 0, (width - 1, height - 1)).T
    labels = np.sort(np.where(flats.labels == 0, len(flats.strokes), flats.labels)[y, x])
    last = labels[max(0, len(labels) - 1 - max(60, len(labels) // 25))]
    return max(0, min(int(last) - 1, int(0.85 * len(flats.strokes))))


def _painted(shape: tuple[int, ...], flats: Drafts, shapes: Drafts | None) -> np.ndarray:
    """The colours of flats, and of shapes on them, uint8 (H, W, 3)."""
    table, labels = [(255, 255, 255)], np.zeros(shape[:2], np.int32)
    for part in (flats, shapes):
        if part is not None:
            labels = np.where(part.labels > 0, part.labels + (len(table) - 1), labels)
            table += [stroke.colour or (255, 255, 255) for stroke in part.strokes]
    return np.take(np.array(table, np.uint8), labels, axis=0)


def _lit(shapes: Drafts) -> np.ndarray:
    """int8 (H, W): 1 where a light shape lies, -1 where a shadow does."""
    table = np.array([0] + [1 if stroke.layer == "light" else -1 for stroke in shapes.strokes], np.int8)
    return table[shapes.labels]


def _pencil(construction: list[Operation], sketch: list[Operation], inked: bool) -> list[Operation]:
    """The drawing in pencil, and how it steps back behind what comes next."""
    if not sketch:
        return []
    third = len(sketch) // 3
    fade = [_layer("sketch", "construction", 0.35, "fade the construction")] if construction else []
    hide = [_layer("sketch", "construction", 0.0, "hide the construction")] if construction else []
    fainter = _layer("sketch", "sketch", 0.4 if inked else 0.75, "fade the sketch")
    return [*construction, *sketch[:third], *fade, *sketch[third:], *hide, fainter]


def _kept_light(sketch: list[Operation], artwork: np.ndarray) -> list[Operation]:
    """A sketch, drawn more lightly where the picture is so light that pencil leads far away from it."""
    scale = min(1.0, SKETCH_JUDGED / max(artwork.shape))
    small = cv2.resize(artwork, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tried = [replace(operation, points=operation.points * np.float32(scale)) for operation in sketch]
    canvas = in_pencil(tried, *small.shape[:2])
    away, way = 0.0, cv2.norm(canvas.picture, small, cv2.NORM_L1)
    for number, operation in enumerate(tried, 1):
        laid = canvas.lay(number, operation)
        if laid is not None and operation.brush != "eraser":
            far = [cv2.norm(seen, small[laid.box], cv2.NORM_L1) for seen in (canvas.picture[laid.box], laid.picture)]
            away += max(0.0, far[0] - far[1])
    force = max(FAINTEST, min(1.0, SKETCHED_AWAY * way / max(1.0, away)) ** 0.5)
    return [one if one.brush == "eraser" else replace(one, opacity=round(force * one.opacity, 3)) for one in sketch]


def _plan(findings: Findings, seed: int, pencil: list[Operation], drafts: dict[str, Drafts], matte: np.ndarray) -> Plan:
    operations = list(pencil)
    owners: dict[str, np.ndarray] = {}
    for phase in OWNING:
        part = drafts[phase]
        # ink takes the sketch's place; paint goes over it
        hides = phase == "flats" and bool(pencil)
        bare = _covered(part, pencil) if hides and not drafts["ink"].strokes else 0 if hides else len(part.strokes)
        offset = len(operations)
        numbers = part.labels + offset + (part.labels > bare)
        owners[phase] = np.where(part.labels > 0, numbers, 0).astype(np.uint16)
        strokes = [_operation(phase, draft) for draft in part.strokes]
        hide = [_layer(phase, "sketch", 0.0, "hide the sketch")] if hides else []
        operations += strokes[:bare] + hide + strokes[bare:]
    matte = np.where(owners["ink"] > 0, matte, np.uint8(0))
    # what the file keeps is what is drawn, so that a process read back draws the very same canvases
    rounded = tuple(replace(operation, points=np.round(operation.points, 1)) for operation in operations)
    return Plan(seed, "", "", findings.route, findings.reason, rounded, owners, matte)


def _operation(phase: str, draft: Draft) -> Operation:
    return Operation(phase, draft.layer, draft.brush, draft.path, draft.colour, title=draft.title)
