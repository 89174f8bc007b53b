"""Pages of a PDF. Its letters are text in fonts that every reader brings along, so that none are embedded.

Latin letters are Helvetica's; Chinese, Japanese and Korean ones are those of the character collections of Adobe, for
which a reader takes what font it has.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from functools import cache

import numpy as np
from PIL import Image
from reportlab import rl_config
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfdoc, pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from paints_undo.exports.papers import FRAME
from paints_undo.exports.source import packed
from paints_undo.pictures.fit import Size

log = logging.getLogger(__name__)

QUALITY = 85  # of the pictures
LATIN = ("Helvetica", "cp1252")
# For each language the font, and an encoding of Python that has the letters of its collection.
FONTS = {
    "ja": ("HeiseiKakuGo-W5", "cp932"),
    "zh-CN": ("STSong-Light", "gbk"),
    "zh-TW": ("MSung-Light", "big5"),
    "ko": ("HYGothic-Medium", "cp949"),
}


class PdfPaper:
    """Pages of a size in pixels, of which there are dpi to an inch; x from the left and y from the top, in pixels."""

    def __init__(self, page: Size, dpi: int, title: str, language: str) -> None:
        self._scale, self._height, self._language = 72 / dpi, page[1], language
        self._written = io.BytesIO()
        size = page[0] * self._scale, page[1] * self._scale
        self._canvas = Canvas(self._written, size, pageCompression=1, pdfVersion=(1, 5), lang=language)
        self._canvas.setTitle(title)
        self._canvas.setViewerPreference("DisplayDocTitle", "true")

    def length(self, text: str, size: int) -> float:
        """How long the text is in letters of this size."""
        return sum(pdfmetrics.stringWidth(part, font, size) for font, part in parts_of(text, self._language))

    def write(self, x: float, y: float, text: str, size: int, colour: str) -> None:
        """A line of text that begins at x and stands on y."""
        line = self._canvas.beginText(x * self._scale, (self._height - y) * self._scale)
        line.setFillColor(colour)
        for font, part in parts_of(text, self._language):
            line.setFont(font, size * self._scale)
            line.textOut(part)
        self._canvas.drawText(line)

    def disc(self, x: int, y: int, diameter: int, colour: str) -> None:
        """A disc in the square that begins at x, y."""
        radius = diameter / 2
        self._canvas.setFillColor(colour)
        middle = (x + radius) * self._scale, (self._height - y - radius) * self._scale
        self._canvas.circle(*middle, radius * self._scale, stroke=0, fill=1)

    def picture(self, x: int, y: int, pixels: np.ndarray, size: Size) -> None:
        """A picture uint8 (h, w, 3) in this size, with all its pixels and a frame."""
        box = (x * self._scale, (self._height - y - size[1]) * self._scale, *(side * self._scale for side in size))
        jpeg = packed(Image.fromarray(pixels), "JPEG", quality=QUALITY, optimize=True)
        self._canvas.drawImage(ImageReader(io.BytesIO(jpeg)), *box)
        self._canvas.setStrokeColor(FRAME)
        self._canvas.setLineWidth(self._scale)
        self._canvas.rect(*box)

    def next_page(self) -> None:
        """Begin another page."""
        self._canvas.showPage()

    def finished(self, program: str, subject: str, packet: bytes) -> bytes:
        """The file; packet: of XMP."""
        self._canvas.setAuthor(program)
        self._canvas.setCreator(program)
        self._canvas.setSubject(subject)
        metadata = pdfdoc.PDFStream(content=packet, filters=[])  # uncompressed: found by what knows no PDF, too
        metadata.dictionary.dict |= {"Type": pdfdoc.PDFName("Metadata"), "Subtype": pdfdoc.PDFName("XML")}
        self._canvas._doc.Catalog.Metadata = metadata
        as_text, rl_config.useA85 = rl_config.useA85, 0  # or all that is binary would be a quarter larger
        try:
            self._canvas.save()
        finally:
            rl_config.useA85 = as_text
        return self._written.getvalue()


def parts_of(text: str, language: str) -> Iterator[tuple[str, str]]:
    """Yield pairs (font, part of the text that it has all letters of); what no font has becomes "?"."""
    latin = [_encodes(LATIN[1], letter) for letter in text]
    marked = "".join("l" if is_latin else "o" for is_latin in latin)
    for run in re.finditer("l+|o+", marked):
        part = text[run.start() : run.end()]
        if run[0][0] == "l":
            yield LATIN[0], part
            continue
        fonts = sorted(FONTS.items(), key=lambda font: font[0] != language)
        fitting = (face for _, (face, encoding) in fonts if _encodes(encoding, part))
        face = next(fitting, None)
        if face is None:
            log.warning("no font of a PDF has all letters of %r", part)
            face, encoding = fonts[0][1]
            part = "".join(letter if _encodes(encoding, letter) else "?" for letter in part)
        yield _registered(face), part


@cache
def _registered(face: str) -> str:
    font = UnicodeCIDFont(face)
    if face == FONTS["zh-TW"][0]:
        font.encodingName = "UniCNS-UCS2-H"  # reportlab names one of another collection, and nothing would be seen
    pdfmetrics.registerFont(font)
    return face


def _encodes(encoding: str, text: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
