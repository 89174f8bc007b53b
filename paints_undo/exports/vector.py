"""A drawing in strokes as SVG: each stroke a path, in groups by layer and phase, at rest or one after another.

A stroke of pencil or ink is a line along the hand's path; paint is the outline of what it covers, in the colour that
it lays. Where it lays several, it is a group of outlines, the most frequent colour under the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

import cv2
import numpy as np
from PIL import Image

from paints_undo.atomic import explained
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.source import Source

if TYPE_CHECKING:
    from paints_undo.strokes.operations import Box, Operation
    from paints_undo.strokes.process import Process

SIDE = 1536  # pixels of the longer side of what is traced, where the person chooses none
SECONDS = 20.0  # of the animated one, where the person chooses none
LEAST_SECONDS = 0.15  # that a stroke is seen to grow
FADING = 0.4  # seconds in which a layer is hidden
SMOOTH = 0.7  # pixels that an outline may be off
SEAM = 1.3  # pixels of a line around paint: outlines go through the middle of pixels
INKED = 60  # of 255: with less ink a pixel says little of its stroke's colour
THINNEST = 0.4  # pixels
MOST_COLOURS, APART = 6, 12.0  # of one stroke, and grey levels for which one of them can stand
SPECK = 5  # pixels: fewer that have another colour have none of their own
RUBBED_OUT = "#ffffff"
OPENING = (
    # the declaration first: exiftool, which takes a file without it for a sidecar of XMP, finds it valid
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
    'width="{0}" height="{1}" viewBox="0 0 {2} {3}" role="img">'
)
LOOKS = "path{stroke-linecap:round;stroke-linejoin:round;fill-rule:evenodd}"
MOVES = """
@keyframes draw{to{stroke-dashoffset:0}}
@keyframes show{to{opacity:var(--o,1)}}
.l,.a{opacity:0}
.l{stroke-dasharray:1 1.1;stroke-dashoffset:1;animation:draw var(--d) linear var(--t) both,show 1ms var(--t) forwards}
.a{animation:show var(--d) var(--t) forwards}
@media (prefers-reduced-motion:reduce){.l,.a,g{animation-delay:0s!important;animation-duration:1ms!important}}"""


@dataclass(frozen=True)
class Shape:
    """One stroke; width: of a line along the path, 0 where outlines are filled."""

    number: int  # of the operation, from 1
    operation: Operation
    paths: list[tuple[str, str]]  # pairs (attribute d, colour), the lowest first
    width: float = 0.0


def write_svg(source: Source, path: Path, options: ExportOptions, animated: bool = False) -> None:
    """SVG of every stroke; animated: they appear one after another, by CSS alone, whatever shows it."""
    process = source.process_in(source.sized(options.longest_side or SIDE))
    record = source.described("strokes")
    height, width = process.size
    times = _times(process, options.pacing.seconds or SECONDS) if animated else None
    title, statement = escape(options.title or source.name), escape(record.statement)
    lines = [
        OPENING.format(*source.size, width, height),
        f"<title>{title}</title><desc>{statement}</desc><metadata>{source.svg_metadata('strokes')}</metadata>",
        f"<style>{LOOKS}{'' if times is None else MOVES + _fading(process, times)}</style>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        *_groups(process, times),
        "</svg>\n",
    ]
    with explained("write", path):
        path.write_text("\n".join(lines), encoding="utf-8")


write_animated_svg = partial(write_svg, animated=True)


def _groups(process: Process, times: np.ndarray | None) -> Iterator[str]:
    """Yield the lines of a group for each layer, the lowest first, and in it one for each phase."""
    from paints_undo.strokes.operations import LAYERS

    hidden = {operation.layer: operation.opacity for operation in process.operations if operation.kind == "layer"}
    by_layer = sorted(shapes(process), key=lambda shape: (LAYERS.index(shape.operation.layer), shape.number))
    for layer, of_layer in itertools.groupby(by_layer, key=lambda shape: shape.operation.layer):
        unseen = ' display="none"' if times is None and hidden.get(layer) == 0 else ""
        yield f'<g id="{layer}" inkscape:groupmode="layer" inkscape:label="{layer}" stroke-width="{SEAM}"{unseen}>'
        for phase, of_phase in itertools.groupby(of_layer, key=lambda shape: shape.operation.phase):
            yield f'<g id="{layer}-{phase}" inkscape:groupmode="layer" inkscape:label="{phase}">'
            for shape in of_phase:
                yield _element(shape, times)
            yield "</g>"
        yield "</g>"


def _element(shape: Shape, times: np.ndarray | None) -> str:
    operation = shape.operation
    about = f'id="o{shape.number}" data-title={quoteattr(operation.title)}'
    opacity = f"{operation.opacity:.2f}".rstrip("0").rstrip(".")
    if times is None:
        about += "" if opacity == "1" else f' opacity="{opacity}"'
    else:
        begin, end = times[shape.number - 1 : shape.number + 1]
        seen = "" if opacity == "1" else f";--o:{opacity}"
        moving = f"--t:{begin:.2f}s;--d:{max(LEAST_SECONDS, end - begin):.2f}s{seen}"
        about += f' class="{"l" if shape.width else "a"}" style="{moving}"'
    if shape.width:
        drawn, colour = shape.paths[0]
        look = f'fill="none" stroke="{colour}" stroke-width="{shape.width:.2f}" pathLength="1"'
        return f'<path {about} {look} d="{drawn}"/>'
    looks = [f'fill="{colour}" stroke="{colour}" d="{drawn}"' for drawn, colour in shape.paths]
    if len(looks) == 1:
        return f"<path {about} {looks[0]}/>"
    return f"<g {about}>" + "".join(f"<path {look}/>" for look in looks) + "</g>"


def _times(process: Process, seconds: float) -> np.ndarray:
    """When each operation begins, (1001,), the last value the end of all: equal time for equal work."""
    from paints_undo.strokes.film import work_of

    return np.concatenate([[0.0], np.cumsum(work_of(process))]) * max(0.1, seconds - LEAST_SECONDS)


def _fading(process: Process, times: np.ndarray) -> str:
    """The rules by which whole layers are faded, hidden and shown."""
    rules: dict[str, list[str]] = {}
    frames = []
    for number, operation in enumerate(process.operations):
        if operation.kind == "layer":
            frames.append(f"@keyframes to{number}{{to{{opacity:{operation.opacity:.2f}}}}}")
            rules.setdefault(operation.layer, []).append(f"to{number} {FADING}s {times[number]:.2f}s forwards")
    return "\n" + "\n".join([*frames, *(f"#{layer}{{animation:{','.join(all_)}}}" for layer, all_ in rules.items())])


def shapes(process: Process) -> Iterator[Shape]:
    """Yield every stroke of a process, the first one first."""
    from paints_undo.strokes.operations import boxes_of
    from paints_undo.strokes.separation import finish

    plan, finished = process.plan, finish(process.artwork, process.plan)
    boxes = {phase: boxes_of(owners, len(plan.operations)) for phase, owners in plan.owners.items()}
    laid = {"details": finished.artwork, "ink": finished.ink}
    for number, operation in enumerate(plan.operations, 1):
        box = boxes[operation.phase][number - 1] if operation.owns else None
        if operation.owns and box is not None:
            mine = plan.owners[operation.phase][box] == number
            pixels = laid.get(operation.phase, finished.shading)[box]
            if operation.phase == "ink":
                yield _inked(number, operation, box, np.where(mine, finished.matte[box], np.uint8(0)), pixels)
            elif operation.colour is not None:
                yield Shape(number, operation, [(_outline(mine, box), _hex(operation.colour))])
            else:
                yield Shape(number, operation, _painted(mine, box, pixels))
        elif operation.kind == "stroke" and len(operation.points):
            colour = RUBBED_OUT if operation.brush == "eraser" else _hex(operation.colour or (0, 0, 0))
            width = max(THINNEST, 2 * float(operation.points[:, 2].mean()))
            yield Shape(number, operation, [(_line(operation.points), colour)], width)


def _inked(number: int, operation: Operation, box: Box, matte: np.ndarray, pixels: np.ndarray) -> Shape:
    """A line of ink as wide as there is ink along it; its outline where it has no path, or is no line."""
    most = matte >= min(INKED, int(matte.max()))
    colour = _hex(np.median(pixels[most], axis=0))
    length = float(np.hypot(*np.diff(operation.points[:, :2], axis=0).T).sum()) if len(operation.points) > 1 else 0.0
    width = float(matte.sum()) / 255 / max(length, 1.0)
    if operation.brush != "ink" or length < 2 * width:
        return Shape(number, operation, [(_outline(most, box), colour)])
    return Shape(number, operation, [(_line(operation.points), colour)], max(THINNEST, width))


def _painted(mine: np.ndarray, box: Box, pixels: np.ndarray) -> list[tuple[str, str]]:
    """Outlines of what a stroke owns, bool (h, w), by the colours, uint8 (h, w, 3), that it lays there."""
    laid = pixels[mine]
    apart = np.abs(laid - np.median(laid, axis=0)).max(1)
    most = np.partition(apart, -min(SPECK, len(apart)))[-min(SPECK, len(apart))]
    count = int(np.clip(most / APART + 1, 1, MOST_COLOURS))
    if count == 1:
        return [(_outline(mine, box), _hex(np.median(laid, axis=0)))]
    kinds = np.asarray(Image.fromarray(laid[None]).quantize(count, Image.Quantize.MAXCOVERAGE, kmeans=2))[0]
    frequent = np.argsort(-np.bincount(kinds), kind="stable")
    paths = [(_outline(mine, box), _hex(np.median(laid[kinds == frequent[0]], axis=0)))]
    for kind in frequent[1:]:
        if (kinds == kind).any():
            part = np.zeros_like(mine)
            part[mine] = kinds == kind
            paths.append((_outline(part, box), _hex(np.median(laid[kinds == kind], axis=0))))
    return paths


def _line(points: np.ndarray) -> str:
    """A smooth line along points (n, 3): curves from the middle of one of its parts to that of the next."""
    places = points[:, :2] + 0.5
    if len(places) < 3:
        return "M" + "L".join(_xy(place) for place in (places if len(places) > 1 else places.repeat(2, 0)))
    middles = (places[:-1] + places[1:]) / 2
    bends = "".join(f"Q{_xy(a)} {_xy(b)}" for a, b in zip(places[1:-1], middles[1:], strict=True))
    return f"M{_xy(places[0])}L{_xy(middles[0])}{bends}L{_xy(places[-1])}"


def _outline(mask: np.ndarray, box: Box) -> str:
    """The outline of a mask, bool (h, w), that lies in this box, holes included."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    corner = np.array([box[1].start, box[0].start]) + 0.5
    parts = []
    for contour in found:
        points = cv2.approxPolyDP(contour, SMOOTH, True)[:, 0] + corner
        parts.append("M" + "L".join(_xy(point) for point in points) + "Z")
    return "".join(parts)


def _xy(place: np.ndarray) -> str:
    return f"{place[0]:.1f} {place[1]:.1f}"


def _hex(colour: np.ndarray | tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*(int(value) for value in colour))
