"""The layers that an artwork was drawn on, stroke by stroke: in groups for painting programs, and as transparent PNG.

Each pixel of the finished layers is laid in part by one of them at most, and whole by those below it: so whatever
program flattens them and rounds gets the artwork, bit for bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from paints_undo.exports.layers import Group, Layer, png, write_ora, write_psd
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.source import Source
from paints_undo.provenance.embedding import embed

if TYPE_CHECKING:
    from paints_undo.strokes.process import Process

GROUPS = {"construction": "sketch", "sketch": "sketch", "flats": "colour", "shadow": "colour", "light": "colour"}
LINE_ART = ("ink", "sketch")  # what line-art.zip holds
FLATS = ("flats", "shadow", "light")  # and flats.zip


def stroke_layers(process: Process) -> list[Layer]:
    """Paper and all layers on which there is anything, the lowest first.

    One that is hidden in the end is hidden, and as it was when the last stroke was laid on it.
    """
    strokes = {operation.layer: n for n, operation in enumerate(process.operations, 1) if operation.kind == "stroke"}
    opacity = {operation.layer: operation.opacity for operation in process.operations if operation.kind == "layer"}
    hidden = [name for name, number in sorted(strokes.items(), key=itemgetter(1)) if opacity.get(name, 1.0) == 0]
    before = {name: process.layers(strokes[name])[name] for name in hidden}
    finished = process.layers()
    paper = Layer("paper", finished.pop("paper")[..., :3], True)
    found = [Layer(name, before.get(name, pixels), name not in before) for name, pixels in finished.items()]
    return [paper, *(layer for layer in found if layer.pixels[..., 3].any())]


def grouped(source: Source, options: ExportOptions) -> Iterator[Layer | Group]:
    """Yield layers and groups of them from the lowest to the highest; a group of hidden layers is hidden itself."""
    process = source.process_in(source.sized(options.longest_side))
    for name, layers in itertools.groupby(stroke_layers(process), lambda one: GROUPS.get(one.name)):
        found = list(layers)
        if name is None:
            yield from map(_cut, found)
        else:
            shown = any(layer.visible for layer in found)
            # one click shows what is in a hidden group
            yield Group(name, [_cut(replace(one, visible=one.visible or not shown)) for one in found], shown)


def _cut(layer: Layer) -> Layer:
    """The part of a layer in which there is anything."""
    if layer.pixels.shape[2] == 3:
        return layer
    left, top, width, height = cv2.boundingRect(np.ascontiguousarray(layer.pixels[..., 3]))
    return replace(layer, pixels=layer.pixels[top : top + height, left : left + width], left=left, top=top)


def write_layers(source: Source, path: Path, options: ExportOptions, *, names: tuple[str, ...], piece: str) -> None:
    """ZIP of PNG files: layers of these names, each on a transparent ground."""
    record = source.described(piece)
    with source.archive(path, piece) as archive:
        for layer in stroke_layers(source.process_in(source.sized(options.longest_side))):
            if layer.name in names:
                archive.writestr(f"{layer.name}.png", embed(png(layer.pixels), record))


write_stroke_psd = partial(write_psd, parts_of=grouped)
write_stroke_ora = partial(write_ora, parts_of=grouped)
write_stroke_lines = partial(write_layers, names=LINE_ART, piece="line art")
write_flats = partial(write_layers, names=FLATS, piece="flats")
