"""A contact sheet of the whole process; and numbered steps to print and learn from, each beside what is new in it.

Steps stand three on a page, as PDF and as a picture. They say what they say in the language of the export; in a PDF it
is text that can be searched and read out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paints_undo.atomic import explained
from paints_undo.errors import Sentence
from paints_undo.exports.lessons import lesson
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import Pacing, schedule
from paints_undo.exports.papers import (
    ACCENT,
    DPI,
    INK,
    MARGIN,
    PALE,
    Paper,
    PicturePaper,
    size_within,
    write_line,
    write_paragraph,
)
from paints_undo.exports.phases import Phase, what_is_new
from paints_undo.exports.source import Source, packed
from paints_undo.pictures.lettering import fitting_font
from paints_undo.provenance.records import xmp_packet
from paints_undo.words.languages import sentence_in

PAGE = (1240, 1754)  # pixels: A4 upright at 150 dots per inch
STEPS_ON_PAGE = 3
DRAWN_SIDE = 700  # pixels of the longer side of a step's picture: 220 to an inch where it is as large as it can be
OLD = 0.18  # how much is left of what is not new

MOMENTS, COLUMNS, THUMBNAIL = 20, 5, 380  # of the contact sheet; pixels of a thumbnail's longer side

_EVEN = Pacing(fps=1, hold_start=0, hold_end=0, curve="strokes", seconds=MOMENTS)


def write_contact_sheet(source: Source, path: Path, options: ExportOptions) -> None:
    """PNG: twenty moments of the process, with as much happening between any two."""
    size = source.sized(THUMBNAIL)
    shown = [number for number, _ in schedule(source.change, _EVEN, 1)]
    pictures = list(source.finished_frames(size).chosen([*shown[-MOMENTS:-1], len(source.frames)]))
    rows, gap = -(-len(pictures) // COLUMNS), 28
    width = MARGIN * 2 + COLUMNS * size[0] + (COLUMNS - 1) * gap
    height = MARGIN * 3 + rows * (size[1] + gap + 24)
    paper, title = PicturePaper((width, height)), options.title or source.name
    write_line(paper, (MARGIN, 76), title, 36, INK, width - 2 * MARGIN)
    for number, picture in enumerate(pictures):
        x = MARGIN + number % COLUMNS * (size[0] + gap)
        y = MARGIN + 30 + number // COLUMNS * (size[1] + gap + 24)
        paper.picture(x, y, picture, size)
        write_line(paper, (x, y + size[1] + 25), str(number + 1), 20, PALE, size[0])
    write_line(paper, (MARGIN, height - 33), source.described("sheet").statement, 18, PALE, width - 2 * MARGIN)
    source.write(path, packed(paper.pages[0], "PNG", dpi=(DPI, DPI)), "sheet")


NEW = Sentence("Right: what is new.")


def write_step_sheet_pdf(source: Source, path: Path, options: ExportOptions) -> None:
    """PDF, A4, with title, language and what the file says about itself."""
    from paints_undo.exports.pdf import PdfPaper  # takes a while to load, and other formats need none of it

    record, title = source.described("sheet"), options.title or source.name
    paper = PdfPaper(PAGE, DPI, title, options.language)
    _lay_out(source, paper, title, options.language)
    packet = xmp_packet(record, title, options.language)
    with explained("write", path):
        path.write_bytes(
            paper.finished(record.program, sentence_in(options.language, Sentence(record.statement)), packet)
        )


def write_step_sheet_png(source: Source, path: Path, options: ExportOptions) -> None:
    """PNG: the pages below each other; in English where this computer has no letters of the language."""
    told = sentence_in(options.language, NEW)
    paper = PicturePaper(PAGE)
    _lay_out(
        source, paper, options.title or source.name, options.language if fitting_font(told, 19)[1] == told else "en"
    )
    source.write(path, packed(np.concatenate(paper.pages), "PNG", dpi=(DPI, DPI)), "sheet")


def _lay_out(source: Source, paper: Paper, title: str, language: str) -> None:
    steps = lesson(source, source.sized(DRAWN_SIDE))
    count = -(-len(steps) // STEPS_ON_PAGE)
    before = np.full_like(steps[0][1], 255)
    for number, (phase, picture) in enumerate(steps):
        page, place = divmod(number, STEPS_ON_PAGE)
        if place == 0:
            if page:
                paper.next_page()
            write_line(paper, (MARGIN, 98), title, 40, INK, PAGE[0] - 2 * MARGIN - 120)
            pages = f"{page + 1} / {count}"
            paper.write(PAGE[0] - MARGIN - paper.length(pages, 24), 98, pages, 24, PALE)
            statement = sentence_in(language, Sentence(source.described("sheet").statement))
            write_line(paper, (MARGIN, PAGE[1] - 44), statement, 17, PALE, PAGE[0] - 2 * MARGIN)
        _step(paper, 150 + place * 510, number + 1, phase, (before, picture), language)
        before = picture


def _step(
    paper: Paper, top: int, number: int, phase: Phase, pictures: tuple[np.ndarray, np.ndarray], language: str
) -> None:
    """One step: its number and words on the left, then the picture, then what is new in it."""
    paper.disc(MARGIN, top, 64, ACCENT)
    paper.write(MARGIN + 32 - paper.length(str(number), 36) / 2, top + 45, str(number), 36, "#ffffff")
    name = sentence_in(language, phase.name)
    bottom = write_paragraph(paper, (MARGIN, top + 88), name[:1].upper() + name[1:], 27, INK, 220)
    bottom = write_paragraph(paper, (MARGIN, bottom + 8), sentence_in(language, phase.words), 19, PALE, 215)
    write_paragraph(paper, (MARGIN, bottom + 14), sentence_in(language, NEW), 19, ACCENT, 215)
    room = (PAGE[0] - 2 * MARGIN - 240 - 30) // 2
    before, after = pictures
    size = size_within(after, room, 470)
    faded = (255 - (255 - after.astype(np.float32)) * OLD).astype(np.uint8)
    for place, picture in enumerate((after, np.where(what_is_new(before, after)[..., None], after, faded))):
        paper.picture(MARGIN + 240 + place * (room + 30) + (room - size[0]) // 2, top, picture, size)
