"""Where the artwork lies in the frames that the networks draw, and how to lay it there so that nothing is lost.

The networks know a few fixed sizes.  The original fills each of them and cuts off what sticks out (fit "crop"); fit
"pad" shrinks the artwork until all of it is inside, also after the second cut from keyframes to video, and leaves the
rest canvas white.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paints_undo.errors import InputError
from paints_undo.images import crop_to

FITS = ("pad", "crop")
Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class Placement:
    """Along x and y: place in a frame = place in the artwork * scale + offset, in pixels from the upper left corner."""

    scale: tuple[float, float]
    offset: tuple[float, float]

    def then(self, later: Placement) -> Placement:
        """This placement, and the frame of it placed in another frame."""
        return Placement(
            tuple(a * b for a, b in zip(self.scale, later.scale, strict=True)),
            tuple(o * b + p for o, b, p in zip(self.offset, later.scale, later.offset, strict=True)),
        )

    def of_resized(self, before: Size, after: Size) -> Placement:
        """The same place for the artwork in another size."""
        return Placement(tuple(s * b / a for s, b, a in zip(self.scale, before, after, strict=True)), self.offset)


def check_fit(fit: object) -> str:
    """`fit`, if there is such a one; InputError otherwise."""
    if fit not in FITS:
        raise InputError(f"fit is {fit!r}; use pad, which keeps the whole picture, or crop, as the original")
    return str(fit)


def cropped(size: Size, width: int, height: int) -> Placement:
    """Where images.crop_to puts a picture of this size."""
    scale = max(height / size[1], width / size[0])
    scaled = round(size[0] * scale), round(size[1] * scale)
    return Placement(
        (scaled[0] / size[0], scaled[1] / size[1]),
        (-float((scaled[0] - width) // 2), -float((scaled[1] - height) // 2)),
    )


def padded(size: Size, width: int, height: int, seen: Size) -> Placement:
    """Where a picture goes in a canvas of width x height, so that a later cut to `seen` loses none of it."""
    left, top, right, bottom = _rectangle(size, width, height, seen)
    return Placement(((right - left) / size[0], (bottom - top) / size[1]), (float(left), float(top)))


def placed(size: Size, canvas: Size, seen: Size, fit: str) -> Placement:
    """Where an artwork lies in a keyframe (canvas), by either fit; seen: the size of the video frames."""
    return cropped(size, *canvas) if fit == "crop" else padded(size, *canvas, seen)


def fitted(picture: np.ndarray, width: int, height: int, seen: Size, fit: str) -> np.ndarray:
    """The picture as keyframes are drawn from it, uint8 (height, width, 3); seen: the size of the video frames."""
    if fit == "crop":
        return crop_to(picture, width, height)
    left, top, right, bottom = _rectangle((picture.shape[1], picture.shape[0]), width, height, seen)
    canvas = np.full((height, width, 3), 255, np.uint8)
    canvas[top:bottom, left:right] = cv2.resize(
        np.ascontiguousarray(picture), (right - left, bottom - top), interpolation=cv2.INTER_AREA
    )
    return canvas


def _rectangle(size: Size, width: int, height: int, seen: Size) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of a padded picture."""
    later = cropped((width, height), *seen)
    room = min(width, seen[0] / later.scale[0]), min(height, seen[1] / later.scale[1])
    scale = min(room[0] / size[0], room[1] / size[1])
    inner = [max(1, min(round(s * scale), int(r))) for s, r in zip(size, room, strict=True)]
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    return left, top, left + inner[0], top + inner[1]
