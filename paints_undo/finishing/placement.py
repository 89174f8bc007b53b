"""Where the artwork lies in the pictures that the networks draw: how it is laid there, and how it is taken out again.

The networks know a few fixed sizes.  The original fills each of them and cuts off what sticks out (fit "crop"); fit
"pad" shrinks the artwork until all of it is inside.  What lies beside it is for the networks alone: whoever looks at a
keyframe or a frame sees the artwork's rectangle and no margin.
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
        (a, b), (c, d) = self.scale, later.scale
        (x, y), (right, down) = self.offset, later.offset
        return Placement((a * c, b * d), (x * c + right, y * d + down))

    def of_resized(self, before: Size, after: Size) -> Placement:
        """The same place for the artwork in another size."""
        (x, y), (width, height), (new_width, new_height) = self.scale, before, after
        return Placement((x * width / new_width, y * height / new_height), self.offset)


@dataclass(frozen=True)
class Layout:
    """How an artwork of one size lies on a canvas of another, where all of it is inside (fit "pad")."""

    artwork: Size
    canvas: Size

    @classmethod
    def of(cls, artwork: np.ndarray, width: int, height: int) -> Layout:
        """The layout of an artwork uint8 (H, W, 3) on a canvas."""
        return cls((artwork.shape[1], artwork.shape[0]), (width, height))

    @property
    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of the canvas in which the artwork lies.

        There is an even number of both, because H.264 has one colour sample for two pixels: the odd one is cut off the
        artwork when it is laid, half a pixel at either side, and nothing is stretched for it.
        """
        scale = min(room / side for room, side in zip(self.canvas, self.artwork, strict=True))
        width, height = (max(2, round(side * scale) // 2 * 2) for side in self.artwork)
        left, top = (self.canvas[0] - width) // 2, (self.canvas[1] - height) // 2
        return slice(top, top + height), slice(left, left + width)

    @property
    def placement(self) -> Placement:
        """Where a point of the artwork is on the canvas."""
        rows, columns = self.inside
        whole = cropped(self.artwork, columns.stop - columns.start, rows.stop - rows.start)
        return whole.then(Placement((1.0, 1.0), (float(columns.start), float(rows.start))))

    def laid(self, picture: np.ndarray) -> np.ndarray:
        """A picture uint8 (H, W, 3) on the canvas, uint8 (height, width, 3), where the artwork lies.

        Its outermost pixels go on to the canvas's edges: beside white, small networks draw the edge as a line.
        """
        rows, columns = self.inside
        inner = crop_to(picture, columns.stop - columns.start, rows.stop - rows.start)
        around = rows.start, self.canvas[1] - rows.stop, columns.start, self.canvas[0] - columns.stop
        return cv2.copyMakeBorder(inner, *around, cv2.BORDER_REPLICATE)


def check_fit(fit: object) -> str:
    """`fit`, if there is such a one; InputError otherwise."""
    if fit not in FITS:
        raise InputError("fit is {fit!r}; use pad, which keeps the whole picture, or crop, as the original", fit)
    return str(fit)


def cropped(size: Size, width: int, height: int) -> Placement:
    """Where images.crop_to puts a picture of this size."""
    scale = max(height / size[1], width / size[0])
    scaled = round(size[0] * scale), round(size[1] * scale)
    return Placement(
        (scaled[0] / size[0], scaled[1] / size[1]),
        (-float((scaled[0] - width) // 2), -float((scaled[1] - height) // 2)),
    )


def placed(size: Size, canvas: Size, fit: str) -> Placement:
    """Where an artwork lies in a keyframe, by either fit."""
    return cropped(size, *canvas) if fit == "crop" else Layout(size, canvas).placement


def fitted(picture: np.ndarray, width: int, height: int, fit: str) -> np.ndarray:
    """The artwork as keyframes are drawn from it, uint8 (height, width, 3)."""
    return crop_to(picture, width, height) if fit == "crop" else Layout.of(picture, width, height).laid(picture)


def as_keyframe(picture: np.ndarray, artwork: Size, width: int, height: int, fit: str) -> np.ndarray:
    """A keyframe, or a picture of a person's own in place of one, uint8 (height, width, 3).

    What has another size than keyframes is cut to the shape in which the artwork lies in them.
    """
    if fit == "crop" or picture.shape[:2] == (height, width):
        return crop_to(picture, width, height)
    return Layout(artwork, (width, height)).laid(picture)


def without_margins(pictures: np.ndarray, artwork: Size, fit: str) -> np.ndarray:
    """Keyframes, frames or a preview, uint8 (..., h, w, 3), without what lies beside the artwork."""
    if fit == "crop":
        return pictures
    rows, columns = Layout(artwork, (pictures.shape[-2], pictures.shape[-3])).inside
    return np.ascontiguousarray(pictures[..., rows, columns, :])


def for_video(keyframe: np.ndarray, artwork: Size, video: Size, fit: str) -> np.ndarray:
    """A keyframe as segments are drawn from it: by fit "pad" laid out anew, since the second cut loses nothing either.

    By fit "crop" it is as it was: the second stage cuts it itself, as the original.
    """
    return keyframe if fit == "crop" else Layout(artwork, video).laid(without_margins(keyframe, artwork, fit))
