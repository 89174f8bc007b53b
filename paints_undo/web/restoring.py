"""Settings back from a file that this program wrote: a picture, a video, or a run.json."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.provenance.metadata import read_description
from paints_undo.provenance.records import FORMAT, LONGEST, parse
from paints_undo.run.timeline import Timeline
from paints_undo.web.settings import agreeing, flat

_PICTURES = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"mif1", b"msf1")  # in the container that MP4 uses
PIECES = ("artwork", "keyframe", "frame", "timelapse", "run")


def may_be_picture(path: str | Path) -> bool:
    """Whether a file is to be read as a picture: anything but a run.json and a video."""
    start = b""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        start = file.read(64)
    return start.lstrip()[:1] != b"{" and (start[4:8] != b"ftyp" or start[8:12].lower() in _PICTURES)


def read_settings(path: str | Path) -> tuple[dict[str, Any], str]:
    """{"settings": flat ones with the timeline, "piece": one of PIECES} and the id of the run they are of.

    Raises InputError, one sentence that names no folder, for any other file.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(LONGEST + 1)
    except OSError as error:
        raise InputError("this file cannot be read ({kind}); drop another one", type(error).__name__) from None
    if start.lstrip()[:1] == b"{":
        if len(start) > LONGEST:
            raise InputError("this file has more than {limit:,} bytes; a run.json of this program never has", LONGEST)
        record = parse(start)
    else:
        record = read_description(path)
    if record.get("format") != FORMAT:
        raise InputError(
            "the settings in this file are not of format {format}, which this version reads; drop another", FORMAT
        )
    try:
        options = UndoOptions.from_settings(record["settings"]["options"])
        timeline = Timeline.from_record(record["timeline"])
        run_id, piece = record.get("id", ""), record.get("piece", "run")
    except (KeyError, TypeError, AttributeError):
        raise InputError("the settings in this file are damaged; drop another file") from None
    settings = {**flat(agreeing(options, timeline)), "timeline": timeline.to_record()}
    return {"settings": settings, "piece": piece if piece in PIECES else "run"}, run_id if type(run_id) is str else ""
