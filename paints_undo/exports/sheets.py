"""Sheets of paper: a contact sheet of the whole process, and numbered steps to learn from, with what is new in each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from paints_undo.atomic import explained
from paints_undo.exports.lessons import lesson
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import Pacing, schedule
from paints_undo.exports.phases import Phase, what_is_new
from paints_undo.exports.source import Source, packed
from paints_undo.pictures.lettering import fitting_font

PAGE = (1240, 1754)  # pixels: A4 upright at 150 dots per inch
DPI = 150
MARGIN = 80
STEPS_ON_PAGE = 3
INK, PALE, ACCENT = "#222222", "#777777", "#d1641b"
MOMENTS, COLUMNS, THUMBNAIL = 20, 5, 380  # of the contact sheet; pixels of a thumbnail's longer side
OLD = 0.18  # how much is left of what is not new
_EVEN = Pacing(fps=1, hold_start=0, hold_end=0, curve="strokes", seconds=MOMENTS)


def write_contact_sheet(source: Source, path: Path, options: ExportOptions) -> None:
    """PNG: twenty moments of the process, with as much happening between any two."""
    size = source.sized(THUMBNAIL)
    shown = [number for number, _ in schedule(source.change, _EVEN, 1)]
    pictures = list(source.finished_frames(size).chosen([*shown[-MOMENTS:-1], len(source.frames)]))
    rows, gap = -(-len(pictures) // COLUMNS), 28
    width = MARGIN * 2 + COLUMNS * size[0] + (COLUMNS - 1) * gap
    height = MARGIN * 3 + rows * (size[1] + gap + 24)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    _write(draw, (MARGIN, 40), options.title or source.name, 36, INK, width - 2 * MARGIN)
    for number, picture in enumerate(pictures):
        x = MARGIN + number % COLUMNS * (size[0] + gap)
        y = MARGIN + 30 + number // COLUMNS * (size[1] + gap + 24)
        _framed(sheet, picture, x, y)
        _write(draw, (x, y + size[1] + 6), str(number + 1), 20, PALE, size[0])
    _write(draw, (MARGIN, height - 50), source.described("sheet").statement, 18, PALE, width - 2 * MARGIN)
    source.write(path, packed(sheet, "PNG", dpi=(DPI, DPI)), "sheet")


def write_step_sheet_pdf(source: Source, path: Path, options: ExportOptions) -> None:
    """PDF, A4: numbered steps, three on a page."""
    record, pages = source.described("sheet"), list(_pages(source, options))
    with explained("write", path):
        pages[0].save(
            path,
            "PDF",
            save_all=True,
            append_images=pages[1:],
            resolution=DPI,
            quality=90,
            title=options.title or source.name,
            author=record.program,
            creator=record.program,
            subject=record.statement,
            keywords=record.to_json(),
        )


def write_step_sheet_png(source: Source, path: Path, options: ExportOptions) -> None:
    """PNG: the pages of the step sheet below each other."""
    pages = list(_pages(source, options))
    sheet = Image.new("RGB", (PAGE[0], PAGE[1] * len(pages)), "white")
    for number, page in enumerate(pages):
        sheet.paste(page, (0, number * PAGE[1]))
    source.write(path, packed(sheet, "PNG", dpi=(DPI, DPI)), "sheet")


def _pages(source: Source, options: ExportOptions) -> Iterator[Image.Image]:
    steps = lesson(source, source.sized(700))
    told, pictures = [phase for phase, _ in steps], [picture for _, picture in steps]
    count = -(-len(pictures) // STEPS_ON_PAGE)
    for page in range(count):
        sheet = Image.new("RGB", PAGE, "white")
        draw = ImageDraw.Draw(sheet)
        _write(draw, (MARGIN, 60), options.title or source.name, 40, INK, PAGE[0] - 2 * MARGIN - 120)
        draw.text((PAGE[0] - MARGIN, 76), f"{page + 1} / {count}", PALE, fitting_font("1", 24)[0], "rt")
        for place in range(STEPS_ON_PAGE):
            number = page * STEPS_ON_PAGE + place
            if number < len(pictures):
                before = pictures[number - 1] if number else np.full_like(pictures[0], 255)
                _step(sheet, 150 + place * 510, number + 1, told[number], before, pictures[number])
        statement = source.described("sheet").statement
        _write(draw, (MARGIN, PAGE[1] - 60), statement, 17, PALE, PAGE[0] - 2 * MARGIN)
        yield sheet


def _step(sheet: Image.Image, top: int, number: int, phase: Phase, before: np.ndarray, after: np.ndarray) -> None:
    """One step: its number and words on the left, then the picture, then what is new in it."""
    draw = ImageDraw.Draw(sheet)
    draw.ellipse((MARGIN, top, MARGIN + 64, top + 64), fill=ACCENT)
    draw.text((MARGIN + 32, top + 32), str(number), "white", fitting_font(str(number), 36)[0], "mm")
    bottom = _paragraph(draw, (MARGIN, top + 88), phase.name[:1].upper() + phase.name[1:], 27, INK, 220)
    bottom = _paragraph(draw, (MARGIN, bottom + 8), phase.words, 19, PALE, 215)
    _paragraph(draw, (MARGIN, bottom + 14), "Right: what is new.", 19, ACCENT, 215)
    room = (PAGE[0] - 2 * MARGIN - 240 - 30) // 2
    new = what_is_new(before, after)[..., None]
    faded = (255 - (255 - after.astype(np.float32)) * OLD).astype(np.uint8)
    for place, picture in enumerate((after, np.where(new, after, faded))):
        small = shown_small(picture, room, 470)
        _framed(sheet, small, MARGIN + 240 + place * (room + 30) + (room - small.shape[1]) // 2, top)


def shown_small(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture uint8 (H, W, 3) as large as it fits into width x height."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, size, interpolation=how)


def _framed(sheet: Image.Image, picture: np.ndarray, x: int, y: int) -> None:
    sheet.paste(Image.fromarray(picture), (x, y))
    box = (x - 1, y - 1, x + picture.shape[1], y + picture.shape[0])
    ImageDraw.Draw(sheet).rectangle(box, outline="#cccccc")


def _write(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, colour: str, width: int) -> None:
    """One line, in smaller letters where it would be wider than this."""
    font, text = fitting_font(text, size)
    while size > 8 and draw.textlength(text, font) > width:
        size -= 1
        font, text = fitting_font(text, size)
    draw.text(place, text, colour, font)


def _paragraph(draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, colour: str, width: int) -> int:
    """Several lines of at most this width; y below the last of them."""
    font, text = fitting_font(text, size)
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    for number, line in enumerate(lines):
        draw.text((place[0], place[1] + number * round(size * 1.35)), line, colour, font)
    return place[1] + len(lines) * round(size * 1.35)
