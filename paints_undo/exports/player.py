"""A page in one file that plays the painting back and forth, with a scrubber and Ctrl+Z; it needs no server."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np

from paints_undo.atomic import explained
from paints_undo.exports.animations import milliseconds
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.source import Source, packed
from paints_undo.provenance.records import xmp_packet

SIDE = 1600  # pixels of the longer side, where the person chooses none
STROKES_SIDE, STROKES_FPS = 1080, 12  # likewise, of strokes: their many frames would make it too large a file
_TEMPLATE = Path(__file__).parent / "player.html"


def write_player(source: Source, path: Path, options: ExportOptions) -> None:
    """HTML with every different frame as WebP, the artwork without loss."""
    if source.process is not None:
        options = _fewer(source, options)
    size, record = source.sized(options.longest_side or SIDE), source.described("timelapse")
    durations = milliseconds(source, options, 1)
    film = {
        "width": size[0],
        "height": size[1],
        "milliseconds": durations,
        # of the first frame, until it leads over to the next; none of them does where the frames a second are chosen
        "still": round(options.pacing.hold_start * 1000) if options.pacing.fps is None else None,
        "frames": [
            _address(frame, lossless=number == len(durations) - 1)
            for number, (frame, _) in enumerate(source.played(size, options.pacing))
        ],
    }
    values = {
        "title": escape(options.title or source.name),
        "statement": escape(record.statement),
        "program": escape(record.program),
        "record": _within_script(record.to_json()),
        "xmp": xmp_packet(record).decode("utf-8"),
        "frames": _within_script(json.dumps(film)),
    }
    # in one pass: what is put in is not searched again
    page = re.sub(r"\{(\w+)\}", lambda name: values.get(name[1], name[0]), _TEMPLATE.read_text(encoding="utf-8"))
    with explained("write", path):
        path.write_text(page, encoding="utf-8")


def _fewer(source: Source, options: ExportOptions) -> ExportOptions:
    """The options for a film of strokes, with fewer and smaller frames where the person chooses neither."""
    pacing = options.pacing
    if pacing.fps is None:
        holds = pacing.hold_start + pacing.hold_end
        pacing = replace(pacing, fps=STROKES_FPS, seconds=pacing.seconds or len(source.frames) / source.fps + holds)
    return replace(options, pacing=pacing, longest_side=options.longest_side or STROKES_SIDE)


def _address(frame: np.ndarray, lossless: bool) -> str:
    picture = packed(frame, "WEBP", quality=40 if lossless else 84, method=0, lossless=lossless)
    return "data:image/webp;base64," + base64.b64encode(picture).decode("ascii")


def _within_script(text: str) -> str:
    """JSON that cannot end the element it stands in."""
    return text.replace("<", "\\u003c")
