"""Small frames at the artwork's size, one at a time, guided by the artwork; the last one is the artwork itself.

A large frame is the clean enlargement of the small one, plus as much of the artwork's own detail as the small frame
shows, and the artwork itself wherever a pixel is done (see :mod:`paints_undo.exports.settling`).  It is made in
tiles, of which only those are made again in which the small frame changed: that bounds the memory, saves most of the
time, and keeps everything else exactly as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import cv2
import numpy as np

from paints_undo.exports.settling import settle
from paints_undo.pictures.fit import Placement

TILE = 256  # pixels of a side
TRANSITION = 3.0  # frames in which a pixel goes over to the artwork
SHARPNESS = 2.2  # of edges in a clean enlargement; 1 leaves them as soft as they are
SOFT = 1.5  # enlargement up to which nothing has to be sharpened
EDGE = 30.0  # grey levels from which on an edge is sharpened in full


class ArtworkSizedFrames:
    """The frames of a timelapse at the artwork's size; a sequence that is computed while it is gone through."""

    def __init__(
        self,
        frames: np.ndarray,
        finished: np.ndarray,
        artwork: np.ndarray,
        placement: Placement,
        transition: float = TRANSITION,
    ) -> None:
        """frames: uint8 (n, h, w, 3), first stroke first.  finished: the artwork as the networks saw it.
        artwork: uint8 (H, W, 3) in the size that is wanted.  placement: of that artwork in a frame.  transition:
        frames in which a pixel goes over to the artwork."""
        self._transition = transition
        self.artwork = np.ascontiguousarray(artwork)
        self._placement = placement
        settling = settle(frames, finished)
        self._frames, self._detail, self._done = settling.frames, settling.detail, np.moveaxis(settling.done, 0, -1)
        self._finished = finished
        self._enlargement = 1 / min(placement.scale)
        self._reach = max(2, int(np.ceil(2 * self._enlargement)))
        height, width = artwork.shape[:2]
        self._tiles = [
            _Tile(top, left, min(top + TILE, height), min(left + TILE, width))
            for top in range(0, height, TILE)
            for left in range(0, width, TILE)
        ]
        for tile in self._tiles:
            self._look_at(tile)

    def __len__(self) -> int:
        """How many frames there are; the artwork, which ends them, is not counted."""
        return len(self._frames)

    def chosen(self, numbers: Iterable[int]) -> Iterator[np.ndarray]:
        """Yield the frames of these numbers, ascending, uint8 (H, W, 3); number len(self) is the artwork itself.

        A number that comes twice gives the same array again.
        """
        shown = np.full_like(self.artwork, 255)
        before: int | None = None
        for number in numbers:
            if number >= len(self):
                yield self.artwork
                continue
            if number != before:
                shown = shown.copy()  # the frame handed out before stays as it was
                for tile in self._tiles:
                    if before is None or self._changed(tile, before, number):
                        self._paint(shown, tile, number)
                before = number
            yield shown

    def reached(self, number: int) -> np.ndarray:
        """How far each pixel of a frame has gone over to the artwork, float32 (H, W), 0..1."""
        if number >= len(self):
            return np.ones(self.artwork.shape[:2], np.float32)
        weights = np.empty(self.artwork.shape[:2], np.float32)
        for tile in self._tiles:
            weights[tile.inside] = self._weight(tile, number)
        return weights

    def _weight(self, tile: _Tile, number: int) -> np.ndarray:
        weight = ((number - tile.done.astype(np.float32) + 0.5) / self._transition + 0.5).clip(0, 1)
        return weight * weight * (3 - 2 * weight)

    def _changed(self, tile: _Tile, before: int, number: int) -> bool:
        if before - self._transition > tile.last:
            return False  # the artwork is there already
        if number + self._transition >= tile.first:
            return True
        rows, columns = tile.source
        return not np.array_equal(self._frames[before, rows, columns], self._frames[number, rows, columns])

    def _look_at(self, tile: _Tile) -> None:
        """What never changes: the artwork's detail, when each pixel is done, and its place in a small frame."""
        light = _light(self.artwork[tile.inside])
        detail = light - _light(self._enlarged(self._finished, tile))
        tile.detail = (detail * 2.55).round().clip(-127, 127).astype(np.int8)  # L* on the scale of grey levels
        line = self._enlarged(self._done, tile, cv2.INTER_LINEAR)
        done = (line[..., 0] * light + line[..., 1]).clip(0, len(self) - 1)
        tile.done, tile.first, tile.last = done.astype(np.float16), float(done.min()), float(done.max())
        (sx, sy), (ox, oy) = self._placement.scale, self._placement.offset
        height, width = self._finished.shape[:2]
        tile.source = (
            _span(tile.top * sy + oy, tile.bottom * sy + oy, height),
            _span(tile.left * sx + ox, tile.right * sx + ox, width),
        )

    def _paint(self, canvas: np.ndarray, tile: _Tile, number: int) -> None:
        artwork = self.artwork[tile.inside]
        if number - self._transition > tile.last:
            canvas[tile.inside] = artwork
            return
        share = self._enlarged(self._detail[number], tile, cv2.INTER_LINEAR, border=0)
        mixed = self._clean(tile, self._frames[number])
        mixed += (tile.detail * (share * np.float32(1 / 255)))[..., None]
        if number + self._transition >= tile.first:
            mixed += (artwork - mixed) * self._weight(tile, number)[..., None]
        canvas[tile.inside] = mixed.round().clip(0, 255)

    def _clean(self, tile: _Tile, frame: np.ndarray) -> np.ndarray:
        """A tile of the enlarged frame with edges as sharp as a pen's: float32 (h, w, 3), 0..255."""
        factor, reach = self._enlargement, self._reach
        enlarged = self._enlarged(frame, tile, cv2.INTER_CUBIC, reach, border=255).astype(np.float32)
        inside = slice(reach, -reach), slice(reach, -reach)
        if factor <= SOFT or enlarged.min() == enlarged.max():
            return enlarged[inside]
        smooth = cv2.GaussianBlur(enlarged, (_odd(4 * factor / 3),) * 2, factor / 3)
        brush = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (_odd(factor),) * 2)
        soften = (_odd(factor / 2),) * 2
        lowest, highest = (cv2.blur(extreme(smooth, brush), soften)[inside] for extreme in (cv2.erode, cv2.dilate))
        smooth, span = smooth[inside], highest - lowest
        # towards the nearer of both extremes: contrast enhancement by toggling, softened (Serra and Vincent 1992)
        steep = (((smooth - lowest) / (span + 4) - 0.5) * SHARPNESS + 0.5).clip(0, 1)
        sharp = lowest + span * steep * steep * (3 - 2 * steep)
        return smooth + (sharp - smooth) * (span / EDGE).clip(0, 1)

    def _enlarged(
        self, small: np.ndarray, tile: _Tile, how: int = cv2.INTER_CUBIC, margin: int = 0, border: int | None = None
    ) -> np.ndarray:
        """A tile and its margin of a small picture; around that lies `border`, or its outermost pixels go on."""
        (sx, sy), (ox, oy) = self._placement.scale, self._placement.offset
        left, top = tile.left - margin, tile.top - margin
        matrix = np.array([[sx, 0, (left + 0.5) * sx + ox - 0.5], [0, sy, (top + 0.5) * sy + oy - 0.5]])
        size = tile.right - tile.left + 2 * margin, tile.bottom - tile.top + 2 * margin
        mode = cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT
        return cv2.warpAffine(small, matrix, size, None, how | cv2.WARP_INVERSE_MAP, mode, (border or 0,) * 3)


class _Tile:
    """A part of the artwork, in pixels, and what was found out about it."""

    detail: np.ndarray  # int8 (h, w): the artwork's lightness without that of the enlarged small picture
    done: np.ndarray  # float16 (h, w): the frame at which a pixel is done
    first: float  # ... the first of its pixels
    last: float
    source: tuple[slice, slice]  # rows and columns of a small frame that it depends on

    def __init__(self, top: int, left: int, bottom: int, right: int) -> None:
        self.top, self.left, self.bottom, self.right = top, left, bottom, right
        self.inside = slice(top, bottom), slice(left, right)


def _light(picture: np.ndarray) -> np.ndarray:
    """L* of a picture uint8 (h, w, 3), float32 0..100."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2Lab)[..., 0].astype(np.float32) * (100 / 255)


def _span(low: float, high: float, limit: int, margin: int = 4) -> slice:
    """The pixels from low to high with a margin, at least one of them inside."""
    return slice(min(max(int(low) - margin, 0), limit - 1), max(min(int(high) + margin, limit), 1))


def _odd(size: float) -> int:
    return max(3, int(size) | 1)
