"""A small drawing kit for the example pictures: smooth curves, ink lines, flat colours and soft shades.

Everything is drawn three times larger than the result and scaled down.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Points = Sequence[tuple[float, ...]]

WIDTH, HEIGHT = 512, 640  # pixels; the keyframe size of the published family, so nothing is cropped
_LARGER = 3
INK: Colour = (74, 52, 62)
WHITE: Colour = (255, 255, 255)


def curve(points: Points, closed: bool = True, samples: int = 14) -> np.ndarray:
    """Return a smooth path (n, 2) through `points` (Catmull-Rom); a point given twice running is a sharp corner."""
    given = [tuple(map(float, point)) for point in points]
    corners = [place for place in range(len(given)) if given[place] == given[place - 1] and (closed or place)]
    if not corners:
        return _smooth(given, closed, samples)
    if closed:  # start at a corner: then every piece between corners is an open curve
        given = given[corners[0] :] + given[: corners[0]]
        corners = [place for place in range(1, len(given)) if given[place] == given[place - 1]]
    cuts = [0, *corners, len(given)]
    pieces = [_smooth(given[start:end], False, samples) for start, end in zip(cuts, cuts[1:], strict=False)]
    return np.concatenate(pieces)


def _smooth(points: Points, closed: bool, samples: int) -> np.ndarray:
    given = np.asarray(points, dtype=np.float64)
    around = (
        np.concatenate([given[-1:], given, given[:2]]) if closed else np.concatenate([given[:1], given, given[-1:]])
    )
    p0, p1, p2, p3 = around[:-3, None], around[1:-2, None], around[2:-1, None], around[3:, None]
    t = np.linspace(0.0, 1.0, samples, endpoint=False)[None, :, None]
    path = p1 + 0.5 * t * (p2 - p0 + t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0)))
    path = path.reshape(-1, 2)
    return path if closed else np.concatenate([path, given[-1:]])


def oval(x: float, y: float, rx: float, ry: float, turn: float = 0.0, start: float = 0, end: float = 360) -> np.ndarray:
    """Return the path (n, 2) of an ellipse or of its arc; angles in degrees, clockwise from the right."""
    angle, tilt = np.radians(np.linspace(start, end, 72)), np.radians(turn)
    px, py = rx * np.cos(angle), ry * np.sin(angle)
    return np.stack([x + px * np.cos(tilt) - py * np.sin(tilt), y + px * np.sin(tilt) + py * np.cos(tilt)], axis=1)


def mirrored(path: Points | np.ndarray, axis: float = WIDTH / 2) -> np.ndarray:
    """Return the path seen in an upright mirror at x = `axis`."""
    return np.asarray(path, dtype=np.float64) * (-1, 1) + (2 * axis, 0)


def both_halves(right: Points, axis: float = WIDTH / 2) -> list[tuple[float, ...]]:
    """Return the points of a shape symmetric about x = `axis`, given its right half from top to bottom."""
    left = [(2 * axis - x, y) for x, y in reversed(right) if abs(x - axis) > 0.5]
    return [*right, *left]


class Sheet:
    """A picture being drawn, in result pixels (x right, y down) whatever the scale it is held at."""

    def __init__(self, top: Colour, bottom: Colour) -> None:
        ramp = np.linspace(0.0, 1.0, HEIGHT * _LARGER)[:, None, None]
        rows = np.asarray(top) * (1 - ramp) + np.asarray(bottom) * ramp
        self.image = Image.fromarray(np.broadcast_to(rows, (HEIGHT * _LARGER, WIDTH * _LARGER, 3)).astype(np.uint8))

    def _mask(self, path: np.ndarray, blur: float = 0.0) -> Image.Image:
        mask = Image.new("L", self.image.size, 0)
        ImageDraw.Draw(mask).polygon([tuple(point) for point in path * _LARGER], fill=255)
        return mask.filter(ImageFilter.GaussianBlur(blur * _LARGER)) if blur else mask

    def shape(
        self,
        path: np.ndarray,
        colour: Colour,
        shades: Iterable[tuple[np.ndarray, Colour, float]] = (),
        line: float = 3.0,
        ink: Colour = INK,
    ) -> None:
        """Fill a closed path; `shades` are (path, colour, blur in pixels) cut to it; `line` 0 leaves the ink out."""
        inside = self._mask(path)
        self.image.paste(colour, mask=inside)
        for shade, shade_colour, blur in shades:
            cut = np.minimum(np.asarray(inside), np.asarray(self._mask(shade, blur)))
            self.image.paste(shade_colour, mask=Image.fromarray(cut))
        if line:
            self.stroke(np.concatenate([path, path[:1]]), line, ink, taper=False)

    def stroke(self, path: np.ndarray, width: float, ink: Colour = INK, taper: bool = True) -> None:
        """Draw an ink line along an open path, thin at both ends if `taper`."""
        steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
        along = np.concatenate([[0.0], np.cumsum(steps)])
        places = np.linspace(0.0, along[-1], max(int(along[-1] * 2.5), 2))
        xs, ys = (np.interp(places, along, path[:, axis]) * _LARGER for axis in (0, 1))
        press = np.sin(np.linspace(0.12, np.pi - 0.12, len(places))) ** 0.6 if taper else np.ones(len(places))
        pen = ImageDraw.Draw(self.image)
        for x, y, radius in zip(xs, ys, press * width * _LARGER / 2, strict=True):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)

    def finished(self) -> Image.Image:
        """Return the picture at its own size, with few enough colours to stay a small file."""
        small = self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        return small.quantize(224, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
