"""The operations of a run that is drawn in strokes: its phases and layers, where the pen is, and any canvas."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from paints_undo.errors import InputError
from paints_undo.options import OPERATIONS
from paints_undo.validation import whole_number
from paints_undo.web.history import Entry
from paints_undo.web.playable import jpeg

if TYPE_CHECKING:
    from paints_undo.strokes.process import Process

LONGEST_SIDE = 1600  # pixels of a canvas that is stepped to
MOST_AT_ONCE = 8  # canvases of one answer
PLACES = 5  # of the pen along a stroke


def operations_of(entry: Entry) -> dict[str, Any]:
    """What a player wants to know of all operations. InputError before the film.

    phases: [name, operations before it] in the order of the drawing.  layers: those in use, the lowest, which is the
    paper, first.  pen: for each operation x, y, x, y, ... along its path, in thousandths of the canvas; [] where no
    hand moves.
    """
    from paints_undo.strokes.operations import LAYERS  # scipy takes a while, and other runs need none of it

    process = _process_of(entry)
    names = [operation.phase for operation in process.operations]
    firsts = [next(group)[0] for _, group in groupby(enumerate(names), lambda one: one[1])]
    used = {operation.layer for operation in process.operations}
    layers = ["paper", *(layer for layer in LAYERS if layer in used)]
    return {"phases": [(names[first], first) for first in firsts], "layers": layers, "pen": _pen(process)}


def _pen(process: Process) -> list[list[int]]:
    height, width = process.size
    pen, flipped = [], False
    for operation in process.operations:
        flipped ^= operation.kind == "flip"
        points = operation.points[:, :2] if operation.kind == "stroke" else operation.points[:0, :2]
        if len(points):
            points = points[np.linspace(0, len(points) - 1, min(PLACES, len(points))).round().astype(int)]
        places = np.clip(points * 1000 / (width, height), 0, 1000).round().astype(int)
        if flipped:
            places[:, 0] = 1000 - places[:, 0]
        pen.append(places.ravel().tolist())
    return pen


def canvases_of(entry: Entry, operation: int, count: int = 1, hidden: Sequence[str] = ()) -> list[str]:
    """The canvases after so many operations and the `count - 1` that follow it, as data: addresses.

    count: 1 to 8.  hidden: layers that are left out.  Raises InputError before the film, or at work.
    """
    first = whole_number("operation", operation, 0, OPERATIONS)
    last = min(OPERATIONS, first + whole_number("count", count, 1, MOST_AT_ONCE) - 1)
    process, without = _shown(_process_of(entry)), frozenset(map(str, hidden))
    canvases = (process.canvas(done, hidden=without) for done in range(first, last + 1))
    return ["data:image/jpeg;base64," + base64.b64encode(jpeg(canvas)).decode() for canvas in canvases]


def _process_of(entry: Entry) -> Process:
    with entry.lock:
        entry.refuse_while_at_work()
        process = entry.run.process() if entry.run.options.in_strokes else None
    if process is None:
        raise InputError("this run has no video yet; generate it first")
    return process


@lru_cache(2)
def _shown(process: Process) -> Process:
    """The process as large as a screen has use for."""
    height, width = process.size
    scale = LONGEST_SIDE / max(height, width)
    return process if scale >= 1 else process.at(max(1, round(height * scale)), max(1, round(width * scale)))
