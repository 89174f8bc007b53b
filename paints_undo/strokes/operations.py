"""What a person does at the canvas: operations, and the maps that say which of them reaches which pixel."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.options import OPERATIONS

TOTAL = OPERATIONS
PHASES = ("construction", "sketch", "ink", "flats", "shapes", "shading", "details")
LAYERS = ("construction", "sketch", "flats", "shadow", "light", "ink", "details")  # over the paper, bottom first
# Phases whose operations own pixels: each pixel of the phase's map is brought to its end by one operation.
OWNING = ("ink", "flats", "shapes", "shading", "details")

Colour = tuple[int, int, int]
Box = tuple[slice, slice]


@dataclass(frozen=True)
class Operation:
    """One thing a person could have done, which Ctrl+Z takes back.

    points: float32 (n, 3): x, y and half width along the path, in pixels of the process.  colour: sRGB, or None where
    the stroke takes the layer's own finished pixels.  opacity: 0 to 1.  brush "eraser" takes away from its layer.
    kind "stroke" follows the path, "layer" fades or hides a whole layer, "flip" mirrors the canvas until the next one
    does, "adjust" brings its layer to its own colours, which was seen as if mid grey were its colour until then.
    """

    phase: str
    layer: str
    brush: str  # pencil, eraser, ink, flat, soft, touch, spray, none
    points: np.ndarray
    colour: Colour | None = None
    opacity: float = 1.0
    kind: str = "stroke"
    title: str = ""

    @property
    def owns(self) -> bool:
        """Whether it brings pixels of its phase's map to their end."""
        return self.phase in OWNING and self.brush != "none"


@dataclass
class Plan:
    """Everything that is needed to draw an artwork again: operations, and what each of them owns.

    owners: phase -> uint16 (H, W), the number (1 to 1000) of the operation that finishes each pixel, 0 where none does.
    matte: uint8 (H, W), how much of each pixel is ink.
    """

    seed: int
    asked: str  # the route that was asked for
    sketch: str  # the digest of the person's own sketch, "" where there is none
    route: str
    reason: str
    operations: tuple[Operation, ...]
    owners: dict[str, np.ndarray]
    matte: np.ndarray
    tags: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, in pixels."""
        return self.matte.shape[0], self.matte.shape[1]


def boxes_of(owners: np.ndarray, count: int) -> list[Box | None]:
    """Where the labels 1 to count lie in a map; None for a label that is nowhere."""
    return list(ndimage.find_objects(owners.astype(np.int32), count))


def strongest(picture: np.ndarray) -> np.ndarray:
    """The largest channel of every pixel, (H, W), of (H, W, 3); numpy's own maximum takes eight times as long."""
    red, green, blue = cv2.split(picture)
    return cv2.max(cv2.max(red, green), blue)


def nearest_label(labels: np.ndarray) -> np.ndarray:
    """The label of the nearest labelled pixel, for every pixel; the labels themselves where there are any."""
    if not labels.any():
        return labels
    _, places = cv2.distanceTransformWithLabels(
        (labels == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label_of = np.zeros(int(places.max()) + 1, labels.dtype)
    there = labels > 0
    label_of[places[there]] = labels[there]
    return label_of[places]
