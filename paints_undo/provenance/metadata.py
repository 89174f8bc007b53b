"""The record inside PNG, APNG, MP4, GIF and WebP files, read back with suspicion.

PNG files carry it as JSON in an iTXt chunk with the keyword "Comment" (PNG specification, 11.3.3.4) and as XMP in one
with "XML:com.adobe.xmp"; MP4 files as JSON in the item "(c)cmt" of the user data (QuickTime file format, "User data
atoms") and as XMP in a "uuid" box; GIF files as XMP in an application extension, WebP files in an "XMP " chunk (XMP
specification part 3).  All are read here by hand: that takes a few lines for each, decodes no pixel, and starts no
program on a file that may come from anywhere.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from paints_undo.errors import InputError
from paints_undo.headers.png import START as PNG
from paints_undo.provenance.records import LONGEST, PROGRAM, Record, parse, read_xmp_packet

KEYWORD = b"Comment"
XMP_KEYWORD = b"XML:com.adobe.xmp"
XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
GIF_XMP = b"XMP DataXMP"
# After a packet in a GIF: wherever a reader that knows blocks only lands in it, it is led to the 0 at its end.
GIF_TRAILER = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
MOST_PARTS = 10_000  # chunks or boxes looked at in one file
MOST_BLOCKS = 10**6  # of up to 255 bytes, in a GIF

_COMMENT = (b"moov", b"udta", b"meta", b"ilst", b"\xa9cmt", b"data")  # the boxes that it is in, outermost first


def read_record(path: str | Path) -> Record | None:
    """The record in a picture or video file; None where it carries none of this program.

    Raises InputError, one sentence that names no folder, where the file cannot be read, is of another kind, or its
    record is damaged.
    """
    for xmp, text in _texts(path):
        try:
            values = read_xmp_packet(text) if xmp else parse(text)
        except InputError:
            if xmp:
                raise
            continue  # a comment of another program
        if values and values.get("program") == PROGRAM:
            return Record.from_dict(values)
    return None


def read_description(path: str | Path) -> dict[str, Any]:
    """The values of the record in a file. Raises InputError as above, and where the file carries no record."""
    record = read_record(path)
    if record is not None:
        return record.to_dict()
    if any(not xmp for xmp, _ in _texts(path)):
        raise InputError("the settings in this file are of another program or damaged; use another file")
    raise InputError("this file holds no settings; use a PNG or MP4 that this program wrote and nothing changed")


def _texts(path: str | Path) -> Iterator[tuple[bool, bytes]]:
    """Every text that may hold a record, with whether it is XMP."""
    try:
        with open(path, "rb") as file:
            start = file.read(12)
            if start.startswith(PNG):
                yield from _png_texts(file)
            elif start[4:8] == b"ftyp":
                yield from _mp4_texts(file)
            elif start[:6] in (b"GIF87a", b"GIF89a"):
                yield from _gif_texts(file)
            elif start[:4] == b"RIFF" and start[8:] == b"WEBP":
                yield from _webp_texts(file)
            else:
                raise InputError("this file is no PNG, MP4, GIF or WebP; use one that this program wrote, or run.json")
    except (OSError, struct.error) as error:
        raise InputError("this file cannot be read ({kind}); use another one", type(error).__name__) from None


def _png_texts(file: IO[bytes]) -> Iterator[tuple[bool, bytes]]:
    for kind, length in _chunks(file, len(PNG), ">I4s"):
        if kind == b"iTXt":
            # keyword, 0, compressed?, method, language, 0, translated keyword, 0, text; ours is never compressed
            keyword, _, rest = _checked(file, length).partition(b"\0")
            if keyword in (KEYWORD, XMP_KEYWORD) and rest[:1] == b"\0":
                yield keyword == XMP_KEYWORD, rest[2:].partition(b"\0")[2].partition(b"\0")[2]


def _webp_texts(file: IO[bytes]) -> Iterator[tuple[bool, bytes]]:
    for kind, length in _chunks(file, 12, "<4sI"):
        if kind == b"XMP ":
            yield True, _checked(file, length)


def _chunks(file: IO[bytes], begin: int, layout: str) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk of a PNG (">I4s") or WebP file ("<4sI"), which then stands at its content."""
    for _ in range(MOST_PARTS):
        file.seek(begin)
        header = file.read(8)
        if len(header) < 8:
            return
        one, other = struct.unpack(layout, header)
        kind, length, rest = (other, one, 4) if isinstance(one, int) else (one, other, other % 2)
        yield kind, length
        begin += 8 + length + rest  # a checksum, or a byte that makes it even


