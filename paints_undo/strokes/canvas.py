"""The layers while they are drawn, and the canvas that they make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from paints_undo.pictures.pixels import at_most
from paints_undo.progress import PREVIEW_SIDE
from paints_undo.strokes import brushes
from paints_undo.strokes.operations import LAYERS, Box, Colour, Operation, Plan, boxes_of
from paints_undo.strokes.separation import Finished, over

BETWEEN_CHECKPOINTS = 28  # operations; more where all checkpoints would take more than is remembered
FEWEST_CHECKPOINTS = 4  # two or three of a very large canvas cost more than they help
REMEMBERED, BYTES_A_PIXEL = 440 << 20, 9  # bytes of all checkpoints, and of each pixel in one
CHEQUER = 12  # pixels of a square of what is shown where there is nothing
SOFT_EDGES = {"ink": 0.0, "flats": 0.4, "shapes": 0.4, "shading": 0.0, "details": 0.0}  # pixels at 1,000 a side


@dataclass(frozen=True)
class Laid:
    """What lay where an operation was done: the picture, its layer (None for a new one), and that layer's opacity."""

    box: Box
    picture: np.ndarray
    layer: np.ndarray | None
    opacity: float


class Canvas:
    """Layers, uint8 RGBA (H, W, 4), and their composite, after any number of a plan's operations."""

    def __init__(self, plan: Plan, finished: Finished):
        self.plan, self.finished = plan, finished
        self.height, self.width = plan.size
        self._grain = brushes.grain()
        kept = REMEMBERED // (self.height * self.width * BYTES_A_PIXEL)
        self._between = (
            max(BETWEEN_CHECKPOINTS, 1000 // kept) if kept >= FEWEST_CHECKPOINTS else len(plan.operations) + 1
        )
        boxes = {phase: boxes_of(owners, len(plan.operations)) for phase, owners in plan.owners.items()}
        self._boxes = [
            boxes[operation.phase][k] if operation.owns else None for k, operation in enumerate(plan.operations)
        ]
        self._layer_of = np.array([-1] + [LAYERS.index(operation.layer) for operation in plan.operations], np.int8)
        scale = max(plan.size) / 1000
        self._soft = {phase: soft * max(0.6, min(2.0, scale)) for phase, soft in SOFT_EDGES.items()}
        self._flipped = np.cumsum([False] + [operation.kind == "flip" for operation in plan.operations]) % 2 > 0
        tints = [(k, one) for k, one in enumerate(plan.operations, 1) if one.kind == "adjust"]
        self._tints = {one.layer: (k, _curves(one.colour)) for k, one in tints}
        self._checkpoints: dict[int, tuple[dict[str, np.ndarray], dict[str, float], np.ndarray]] = {}
        self._blank()

    def _blank(self) -> None:
        self.done = 0
        self.layers: dict[str, np.ndarray] = {}
        self.opacity = dict.fromkeys(LAYERS, 1.0)
        self.picture = np.full((self.height, self.width, 3), 255, np.uint8)
        self._changed: set[str] = set()

    # What an operation does

    def _mask(self, number: int, operation: Operation, done: float) -> brushes.Mask | None:
        """Where an operation paints, and how much."""
        if operation.owns:
            box = self._boxes[number - 1]
            if box is None:
                return None
            owners = self.plan.owners[operation.phase]
            soft = self._soft[operation.phase]
            if operation.brush == "soft" and len(operation.points):
                soft = float(np.clip(0.4 * np.median(operation.points[:, 2]), 0.6, max(self.plan.size) / 60))
            owned = brushes.owned(owners, number, box, soft, self._layer_of)
            return brushes.grown(owned, operation.points, done)
        drawn = brushes.line(operation.points, self.plan.size, done)
        if drawn is None:
            return None
        box, mask = drawn
        strength = operation.opacity * (self._tooth(box) if operation.brush == "pencil" else 1)
        return box, (mask * strength).astype(np.uint8)

    def _tooth(self, box: Box) -> np.ndarray:
        """The paper's tooth in a box."""
        rows, columns = (np.arange(side.start, side.stop) % 256 for side in box)
        return self._grain[np.ix_(rows, columns)]

    def _paint(self, operation: Operation, box: Box, mask: np.ndarray) -> None:
        """Lay a mask of colour on the operation's layer, or take it away."""
        if operation.layer not in self.layers:
            self.layers[operation.layer] = np.zeros((self.height, self.width, 4), np.uint8)
        if operation.layer not in self._changed and any(
            self.layers[operation.layer] is held[0].get(operation.layer) for held in self._checkpoints.values()
        ):
            self.layers[operation.layer] = self.layers[operation.layer].copy()  # a checkpoint keeps the other one
        self._changed.add(operation.layer)
        layer = self.layers[operation.layer][box]
        if operation.brush == "eraser":
            layer[..., 3] = (layer[..., 3] * (255 - mask.astype(np.uint16)) + 127) // 255
            return
        source, mask = self._source(operation, box, mask)
        some = (mask > 0) & (mask < 255)
        opaque = cv2.cvtColor(source, cv2.COLOR_RGB2RGBA)
        np.copyto(layer.view(np.uint32), opaque.view(np.uint32), where=(mask == 255)[..., None])  # whole pixels at once
        if some.any():
            colour = np.broadcast_to(source, (*mask.shape, 3))
            part = mask[some].astype(np.float32) / 255
            kept = layer[some, 3].astype(np.float32) / 255 * (1 - part)
            alpha = part + kept
            mixed = layer[some, :3] * kept[:, None] + colour[some] * part[:, None]
            layer[some, :3] = np.rint(mixed / alpha[:, None])
            layer[some, 3] = np.rint(alpha * 255)

    def _source(self, operation: Operation, box: Box, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The colours that a stroke lays in a box, uint8 (h, w, 3) or (1, 1, 3), and the mask as they need it."""
        if operation.phase == "ink" and operation.owns:
            matte = self.finished.matte[box]
            return self.finished.ink[box], np.where(mask > 0, matte, np.uint8(0))
        if operation.colour is not None:
            return np.array([[operation.colour]], np.uint8), mask
        return (self.finished.artwork if operation.phase == "details" else self.finished.shading)[box], mask

    def _apply(self, number: int) -> Box | None:
        """Do operation `number` (1 to 1,000) on its layer; where the picture is to be brought up to date."""
        operation = self.plan.operations[number - 1]
        self.done = number
        if operation.kind == "layer":
            self.opacity[operation.layer] = operation.opacity
        if operation.kind in ("layer", "adjust"):
            return slice(0, self.height), slice(0, self.width)
        drawn = self._mask(number, operation, 1.0)
        if drawn is None:
            return None
        self._paint(operation, *drawn)
        return drawn[0]

    def lay(self, number: int, operation: Operation, part: float = 1.0) -> Laid | None:
        """Do an operation, or part of its stroke, and bring the picture up to date; None where it paints nothing."""
        opacity = self.opacity[operation.layer]
        if operation.kind == "layer":
            box = (slice(0, self.height), slice(0, self.width))
            laid = Laid(box, self.picture.copy(), None, opacity)
            self.opacity[operation.layer] = operation.opacity
        else:
            drawn = self._mask(number, operation, part)
            if drawn is None:
                return None
            box = drawn[0]
            layer = self.layers.get(operation.layer)
            laid = Laid(box, self.picture[box].copy(), None if layer is None else layer[box].copy(), opacity)
            self._paint(operation, *drawn)
        self.picture[box] = self._composed(box)
        return laid

    def take_back(self, operation: Operation, laid: Laid) -> None:
        """Undo the operation that was done last."""
        self.opacity[operation.layer] = laid.opacity
        self.picture[laid.box] = laid.picture
        if laid.layer is not None:
            self.layers[operation.layer][laid.box] = laid.layer
        elif operation.kind != "layer":
            del self.layers[operation.layer]
            self._changed.discard(operation.layer)

    def _composed(self, box: Box, hidden: frozenset[str] = frozenset()) -> np.ndarray:
        """What the layers make together in a box, uint8 (h, w, 3); without paper, a chequered nothing is under them."""
        shown = [name for name in LAYERS if name in self.layers and self.opacity[name] and name not in hidden]
        under = np.full((box[0].stop - box[0].start, box[1].stop - box[1].start, 3), 255, np.uint8)
        if "paper" in hidden:
            rows, columns = np.ogrid[: under.shape[0], : under.shape[1]]
            under[(rows // CHEQUER + columns // CHEQUER) % 2 > 0] = 225
        above = []
        for name in reversed(shown):  # what is under a layer that covers all is not seen
            layer = self.layers[name][box]
            alpha = cv2.extractChannel(layer, 3)
            if self.opacity[name] < 1:
                alpha = np.rint(alpha * np.float32(self.opacity[name])).astype(np.uint8)
            elif alpha.min() == 255:
                under = self.colours(name, layer)
                break
            if cv2.hasNonZero(alpha):
                above.append((name, layer, alpha))
        for name, layer, alpha in reversed(above):
            under = over(under, self.colours(name, layer), alpha)
        return under

    def colours(self, name: str, layer: np.ndarray) -> np.ndarray:
        """The colours of a layer, uint8 (h, w, 4), as they are seen, uint8 (h, w, 3): off until they are adjusted."""
        colours, tint = cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB), self._tints.get(name)
        return colours if tint is None or self.done >= tint[0] else cv2.LUT(colours, tint[1])

    # Any canvas

    def go_to(self, number: int) -> None:
        """Stand after `number` operations, from the nearest checkpoint where that is shorter."""
        if number < self.done:
            self._restore(max((k for k in self._checkpoints if k <= number), default=0))
        else:
            ahead = max((k for k in self._checkpoints if k <= number), default=0)
            if ahead > self.done:
                self._restore(ahead)
        stale: Box | None = None  # where the picture is behind the layers: between checkpoints nobody looks at it
        while self.done < number:
            stale = _around(stale, self._apply(self.done + 1))
            remember = self.done % self._between == 0 and self.done not in self._checkpoints
            if stale is not None and (remember or self.done == number):
                self.picture[stale] = self._composed(stale)
                stale = None
            if remember:
                self._checkpoints[self.done] = (dict(self.layers), dict(self.opacity), self.picture.copy())
                self._changed = set()

    def _restore(self, number: int) -> None:
        if number == 0:
            self._blank()
            return
        layers, opacity, picture = self._checkpoints[number]
        self.layers, self.opacity, self.picture = dict(layers), dict(opacity), picture.copy()
        self.done, self._changed = number, set()

    def after(self, done: float, upright: bool = False, hidden: frozenset[str] = frozenset()) -> np.ndarray:
        """The picture, uint8 (H, W, 3), after `done` operations; a fraction is part of the next one's stroke.

        upright: not mirrored where the canvas is flipped.  hidden: layers to leave out, for a whole `done`.
        """
        whole = int(done)
        self.go_to(whole)
        parted = done > whole and whole < len(self.plan.operations)
        if hidden:
            picture = self._composed((slice(0, self.height), slice(0, self.width)), hidden)
        else:
            picture = self._with_part(whole + 1, done - whole) if parted else self.picture.copy()
        return picture if upright or not self._flipped[whole] else np.ascontiguousarray(picture[:, ::-1])

    def _with_part(self, number: int, part: float) -> np.ndarray:
        """The picture with part of the next operation, which is taken back."""
        operation = self.plan.operations[number - 1]
        laid = self.lay(number, operation, part) if operation.kind == "stroke" else None
        picture = self.picture.copy()
        if laid is not None:
            self.take_back(operation, laid)
        return picture


def _curves(grey: Colour | None) -> np.ndarray:
    """What every value of a channel becomes, uint8 (256, 1, 3), where mid grey becomes a colour and white stays."""
    steep = np.log(np.clip(grey or (128, 128, 128), 1, 254) / np.float64(255)) / np.log(128 / 255)
    return np.rint(255 * (np.arange(256) / 255)[:, None, None] ** steep).astype(np.uint8)


def _around(one: Box | None, other: Box | None) -> Box | None:
    """The smallest box that holds both."""
    if one is None or other is None:
        return one or other
    rows, columns = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return rows, columns


def in_pencil(operations: Sequence[Operation], height: int, width: int) -> Canvas:
    """A canvas for what is drawn in pencil, before there is a plan of all the rest."""
    white, nothing = np.full((height, width, 3), 255, np.uint8), np.zeros((height, width), np.uint8)
    plan = Plan(0, "", "", "", "", tuple(operations), {}, nothing)
    return Canvas(plan, Finished(white, white, white, white, nothing))


def seen_in_pencil(operations: Sequence[Operation], height: int, width: int) -> np.ndarray:
    """What is drawn so far, small: uint8 (h, w, 3)."""
    return at_most(in_pencil(operations, height, width).after(len(operations)), PREVIEW_SIDE)


def paper(height: int, width: int) -> np.ndarray:
    """White paper, uint8 RGBA."""
    return np.full((height, width, 4), 255, np.uint8)
