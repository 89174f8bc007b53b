"""The layers while they are drawn, and the canvas that they make together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from paints_undo.strokes import brushes
from paints_undo.strokes.operations import LAYERS, Box, Operation, Plan, boxes_of
from paints_undo.strokes.separation import Finished, over

BETWEEN_CHECKPOINTS = 50
SOFT_EDGES = {"ink": 0.0, "flats": 0.4, "shapes": 0.4, "shading": 0.0, "details": 0.0}  # pixels at 1,000 a side
Layers = Mapping[str, np.ndarray]


class Canvas:
    """Layers, uint8 RGBA (H, W, 4), and their composite, after any number of a plan's operations."""

    def __init__(self, plan: Plan, finished: Finished):
        self.plan, self.finished = plan, finished
        self.height, self.width = plan.size
        self._grain = brushes.grain(self.height, self.width)
        boxes = {phase: boxes_of(owners, len(plan.operations)) for phase, owners in plan.owners.items()}
        self._boxes = [
            boxes[operation.phase][k] if operation.owns else None for k, operation in enumerate(plan.operations)
        ]
        self._layer_of = np.array([-1] + [LAYERS.index(operation.layer) for operation in plan.operations], np.int8)
        scale = max(plan.size) / 1000
        self._soft = {phase: soft * max(0.6, min(2.0, scale)) for phase, soft in SOFT_EDGES.items()}
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
        strength = operation.opacity * (self._grain[box] if operation.brush in ("pencil", "bristle") else 1)
        return box, (mask * strength).astype(np.uint8)

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
        whole, some = mask == 255, (mask > 0) & (mask < 255)
        colour = np.broadcast_to(source, (*mask.shape, 3))
        layer[whole, :3], layer[whole, 3] = colour[whole], 255
        if some.any():
            part = mask[some].astype(np.float32) / 255
            kept = layer[some, 3].astype(np.float32) / 255 * (1 - part)
            alpha = part + kept
            mixed = layer[some, :3] * kept[:, None] + colour[some] * part[:, None]
            layer[some, :3] = np.rint(mixed / alpha[:, None])
            layer[some, 3] = np.rint(alpha * 255)

    def _source(self, operation: Operation, box: Box, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The colours that a stroke lays in a box, and the mask as they need it."""
        if operation.phase == "ink" and operation.owns:
            matte = self.finished.matte[box]
            return self.finished.ink[box], np.where(mask > 0, matte, np.uint8(0))
        if operation.colour is not None:
            return np.array(operation.colour, np.uint8), mask
        return (self.finished.artwork if operation.phase == "details" else self.finished.shading)[box], mask

    def apply(self, number: int, part: float = 1.0) -> None:
        """Do operation `number` (1 to 1,000) and bring the picture up to date; part: how much of its stroke."""
        operation = self.plan.operations[number - 1]
        if operation.kind == "layer":
            if part >= 1:
                self.opacity[operation.layer] = operation.opacity
                self._composite((slice(0, self.height), slice(0, self.width)))
        else:
            drawn = self._mask(number, operation, part)
            if drawn is not None:
                self._paint(operation, *drawn)
                self._composite(drawn[0])
        self.done = number

    def _composite(self, box: Box) -> None:
        under = np.full((box[0].stop - box[0].start, box[1].stop - box[1].start, 3), 255, np.uint8)
        for name in LAYERS:
            if name in self.layers and self.opacity[name]:
                layer = self.layers[name][box]
                alpha = layer[..., 3]
                if self.opacity[name] < 1:
                    alpha = np.rint(alpha * np.float32(self.opacity[name])).astype(np.uint8)
                if alpha.any():
                    under = over(under, layer[..., :3], alpha)
        self.picture[box] = under

    # Any canvas

    def go_to(self, number: int) -> None:
        """Stand after `number` operations, from the nearest checkpoint where that is shorter."""
        if number < self.done:
            self._restore(max((k for k in self._checkpoints if k <= number), default=0))
        else:
            ahead = max((k for k in self._checkpoints if k <= number), default=0)
            if ahead > self.done:
                self._restore(ahead)
        while self.done < number:
            self.apply(self.done + 1)
            if self.done % BETWEEN_CHECKPOINTS == 0 and self.done not in self._checkpoints:
                self._checkpoints[self.done] = (dict(self.layers), dict(self.opacity), self.picture.copy())
                self._changed = set()

    def _restore(self, number: int) -> None:
        if number == 0:
            self._blank()
            return
        layers, opacity, picture = self._checkpoints[number]
        self.layers, self.opacity, self.picture = dict(layers), dict(opacity), picture.copy()
        self.done, self._changed = number, set()

    def after(self, done: float) -> np.ndarray:
        """The picture, uint8 (H, W, 3), after `done` operations; a fraction is part of the next one's stroke."""
        whole = int(done)
        self.go_to(whole)
        if done == whole or whole >= len(self.plan.operations):
            return self.picture.copy()
        return self._with_part(whole + 1, done - whole)

    def _with_part(self, number: int, part: float) -> np.ndarray:
        """The picture with part of the next operation, which is taken back."""
        operation = self.plan.operations[number - 1]
        drawn = None if operation.kind == "layer" else self._mask(number, operation, part)
        if drawn is None:
            return self.picture.copy()
        box = drawn[0]
        there = operation.layer in self.layers
        before = self.layers[operation.layer][box].copy() if there else None
        self._paint(operation, *drawn)
        self._composite(box)
        picture = self.picture.copy()
        if before is None:
            del self.layers[operation.layer]
            self._changed.discard(operation.layer)
        else:
            self.layers[operation.layer][box] = before
        self._composite(box)
        return picture

    def all_after(self, dones: Iterable[float]) -> Iterator[np.ndarray]:
        """The pictures after each of an ascending row of `done`."""
        return (self.after(done) for done in dones)


def paper(height: int, width: int) -> np.ndarray:
    """White paper, uint8 RGBA."""
    return np.full((height, width, 4), 255, np.uint8)


def flattened(layers: Iterable[np.ndarray]) -> np.ndarray:
    """Layers, uint8 (H, W, 4), bottom first, as one picture: what any program makes of them."""
    picture: np.ndarray | None = None
    for layer in layers:
        under = np.zeros_like(layer[..., :3]) if picture is None else picture
        picture = over(under, layer[..., :3], layer[..., 3])
    assert picture is not None
    return picture
