"""What sheets are laid out on, in pixels from the left and from the top; and lines and paragraphs on it."""

from __future__ import annotations

import re
from typing import Protocol

import cv2
import numpy as np
from PIL import Image, ImageDraw

from paints_undo.pictures.fit import Size
from paints_undo.pictures.lettering import fitting_font

DPI = 150
MARGIN = 80
INK, PALE, ACCENT, FRAME = "#222222", "#777777", "#d1641b", "#cccccc"
# What the end of a line does not part: a number of things, a word, a Japanese word with its ending, else one letter.
_UNPARTED = re.compile(
    r"(?:\d+ (?:%|[笔筆]|[ァ-ヺー]+)|[^\s\u2e80-\uffef]+|[ァ-ヺー]+|[一-鿿々]{1,4}[ぁ-ゟ]+|[\u2e80-\uffef])"
    "[、。，；：／・！？]*"
)


class Paper(Protocol):
    """Pages of one size; letters stand on y."""

    def length(self, text: str, size: int) -> float: ...

    def write(self, x: float, y: float, text: str, size: int, colour: str) -> None: ...

    def disc(self, x: int, y: int, diameter: int, colour: str) -> None: ...

    def picture(self, x: int, y: int, pixels: np.ndarray, size: Size) -> None: ...

    def next_page(self) -> None: ...


class PicturePaper:
    """Pages that are pictures: `pages`, each of them uint8 (h, w, 3)."""

    def __init__(self, size: Size) -> None:
        self._size, self._sheets = size, list[Image.Image]()
        self.next_page()

    @property
    def pages(self) -> list[np.ndarray]:
        return [np.asarray(sheet) for sheet in self._sheets]

    def length(self, text: str, size: int) -> float:
        """How long the text is in letters of this size."""
        font, text = fitting_font(text, size)
        return self._draw.textlength(text, font)

    def write(self, x: float, y: float, text: str, size: int, colour: str) -> None:
        """A line of text that begins at x and stands on y."""
        font, text = fitting_font(text, size)
        self._draw.text((x, y), text, colour, font, "ls")

    def disc(self, x: int, y: int, diameter: int, colour: str) -> None:
        """A disc in the square that begins at x, y."""
        self._draw.ellipse((x, y, x + diameter, y + diameter), fill=colour)

    def picture(self, x: int, y: int, pixels: np.ndarray, size: Size) -> None:
        """A picture uint8 (h, w, 3) in this size, with a frame around it."""
        how = cv2.INTER_AREA if size[0] < pixels.shape[1] else cv2.INTER_CUBIC
        self._sheets[-1].paste(Image.fromarray(cv2.resize(pixels, size, interpolation=how)), (x, y))
        self._draw.rectangle((x - 1, y - 1, x + size[0], y + size[1]), outline=FRAME)

    def next_page(self) -> None:
        """Begin another page."""
        self._sheets.append(Image.new("RGB", self._size, "white"))
        self._draw = ImageDraw.Draw(self._sheets[-1])


def size_within(picture: np.ndarray, width: int, height: int) -> Size:
    """The size of a picture uint8 (H, W, 3) that is as large as it fits into width x height."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    return max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))


def write_line(paper: Paper, place: tuple[int, int], text: str, size: int, colour: str, width: int) -> None:
    """One line, in smaller letters where it would be wider than this."""
    while size > 8 and paper.length(text, size) > width:
        size -= 1
    paper.write(*place, text, size, colour)


def write_paragraph(paper: Paper, place: tuple[int, int], text: str, size: int, colour: str, width: int) -> int:
    """Several lines of at most this width; y below the last of them."""
    lines, end = [""], 0
    for part in _UNPARTED.finditer(text):
        longer = lines[-1] + text[end : part.end()]
        if paper.length(longer, size) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(part[0])
        end = part.end()
    for number, line in enumerate(lines):
        paper.write(place[0], place[1] + round(size * (1.35 * number + 0.93)), line, size, colour)
    return place[1] + len(lines) * round(size * 1.35)
