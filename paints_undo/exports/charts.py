"""The curves of one or two runs as a chart, SVG for the web and print, PNG for everything else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image, ImageDraw

from paints_undo.atomic import explained
from paints_undo.exports.curves import Curves, measure
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.settling import match_colours
from paints_undo.exports.source import Source, packed
from paints_undo.pictures.lettering import fitting_font

WIDTH, HEIGHT = 1000, 620  # of the drawing, in its own units
LEFT, TOP, RIGHT, PANEL, GAP = 60, 56, 20, 216, 56
COLOURS = ("#2563a8", "#d1641b")  # of the first and of the second run; apart for every kind of colour vision
DENSITY = 2  # pixels of the PNG for each unit


@dataclass(frozen=True)
class Line:
    points: list[tuple[float, float]]
    colour: str
    width: float
    dashed: bool = False


@dataclass(frozen=True)
class Words:
    place: tuple[float, float]
    text: str
    size: int
    anchor: str = "start"  # start, middle, end
    colour: str = "#333333"


Mark = Line | Words


def write_curves(source: Source, path: Path, options: ExportOptions, *, kind: str, other: Source | None = None) -> None:
    """kind ".svg" or ".png": the curves of a run, or of two in one chart, which carries the first one's record."""
    runs = {source.name: source}
    if other is not None:
        runs[other.name if other.name != source.name else f"{other.name} (2)"] = other
    title = options.title or (source.name if other is None else "")
    marks = chart({name: curves_of(run) for name, run in runs.items()}, title)
    if kind == ".png":
        return source.write(path, packed(to_picture(marks), "PNG", optimize=True), "curves")
    with explained("write", path):
        svg = to_svg(marks, source.described("curves").statement, source.svg_metadata("curves"))
        path.write_text(svg, encoding="utf-8")


write_curves_svg, write_curves_png = partial(write_curves, kind=".svg"), partial(write_curves, kind=".png")


def curves_of(source: Source) -> Curves:
    """Coverage, ink, colour and distance of a run's frames."""
    frames, finished = map(source.fit.uncover, source.measured())
    return measure(match_colours(frames, finished), finished)


def chart(runs: dict[str, Curves], title: str = "") -> list[Mark]:
    """What the chart consists of: a panel for each curve, a line for each run; at most two runs under their names."""
    marks: list[Mark] = [Words((LEFT, 28), title or "How the picture comes about", 20)]
    for number, name in enumerate(runs):
        if len(runs) > 1:
            marks.append(Words((WIDTH - RIGHT, 20 + 17 * number), name, 14, "end", COLOURS[number % 2]))
    width = (WIDTH - LEFT - RIGHT - GAP) / 2
    for panel, name in enumerate(next(iter(runs.values())).named()):
        x, y = LEFT + (panel % 2) * (width + GAP), TOP + 24 + (panel // 2) * (PANEL + GAP)
        most = _round_up(max(float(np.max(curves.named()[name], initial=0)) for curves in runs.values()))
        marks.append(Words((x, y - 8), name, 15))
        for share in (0, 0.5, 1):
            level = y + PANEL * (1 - share)
            marks.append(Line([(x, level), (x + width, level)], "#dddddd", 1))
            marks.append(Words((x - 6, level + 4), f"{100 * most * share:.3g} %", 12, "end"))
        for share, word, anchor in ((0, "blank", "start"), (1, "finished", "end")):
            marks.append(Words((x + width * share, y + PANEL + 17), word, 12, anchor))
        for number, curves in enumerate(runs.values()):
            values = curves.named()[name]
            across = np.linspace(0, 1, len(values)) if len(values) > 1 else np.zeros(len(values))
            points = [(x + width * a, y + PANEL * (1 - v / most)) for a, v in zip(across, values, strict=True)]
            marks.append(Line(points, COLOURS[number % 2], 2.5, dashed=number == 1))
    return marks


def to_svg(marks: list[Mark], statement: str, metadata: str = "") -> str:
    """The chart as SVG; statement: what it shows, for those who cannot see it; metadata: XML that is carried along."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" role="img">',
        f"<title>{escape(statement)}</title>",
        f"<metadata>{metadata}</metadata>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for mark in marks:
        if isinstance(mark, Line):
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in mark.points)
            dashes = ' stroke-dasharray="7 4"' if mark.dashed else ""
            lines.append(
                f'<polyline points="{points}" fill="none" stroke="{mark.colour}" stroke-width="{mark.width}"{dashes}/>'
            )
        else:
            x, y = mark.place
            lines.append(
                f'<text x="{x:.1f}" y="{y:.1f}" font-size="{mark.size}" text-anchor="{mark.anchor}" '
                f'fill="{mark.colour}">{escape(mark.text)}</text>'
            )
    return "\n".join([*lines, "</svg>", ""])


def to_picture(marks: list[Mark]) -> np.ndarray:
    """The chart as a picture uint8 (h, w, 3)."""
    canvas = Image.new("RGB", (WIDTH * DENSITY, HEIGHT * DENSITY), "white")
    draw = ImageDraw.Draw(canvas)
    for mark in marks:
        if isinstance(mark, Line):
            points = [(x * DENSITY, y * DENSITY) for x, y in mark.points]
            draw.line(points, mark.colour, round(mark.width * DENSITY), joint="curve")
        else:
            anchor = {"start": "ls", "middle": "ms", "end": "rs"}[mark.anchor]
            place = mark.place[0] * DENSITY, mark.place[1] * DENSITY
            font, text = fitting_font(mark.text, mark.size * DENSITY)
            draw.text(place, text, mark.colour, font, anchor)
    return np.asarray(canvas)


def _round_up(most: float) -> float:
    """The next of 1, 2, 5 times a power of ten, at most 1."""
    if most <= 0:
        return 1.0
    power = 10 ** np.floor(np.log10(most))
    return float(min(1.0, next(step * power for step in (1, 2, 5, 10) if step * power >= most * 0.999)))
