"""The record put into finished PNG, APNG, GIF, WebP and MP4 files; metadata.py reads it back.

Nothing is decoded or encoded again: what is shown stays as it was, bit for bit.
"""

from __future__ import annotations

import io
import struct

from paints_undo.errors import InputError
from paints_undo.headers import read_header
from paints_undo.headers.png import START as PNG
from paints_undo.headers.png import png_chunk
from paints_undo.provenance.metadata import GIF_TRAILER, GIF_XMP, KEYWORD, XMP_KEYWORD, XMP_UUID
from paints_undo.provenance.records import Record, xmp_packet

_PNG_END = b"\0\0\0\0IEND"
_GIF_LOOPS = b"!\xff\x0bNETSCAPE2.0"  # one block of three bytes follows, and the empty one
_VP8X_XMP, _VP8X_ALPHA = 0x04, 0x10


def embed(data: bytes, record: Record) -> bytes:
    """The bytes of a PNG, APNG, GIF, WebP or MP4 file with the record in it, for one that carries none yet.

    Raises InputError for files of other kinds.
    """
    packet = xmp_packet(record)
    if data.startswith(PNG):
        return _into_png(data, record.to_json().encode(), packet)
    if data[4:8] == b"ftyp":
        return data + xmp_box(packet)
    if data[:3] == b"GIF" and data[-1:] == b";":
        return _into_gif(data, packet)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _into_webp(data, packet)
    raise InputError("a record goes into PNG, APNG, GIF, WebP and MP4 files; this file is none of them or not whole")


def xmp_box(packet: bytes) -> bytes:
    """The packet as the "uuid" box that goes to the end of an MP4 file."""
    return struct.pack(">I4s", 24 + len(packet), b"uuid") + XMP_UUID + packet


def _into_png(data: bytes, comment: bytes, packet: bytes) -> bytes:
    """After the header of a still picture, where every reader looks; at the end of an APNG.

    The animation control of an APNG comes directly after the header and its first frame soon after that: what looks
    for both in the first two kilobytes only, as ffmpeg does, would see one still picture.
    """
    place = len(PNG) + 25  # IHDR: length, kind, 13 bytes, checksum
    if data[place + 4 : place + 8] == b"acTL":
        place = data.rindex(_PNG_END)
    texts = b"".join(
        png_chunk(b"iTXt", keyword + b"\0\0\0\0\0" + text)
        for keyword, text in ((KEYWORD, comment), (XMP_KEYWORD, packet))
    )
    return data[:place] + texts + data[place:]


def _into_gif(data: bytes, packet: bytes) -> bytes:
    """Before the first picture, where every reader looks, and after the loop count, which some expect first."""
    flags = data[10]
    place = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    if data[place:].startswith(_GIF_LOOPS):
        place += len(_GIF_LOOPS) + 5
    return b"GIF89a" + data[6:place] + b"!\xff\x0b" + GIF_XMP + packet + GIF_TRAILER + data[place:]


def _into_webp(data: bytes, packet: bytes) -> bytes:
    chunks = data[12 : 8 + struct.unpack("<I", data[4:8])[0]]
    if chunks[:4] == b"VP8X":
        chunks = chunks[:8] + bytes([chunks[8] | _VP8X_XMP]) + chunks[9:]
    else:  # a plain picture: metadata needs the extended header
        header = read_header(io.BytesIO(data))
        transparent = chunks[:4] == b"VP8L" and chunks[12] & 0x10  # the 29th bit after the signature
        flags = _VP8X_XMP | (_VP8X_ALPHA if transparent else 0)
        sides = (header.width - 1).to_bytes(3, "little") + (header.height - 1).to_bytes(3, "little")
        chunks = struct.pack("<4sIB3x", b"VP8X", 10, flags) + sides + chunks
    chunks += struct.pack("<4sI", b"XMP ", len(packet)) + packet + b"\0" * (len(packet) % 2)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks), b"WEBP") + chunks
