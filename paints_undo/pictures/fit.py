"""How an artwork lies in the sizes that the networks know, and how it is taken out of them again.

The original fills each size and cuts off what sticks out (fit "crop"); fit "pad" shrinks the artwork until all of it is
inside.  What lies beside it is for the networks alone: whoever looks at a keyframe or a frame sees the artwork's
rectangle and no margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from paints_undo.errors import InputError
from paints_undo.options import OWN_SIZE, UndoOptions

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
class Fit:
    """How an artwork of one size lies in keyframes and frames: all of it is inside (fit "pad")."""

    artwork: Size
    canvas: Size  # of a keyframe

    @staticmethod
    def of(options: UndoOptions, shape: tuple[int, ...]) -> Fit:
        """How an artwork (H, W, 3) of this shape lies in the pictures of a run."""
        size = shape[1], shape[0]
        canvas = size if options.in_strokes else (options.keyframes.width, options.keyframes.height)
        return KINDS[options.fit](size, canvas)

    @property
    def shown(self) -> Size:
        """The size of a keyframe as people see it, without margins."""
        return self.inner(self.canvas)[2:]

    def inner(self, canvas: Size) -> tuple[int, int, int, int]:
        """Left, top, width and height of the rectangle of a canvas in which the artwork lies.

        Its sides are even, because H.264 has one colour sample for two pixels: the odd one is cut off the artwork when
        it is laid, half a pixel at either side, and nothing is stretched for it.
        """
        scale = min(room / side for room, side in zip(canvas, self.artwork, strict=True))
        width, height = (max(2, round(side * scale) // 2 * 2) for side in self.artwork)
        return (canvas[0] - width) // 2, (canvas[1] - height) // 2, width, height

    def placement(self, canvas: Size) -> Placement:
        """Where a point of the artwork is on a canvas: a keyframe's, or a frame's."""
        left, top, width, height = self.inner(canvas)
        return _cut(self.artwork, (width, height)).then(Placement((1.0, 1.0), (float(left), float(top))))

    def lay(self, picture: np.ndarray, canvas: Size) -> np.ndarray:
        """A picture uint8 (H, W, 3) on a canvas, uint8 (height, width, 3), where the artwork lies.

        Its outermost pixels go on to the canvas's edges: beside white, small networks draw the edge as a line.
        """
        left, top, width, height = self.inner(canvas)
        around = top, canvas[1] - top - height, left, canvas[0] - left - width
        return cv2.copyMakeBorder(crop_to(picture, width, height), *around, cv2.BORDER_REPLICATE)

    def uncover(self, pictures: np.ndarray) -> np.ndarray:
        """Keyframes, frames or a preview, uint8 (..., h, w, 3), without what lies beside the artwork."""
        left, top, width, height = self.inner((pictures.shape[-2], pictures.shape[-3]))
        return np.ascontiguousarray(pictures[..., top : top + height, left : left + width, :])

    def keyframe(self, picture: np.ndarray) -> np.ndarray:
        """The artwork, a keyframe or a person's own picture in place of one as a keyframe, uint8 (height, width, 3).

        What has another size than keyframes is cut to the shape in which the artwork lies in them.
        """
        return picture if picture.shape[1::-1] == self.canvas else self.lay(picture, self.canvas)

    def to_draw_from(self, artwork: np.ndarray) -> np.ndarray:
        """What the first stage is given: it cuts what it gets, and so loses nothing."""
        return self.keyframe(artwork)

    def to_fill_from(self, keyframe: np.ndarray, video_sizes: Sequence[tuple[int, int]]) -> np.ndarray:
        """What the second stage is given: a keyframe laid anew, in the (height, width) most like the artwork."""
        height, width = nearest_bucket(self.artwork[1], self.artwork[0], video_sizes)
        return self.lay(self.uncover(keyframe), (width, height))


class Crop(Fit):
    """The original's way: each stage fills its size itself, the second with what the first has left (fit "crop")."""

    def inner(self, canvas: Size) -> tuple[int, int, int, int]:
        return 0, 0, *canvas

    def placement(self, canvas: Size) -> Placement:
        return _cut(self.artwork, self.canvas).then(_cut(self.canvas, canvas))

    def lay(self, picture: np.ndarray, canvas: Size) -> np.ndarray:
        return crop_to(crop_to(picture, *self.canvas), *canvas)

    def to_draw_from(self, artwork: np.ndarray) -> np.ndarray:
        return artwork

    def to_fill_from(self, keyframe: np.ndarray, video_sizes: Sequence[tuple[int, int]]) -> np.ndarray:
        return keyframe


class Own(Crop):
    """At the artwork's own size: keyframes are as large as the artwork, and a frame is a smaller one (fit "own")."""

    def uncover(self, pictures: np.ndarray) -> np.ndarray:
        return pictures


KINDS = {"pad": Fit, "crop": Crop, OWN_SIZE: Own}


def crop_to(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return uint8 (height, width, 3): the whole picture scaled to cover that size, then cut at the centre.

    Both enlarging and shrinking use cv2.INTER_AREA, and half of the surplus is rounded down, because the networks
    were run on such pictures.
    """
    scaled, (left, top) = _covering((picture.shape[1], picture.shape[0]), (width, height))
    large = cv2.resize(np.ascontiguousarray(picture), scaled, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(large[top : top + height, left : left + width])


def nearest_bucket(height: int, width: int, sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the (height, width) among ``sizes`` closest in shape to a picture; ties go to the later one.

    Closest is the smallest \\|height * bucket_width - width * bucket_height\\|.
    """
    if not sizes:
        raise InputError("sizes is empty: name at least one (height, width)")
    nearest = min(reversed(sizes), key=lambda size: abs(height * size[1] - width * size[0]))
    return nearest[0], nearest[1]  # a list, where they come from a file


def size_like(height: int, width: int, area: int, multiple: int) -> tuple[int, int]:
    """Return the (width, height) in a picture's shape with about `area` pixels, each side a multiple of `multiple`."""
    scale = (area / (height * width)) ** 0.5
    across, down = (max(1, round(side * scale / multiple)) * multiple for side in (width, height))
    return across, down


def _covering(size: Size, canvas: Size) -> tuple[Size, tuple[int, int]]:
    """The size in which a picture covers a canvas, and how much of it is cut off at the left and above."""
    scale = max(canvas[1] / size[1], canvas[0] / size[0])
    width, height = round(size[0] * scale), round(size[1] * scale)
    return (width, height), ((width - canvas[0]) // 2, (height - canvas[1]) // 2)


def _cut(size: Size, canvas: Size) -> Placement:
    """Where crop_to puts a picture of this size."""
    (width, height), (left, top) = _covering(size, canvas)
    return Placement((width / size[0], height / size[1]), (-float(left), -float(top)))
