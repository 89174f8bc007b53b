"""Figures about processes of the family `strokes`; `python docs/strokes_sheets.py PICTURE...` prints them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from skimage.filters import apply_hysteresis_threshold, sato
from skimage.morphology import remove_small_objects, skeletonize

from paints_undo.strokes.operations import strongest
from paints_undo.strokes.process import Process
from paints_undo.strokes.separation import over

SEEN, MOVED = 2, 12  # grey levels that are visible at all, and in a film
UNSEEN = 7  # pixels: an operation that changes fewer is not seen
STILL = 0.0001  # of the canvas: a smaller change is still


@dataclass(frozen=True)
class Figures:
    """What can be measured of a process without knowing how it was planned; shares are 0 to 1."""

    operations: int
    exact: bool  # the last canvas is the artwork
    flattened: bool  # so are the layers, laid over each other
    unseen: int  # operations that change fewer than 7 pixels by more than 2 levels
    still: float  # share of operations that a film does not show
    area: float  # median share of the canvas that an operation changes
    area_95: float
    one_piece: float  # share of operations that change one connected piece
    back: float  # rises of the distance from the artwork over its falls; erasers and whole layers aside
    undone: float  # share of pixels that had reached the artwork and left it again
    paper_left: float  # share of bare paper where the artwork has paint, once flats are laid
    below_details: float  # mean grey levels between the artwork and all layers below the details
    details_cover: float  # share of the canvas that the details cover
    crisp: float  # strongest gradients of the first half's best canvas over those of the artwork
    ink_precision: float  # share of the ink's length with a dark line of the picture at most 1.5 pixels away
    ink_recall: float  # share of the dark lines' length with ink at most 1.5 pixels away


def measured(process: Process, lines: bool = True) -> Figures:
    """The figures of a process. lines: whether ink is compared with the picture's lines, which takes seconds."""
    watched = _Watched(process)
    for number in range(1, len(process.operations) + 1):
        watched.step(number)
    layers = process.layers()
    below = flattened(layer for name, layer in layers.items() if name != "details")
    precision, recall = ink_against_lines(process) if lines else (float("nan"), float("nan"))
    moves = np.diff(watched.distance)[[not _is_named_habit(process, k) for k in range(len(process.operations))]]
    artwork = process.artwork
    return Figures(
        len(process.operations),
        bool((watched.before == artwork).all()),
        bool((flattened(layers.values()) == artwork).all()),
        watched.unseen,
        float(np.mean(np.array(watched.area) < STILL)),
        float(np.median(watched.area)),
        float(np.percentile(watched.area, 95)),
        float(np.mean(np.array(watched.pieces) == 1)),
        float(moves[moves > 0].sum() / max(1e-9, -moves[moves < 0].sum())),
        float(watched.undone.mean()),
        watched.paper_left,
        float(cv2.absdiff(below, artwork).mean()),
        float((layers["details"][..., 3] > 0).mean()),
        max(watched.sharpness) / max(1e-6, sharpness(artwork)),
        precision,
        recall,
    )


def _is_named_habit(process: Process, place: int) -> bool:
    operation = process.operations[place]
    return operation.brush == "eraser" or operation.kind != "stroke"


class _Watched:
    """A process while its canvases go by."""

    def __init__(self, process: Process):
        self.process, self.artwork = process, process.artwork
        height, width = process.size
        self.before = process.canvas(0)
        self.distance = [self._far(self.before)]
        self.area: list[float] = []
        self.pieces: list[int] = []
        self.sharpness: list[float] = []
        self.unseen, self.paper_left = 0, 0.0
        self.reached, self.undone = np.zeros((height, width), bool), np.zeros((height, width), bool)
        self._painted = strongest(cv2.absdiff(self.artwork, np.full_like(self.artwork, 255))) > 16
        size = max(3, round(0.01 * max(height, width))) | 1
        self._near = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        self._flat_at = max(
            (k for k, one in enumerate(process.operations, 1) if one.phase in ("ink", "flats") and one.owns), default=0
        )

    def _far(self, canvas: np.ndarray) -> float:
        return cv2.norm(canvas, self.artwork, cv2.NORM_L1) / canvas.size

    def step(self, number: int) -> None:
        """Look at the canvas after `number` operations, which is the one after the last that was looked at."""
        canvas = self.process.canvas(number, upright=True)
        off = strongest(cv2.absdiff(canvas, self.artwork))
        self.distance.append(self._far(canvas))
        if self.process.operations[number - 1].kind in ("flip", "adjust"):
            self.reached &= off <= 24
        else:
            self._compare(number, canvas, off)
        self.before = canvas

    def _compare(self, number: int, canvas: np.ndarray, off: np.ndarray) -> None:
        """Take in what a stroke, or a layer faded or hidden, has changed."""
        change = strongest(cv2.absdiff(canvas, self.before))
        self.unseen += int(np.count_nonzero(change > SEEN)) < UNSEEN
        moved = (change > MOVED).astype(np.uint8)
        self.area.append(float(cv2.countNonZero(moved)) / moved.size)
        x, y, width, height = cv2.boundingRect(moved)
        if width:
            wide = self._near.shape[0]
            part = np.pad(moved[y : y + height, x : x + width], wide)
            self.pieces.append(cv2.connectedComponents(cv2.morphologyEx(part, cv2.MORPH_CLOSE, self._near))[0] - 1)
        self.undone |= self.reached & (off > 24)
        self.reached |= (off <= 8) & self._painted
        total = len(self.process.operations)
        if number <= total // 2 and number % max(1, total // 40) == 0:
            self.sharpness.append(sharpness(canvas))
        if number == self._flat_at:
            paper = (self.process.plan.owners["flats"] == 0) & (canvas.min(2) >= 250)
            self.paper_left = float((paper & self._painted).mean())


def flattened(layers: Iterable[np.ndarray]) -> np.ndarray:
    """Layers, uint8 (H, W, 4), bottom first, as one picture: what any program makes of them."""
    picture: np.ndarray | None = None
    for layer in layers:
        under = np.zeros_like(layer[..., :3]) if picture is None else picture
        picture = over(under, layer[..., :3], layer[..., 3])
    assert picture is not None
    return picture


def sharpness(picture: np.ndarray) -> float:
    """The strongest hundredth of a picture's gradients."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    strength = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return float(np.percentile(strength, 99))


def dark_lines(artwork: np.ndarray) -> np.ndarray:
    """Where dark lines are, bool (H, W), as ridges of darkness: not how the planner finds ink."""
    side = max(artwork.shape[:2])
    light = cv2.cvtColor(artwork, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32)
    thinnest = max(1.0, side / 1400)
    ridge = sato(light, sigmas=[thinnest, 1.6 * thinnest, 2.5 * thinnest], black_ridges=True)
    return remove_small_objects(apply_hysteresis_threshold(ridge, 8, 20), max_size=int((side / 90) ** 2))


def ink_against_lines(process: Process, near: float = 1.5) -> tuple[float, float]:
    """Precision and recall of the ink against the picture's dark lines; not a number where there is no ink.

    The middle of one against all of the other: where a line's two sides differ, its ridge runs beside its middle.
    """
    ink, lines = process.plan.matte > 100, dark_lines(process.artwork)
    if not ink.any() or not lines.any():
        return float("nan"), float("nan")

    def reached(middle: np.ndarray, of: np.ndarray) -> float:
        away = cv2.distanceTransform((~of).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return float((away[middle] <= near).mean())

    return reached(skeletonize(ink), lines), reached(skeletonize(lines), ink)
