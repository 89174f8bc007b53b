"""What the run folder of an artwork is called, on every system."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path

# Names that Windows keeps for devices, whatever the extension; ¹, ² and ³ are digits to it.
_DEVICE_NAMES = {"con", "prn", "aux", "nul"} | {f"{port}{n}" for port in ("com", "lpt") for n in "0123456789¹²³"}
_LONGEST_NAME = 60  # characters; 240 bytes of UTF-8 at most, where file systems allow 255


def run_folder_for(out: Path, artwork_name: str) -> Path:
    """The run folder under ``out`` for an artwork's file name: a name that is safe on every system.

    Letters and digits of any script, "-" and "_" stay; everything else becomes "-". A name that had to be changed gets
    six digits of its hash, so that two names that would become the same stay apart. Touches no disk.
    """
    given = re.split(r"[/\\]", artwork_name)[-1]
    stem = unicodedata.normalize("NFC", given.rsplit(".", 1)[0] if given.rfind(".") > 0 else given)
    safe = re.sub(r"[^\w-]+", "-", stem).strip("-_")[:_LONGEST_NAME].strip("-_")
    if safe.lower() in _DEVICE_NAMES or not safe:
        safe = f"artwork-{safe}".rstrip("-")
    if safe != stem:
        safe = f"{safe}-{hashlib.sha256(artwork_name.encode('utf-8', 'surrogatepass')).hexdigest()[:6]}"
    return Path(out) / safe
