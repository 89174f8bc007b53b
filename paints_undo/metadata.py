"""What a picture or a video was made with, inside the file itself: written as a comment, read back with suspicion.

PNG files carry it in an iTXt chunk with the keyword "Comment" (PNG specification, 11.3.4.5), MP4 files in the item
"(c)cmt" of the user data (QuickTime file format, "User data atoms").  Both are read here by hand: that takes a few
lines, decodes no pixel, and starts no program on a file that may come from anywhere.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import IO, Any

from paints_undo.errors import InputError

PROGRAM = "Paints-UNDO"
KEYWORD = "Comment"
LONGEST = 2**20  # bytes of a description; the longest prompts and 32 keyframes need a tenth of that
MOST_PARTS = 10_000  # chunks or boxes looked at in one file

_PNG = b"\x89PNG\r\n\x1a\n"
_COMMENT = b"\xa9cmt"
_WITHIN = {b"moov": b"udta", b"udta": b"meta", b"meta": b"ilst", b"ilst": _COMMENT, _COMMENT: b"data"}


def describe(record: dict[str, Any]) -> str:
    """The text that goes into a file; record holds plain values."""
    return json.dumps({"program": PROGRAM, **record}, ensure_ascii=False, allow_nan=False)


def read_description(path: str | Path) -> dict[str, Any]:
    """What describe() was given, from a PNG or MP4 file that holds it.

    Raises InputError, one sentence that names no folder, where the file is neither or holds nothing of this program.
    """
    try:
        with open(path, "rb") as file:
            start = file.read(12)
            if start.startswith(_PNG):
                text = _png_comment(file)
            elif start[4:8] == b"ftyp":
                text = _mp4_comment(file)
            else:
                raise InputError("this file is neither a PNG nor an MP4; drop one that this program wrote, or run.json")
    except (OSError, struct.error) as error:
        raise InputError(f"this file cannot be read ({type(error).__name__}); drop another one") from None
    if text is None:
        raise InputError("this file holds no settings; drop a PNG or MP4 that this program wrote and nothing changed")
    record = parse(text)
    if record.pop("program", None) != PROGRAM:
        raise InputError("the settings in this file are of another program; drop a PNG or MP4 that this program wrote")
    return record


def parse(text: bytes) -> dict[str, Any]:
    """The JSON object in a text. Raises InputError, one sentence."""
    try:
        record = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise InputError("the settings in this file are of another program or damaged; drop another file")
    return record


def _png_comment(file: IO[bytes]) -> bytes | None:
    file.seek(len(_PNG))
    for _ in range(MOST_PARTS):
        header = file.read(8)
        if len(header) < 8:
            return None
        length, kind = struct.unpack(">I4s", header)
        if kind != b"iTXt":
            file.seek(length + 4, 1)  # and its checksum
            continue
        text = _checked(file, length)
        file.seek(4, 1)
        # keyword, 0, compressed?, method, language, 0, translated keyword, 0, text; ours is never compressed
        keyword, _, rest = text.partition(b"\0")
        if keyword == KEYWORD.encode() and rest[:1] == b"\0":
            return rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    return None


def _mp4_comment(file: IO[bytes]) -> bytes | None:
    file.seek(0)
    end, wanted = file.seek(0, 2), b"moov"
    file.seek(0)
    for _ in range(MOST_PARTS):
        begin = file.tell()
        header = file.read(8)
        if begin + 8 > end or len(header) < 8:
            return None
        length, kind = struct.unpack(">I4s", header)
        if length == 1:  # a 64-bit length follows
            length = struct.unpack(">Q", file.read(8))[0]
        elif length == 0:  # as far as the file goes
            length = end - begin
        if length < 8:
            return None
        if kind != wanted:
            file.seek(begin + length)
        elif kind == b"data":
            file.seek(8, 1)  # type and locale
            return _checked(file, begin + length - file.tell())
        else:
            end, wanted = min(end, begin + length), _WITHIN[kind]
            if kind == b"meta":
                file.seek(4, 1)  # version and flags
    return None


def _checked(file: IO[bytes], length: int) -> bytes:
    if length > LONGEST:
        raise InputError(f"the comment in this file has {length:,} bytes; this program writes at most {LONGEST:,}")
    text = file.read(max(length, 0))
    if len(text) < length:
        raise InputError("this file ends too early; drop a whole one")
    return text