def _mp4_texts(file: IO[bytes]) -> Iterator[tuple[bool, bytes]]:
    end = file.seek(0, 2)
    comment = _mp4_comment(file, end)
    if comment is not None:
        yield False, comment
    for kind, length in _boxes(file, 0, end):
        if kind == b"uuid" and length >= 16 and file.read(16) == XMP_UUID:
            yield True, _checked(file, length - 16)


def _mp4_comment(file: IO[bytes], end: int) -> bytes | None:
    begin = length = 0
    for wanted in _COMMENT:
        found = next((length for kind, length in _boxes(file, begin, end) if kind == wanted), None)
        if found is None:
            return None
        begin, length = file.tell(), found
        end = min(end, begin + length)
        if wanted == b"meta":
            begin += 4  # version and flags
    file.seek(8, 1)  # type and locale
    return _checked(file, begin + length - file.tell())


def _boxes(file: IO[bytes], begin: int, end: int) -> Iterator[tuple[bytes, int]]:
    """Kind of each box between two places and the length of what is in it; the file stands at its beginning."""
    for _ in range(MOST_PARTS):
        if begin + 8 > end:
            return
        file.seek(begin)
        length, kind = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1:  # a 64-bit length follows
            length, header = struct.unpack(">Q", file.read(8))[0], 16
        elif length == 0:  # as far as the file goes
            length = end - begin
        if length < header:
            return
        yield kind, length - header
        begin += length


def _gif_texts(file: IO[bytes]) -> Iterator[tuple[bool, bytes]]:
    file.seek(10)
    _skip_colours(file)
    for _ in range(MOST_BLOCKS):
        kind = file.read(1)
        if kind == b",":  # a picture: place and size, its colours, the code size, its pixels in blocks
            file.seek(8, 1)
            _skip_colours(file, rest=0)
            file.seek(1, 1)
        elif kind == b"!":
            label, size = struct.unpack("BB", file.read(2))
            name = file.read(size)
            if label == 0xFF and name == GIF_XMP:
                packet = _joined_blocks(file)
                yield True, packet[: packet.rfind(b'"?>') + 3]  # "?>" alone is in the trailer
                continue
        else:
            return
        _joined_blocks(file, keep=False)


def _skip_colours(file: IO[bytes], rest: int = 2) -> None:
    """Leaves a colour table behind, if the flags that come first say there is one."""
    flags = struct.unpack("B", file.read(1))[0]
    file.seek(rest + (3 << ((flags & 7) + 1) if flags & 0x80 else 0), 1)


def _joined_blocks(file: IO[bytes], keep: bool = True) -> bytes:
    """Blocks up to the empty one, with the bytes that say their lengths: an XMP packet has no others."""
    kept = b""
    for _ in range(MOST_BLOCKS):
        length = file.read(1)
        if length in (b"", b"\0"):
            break
        if not keep:
            file.seek(length[0], 1)
            continue
        kept += length + file.read(length[0])
        if len(kept) > LONGEST:
            raise _too_long(len(kept))
    return kept


def _checked(file: IO[bytes], length: int) -> bytes:
    if length > LONGEST:
        raise _too_long(length)
    text = file.read(max(length, 0))
    if len(text) < length:
        raise InputError("this file ends too early; use a whole one")
    return text


def _too_long(length: int) -> InputError:
    return InputError(
        "the comment in this file has {value:,} bytes; this program writes at most {limit:,}", length, LONGEST
    )
