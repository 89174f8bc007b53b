"""A contact sheet of the whole process."""

from __future__ import annotations

from pathlib import Path

from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import Pacing, schedule
from paints_undo.exports.papers import DPI, INK, MARGIN, PALE, PicturePaper, write_line
from paints_undo.exports.source import Source, packed

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
