"""The artwork as layers that flatten to it bit for bit: what each layer's pixels are once all is drawn."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paints_undo.strokes.operations import Plan


@dataclass(frozen=True)
class Finished:
    """What strokes without a colour of their own lay down.

    shading: uint8 (H, W, 3), the artwork without its details.  ink: uint8 (H, W, 3), matte: uint8 (H, W): over what
    lies below them they are the artwork exactly.
    """

    artwork: np.ndarray
    under: np.ndarray  # flats, shapes and shading, uint8 (H, W, 3)
    shading: np.ndarray
    ink: np.ndarray
    matte: np.ndarray


def over(under: np.ndarray, colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Colour over what lies under it, uint8 (h, w, 3) with alpha uint8 (h, w): plain 8-bit blending, rounded."""
    part = cv2.merge((alpha, alpha, alpha))  # numpy is several times slower where it spreads one value over three
    mixed = np.multiply(under, 255 - part, dtype=np.uint16)
    mixed += np.multiply(colour, part, dtype=np.uint16)
    mixed += 127
    mixed //= 255
    return mixed.astype(np.uint8)


def without_details(artwork: np.ndarray) -> np.ndarray:
    """The artwork as one paints it before its details: small marks gone, edges kept."""
    side = max(artwork.shape[:2])
    calm = cv2.medianBlur(artwork, max(3, int(side / 90) | 1))
    return cv2.bilateralFilter(calm, 5, 18, 2)


def finish(artwork: np.ndarray, plan: Plan) -> Finished:
    """What the layers of a plan come to for the artwork, uint8 RGB of the plan's size."""
    details = plan.owners["details"] > 0
    shading = np.where(details[..., None], without_details(artwork), artwork)
    under = flat_colours(plan)
    shaded = plan.owners["shading"] > 0
    under[shaded] = shading[shaded]
    ink, matte = solved_ink(artwork, under, plan.matte)
    return Finished(artwork, under, shading, ink, matte)


def flat_colours(plan: Plan) -> np.ndarray:
    """Flats and the shapes on them, uint8 (H, W, 3), white where there are none."""
    table = np.full((len(plan.operations) + 1, 3), 255, np.uint8)
    for number, operation in enumerate(plan.operations, 1):
        if operation.colour is not None:
            table[number] = operation.colour
    shapes = plan.owners["shapes"]
    return np.take(table, np.where(shapes > 0, shapes, plan.owners["flats"]), axis=0)


def solved_ink(artwork: np.ndarray, under: np.ndarray, matte: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours and alpha of the ink that over `under` give the artwork exactly; alpha at least the matte.

    For an alpha a, a channel's colour c = u + (A - u) 255 / a must lie in 0..255; a change of c by one changes the
    result by at most one, so that one of the colours next to it is exact.
    """
    inked = matte > 0
    want, below = artwork[inked].astype(np.float32), under[inked].astype(np.float32)
    room = np.where(want < below, below, 255 - below)
    least = np.where(want == below, 0, 255 * np.abs(want - below) / np.maximum(room, 1)).max(1)
    alpha = np.clip(np.maximum(matte[inked], np.ceil(least)), 1, 255)
    colour = np.clip(np.rint(below + (want - below) * 255 / alpha[:, None]), 0, 255)
    for step in (0, -1, 1):
        tried = np.clip(colour + step, 0, 255)
        good = _over_row(below, tried, alpha) == want
        colour = np.where(good, tried, colour)
    wrong = (_over_row(below, colour, alpha) != want).any(1)
    colour[wrong], alpha[wrong] = want[wrong], 255
    ink, full = np.zeros_like(artwork), np.zeros_like(matte)
    ink[inked], full[inked] = colour.astype(np.uint8), alpha.astype(np.uint8)
    return ink, full


def _over_row(under: np.ndarray, colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """`over` for pixels in a row, (n, 3)."""
    part = alpha[:, None]
    return np.floor((under * (255 - part) + colour * part + 127) / 255)
