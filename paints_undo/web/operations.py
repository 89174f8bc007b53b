"""The operations of a run that is drawn in strokes: where its phases begin, and the canvas after any of them."""

from __future__ import annotations

import base64
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from paints_undo.errors import InputError
from paints_undo.options import OPERATIONS
from paints_undo.validation import whole_number
from paints_undo.web.history import Entry
from paints_undo.web.playable import jpeg

if TYPE_CHECKING:
    from paints_undo.strokes.process import Process

LONGEST_SIDE = 1600  # pixels of a canvas that is stepped to


def phases_of(entry: Entry) -> list[tuple[str, int]]:
    """Every phase in the order of the drawing, with the number of operations before it. InputError before the film."""
    phases = [operation.phase for operation in _process_of(entry).operations]
    firsts = [next(group)[0] for _, group in groupby(enumerate(phases), lambda one: one[1])]
    return [(phases[first], first) for first in firsts]


def canvas_of(entry: Entry, operation: int) -> str:
    """The canvas after so many operations, as a data: address. Raises InputError before the film, or at work."""
    done = whole_number("operation", operation, 0, OPERATIONS)
    canvas = _shown(_process_of(entry)).canvas(done)
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(canvas)).decode()


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
