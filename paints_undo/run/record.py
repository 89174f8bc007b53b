"""What run.json holds: read with suspicion, written whole, and one of few states at any moment.

    running ---> finished      when everything is there, the video last
       ^            |
       +------------+          when settings or timeline change

A run that is "running" and in nobody's hands was interrupted: whatever carries its final name in its folder is whole,
and the rest is made again.  "pieces" has the sha256 of every file beside it; runs of earlier versions have none.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
from pathlib import Path

import numpy as np

from paints_undo import __version__
from paints_undo.atomic import explained, write_atomically
from paints_undo.errors import InputError
from paints_undo.provenance.records import FORMAT

RUNNING, FINISHED = "running", "finished"
STATES = (RUNNING, FINISHED)
LARGEST = 16 * 2**20  # bytes; a run.json of 32 keyframes has a few thousand
_RECORDED_PACKAGES = {
    "torch": ("torch",),
    "diffusers": ("diffusers",),
    "transformers": ("transformers",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-silicon"),
    "numpy": ("numpy",),
    "opencv": ("opencv-python-headless", "opencv-python", "opencv-contrib-python"),
}


def read_run_record(file: Path) -> dict:
    """The values in a run.json. Raises InputError where it is none, of another version, or damaged."""
    try:
        with explained("read", file):
            if file.stat().st_size > LARGEST:
                raise InputError(
                    "{file} has more than {limit:,} bytes; give the folder of an earlier run.", file, LARGEST
                )
            record = json.loads(file.read_bytes())
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise _damaged(file, reason) from None
    if not isinstance(record, dict) or "format" not in record:
        raise InputError("{file} was not written by this program; give the folder of an earlier run.", file)
    if record["format"] != FORMAT:
        raise InputError(
            "{file} has format {found!r} and this version reads format {format}; open it with the "
            "version that wrote it.",
            file,
            record["format"],
            FORMAT,
        )
    fields = {"settings": dict, "timeline": dict, "artwork": dict, "packages": dict, "state": str}
    for name, kind in fields.items():
        if not isinstance(record.get(name), kind):
            raise _damaged(file, f"{name} is missing")
    pieces = record.get("pieces", {})
    if not isinstance(pieces, dict) or not all(isinstance(digest, str) for digest in pieces.values()):
        raise _damaged(file, "pieces are no digests")
    if record["state"] not in STATES:
        state = f"{record['state']!r:.40}"
        raise InputError("{file} is damaged (its state is {state}); delete the folder and start again.", file, state)
    if not all(isinstance(record["artwork"].get(side), int) for side in ("width", "height")):
        raise _damaged(file, "the artwork has no size")
    return record


def _damaged(file: Path, reason: str) -> InputError:
    return InputError("{file} is damaged ({reason}); delete the folder and start the run again.", file, reason)


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


def package_versions() -> dict[str, str]:
    """The version of every package that can change a run's pixels, this one included; "not installed" if absent."""
    versions = {"paints_undo": __version__}
    for name, distributions in _RECORDED_PACKAGES.items():
        versions[name] = "not installed"
        for distribution in distributions:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):
                versions[name] = importlib.metadata.version(distribution)
                break
    return versions
