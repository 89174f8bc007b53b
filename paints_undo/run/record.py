"""What run.json holds: read with suspicion, written whole, and one of few states at any moment.

    running ---> finished      when everything is there, the video last
       ^            |
       +------------+          when settings or timeline change

A run that is "running" and in nobody's hands was interrupted: whatever carries its final name in its folder is whole,
and the rest is made again.  "pieces" has the sha256 of every file beside it; runs of earlier versions have none.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from paints_undo.atomic import explained, write_atomically
from paints_undo.errors import InputError
from paints_undo.provenance.records import FORMAT

RUNNING, FINISHED = "running", "finished"
STATES = (RUNNING, FINISHED)
LARGEST = 16 * 2**20  # bytes; a run.json of 32 keyframes has a few thousand


def read_run_record(file: Path) -> dict:
    """The values in a run.json. Raises InputError where it is none, of another version, or damaged."""
    try:
        with explained("read", file):
            if file.stat().st_size > LARGEST:
                raise InputError(f"{file} has more than {LARGEST:,} bytes; give the folder of an earlier run.")
            record = json.loads(file.read_bytes())
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{file} is damaged ({reason}); delete the folder and start the run again.") from None
    if not isinstance(record, dict) or "format" not in record:
        raise InputError(f"{file} was not written by this program; give the folder of an earlier run.")
    if record["format"] != FORMAT:
        raise InputError(
            f"{file} has format {record['format']!r} and this version reads format {FORMAT}; "
            "open it with the version that wrote it."
        )
    fields = {"settings": dict, "timeline": dict, "artwork": dict, "packages": dict, "state": str}
    for name, kind in fields.items():
        if not isinstance(record.get(name), kind):
            raise InputError(f"{file} is damaged ({name} is missing); delete the folder and start the run again.")
    pieces = record.get("pieces", {})
    if not isinstance(pieces, dict) or not all(isinstance(digest, str) for digest in pieces.values()):
        raise InputError(f"{file} is damaged (pieces are no digests); delete the folder and start the run again.")
    if record["state"] not in STATES:
        raise InputError(
            f"{file} is damaged (its state is {record['state']!r:.40}); delete the folder and start again."
        )
    if not all(isinstance(record["artwork"].get(side), int) for side in ("width", "height")):
        raise InputError(f"{file} is damaged (the artwork has no size); delete the folder and start the run again.")
    return record


def write_run_record(file: Path, record: dict) -> None:
    """Put the values at `file`, all at once."""
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(file, text.encode("utf-8"))


def described(artwork: np.ndarray) -> dict:
    """What identifies a picture: its size and the sha256 of its RGB bytes, row by row, whatever file it came in."""
    height, width = artwork.shape[:2]
    return {"sha256": picture_digest(artwork), "width": width, "height": height}


def picture_digest(picture: np.ndarray) -> str:
    """sha256 of a picture's RGB bytes, uint8 (H, W, 3), row by row."""
    return hashlib.sha256(np.ascontiguousarray(picture).data).hexdigest()
