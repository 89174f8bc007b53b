"""What a PNG file says, taken apart chunk by chunk, so that a decoder sees its pixels and nothing else.

Ancillary chunks (PNG 3rd edition, 5.4) are for those who want them: a text, a resolution or a time that is too large,
cut off, misplaced or has a wrong checksum says nothing about the pixels.  Those that do speak about pixels (tRNS,
colours, eXIf) are read here, where their length and checksum are right, and given on under Pillow's names.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

MOST_CHUNKS = 1_000_000  # 256 MB in parts of 256 bytes
MOST_PROFILE = 8 * 2**20  # bytes of a colour profile once unpacked; printers' have one to four MiB
START = b"\x89PNG\r\n\x1a\n"
_END = b"\0\0\0\0IEND\xaeB`\x82"
_WANTED = (b"tRNS", b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"eXIf")
GREY, COLOUR, PALETTE = 0, 2, 3  # colour types with a transparent colour


@dataclass(frozen=True)
class Png:
    """A PNG file in two parts."""

    stream: bytes  # a PNG file of nothing but pixels
    depth: int  # bits of a sample
    colour_type: int
    key: tuple[int, ...] | None  # the transparent colour, in the file's own numbers
    info: dict[str, Any] = field(default_factory=dict)  # the rest, under the names that Pillow has for it


def read_png(data: bytes) -> Png:
    """Take a PNG file apart whose header is known to be there; no pixel is decoded."""
    depth, colour_type = data[24:26].ljust(2, b"\0")
    kept: list[bytes | memoryview] = [START]
    view, found = memoryview(data), {}
    place, pixels = len(START), False
    for _ in range(MOST_CHUNKS):
        if place + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, place)
        stop = place + 12 + length
        if not kind.isalpha() or stop > len(data):
            if not pixels or kind == b"IDAT":
                kept.append(view[place:])  # the decoder says in its own words that pixels are missing
            break
        if kind == b"IEND":
            break
        if kind == b"IDAT" or kind == b"IHDR":
            kept.append(view[place:stop])
            pixels |= kind == b"IDAT"
        elif kind == b"PLTE" and colour_type == PALETTE:
            kept.append(_full_palette(data[place:stop]))
            found.pop(b"tRNS", None)  # it counts after the palette only
        elif kind in _WANTED and kind not in found and not pixels:
            content = data[place + 8 : stop - 4]
            if zlib.crc32(content, zlib.crc32(kind)) == int.from_bytes(data[stop - 4 : stop], "big"):
                found[kind] = content
        place = stop
    info, key = _info(found), None
    transparent = found.get(b"tRNS", b"")
    if colour_type == PALETTE and 0 < len(transparent) <= 256:
        info["transparency"] = transparent
    elif colour_type in (GREY, COLOUR) and len(transparent) >= 2 * (colour_type + 1):
        values = struct.unpack_from(">H" if colour_type == GREY else ">3H", transparent)
        key = tuple(value & (1 << depth) - 1 for value in values)
    return Png(b"".join([*kept, _END]), depth, colour_type, key, info)


def _full_palette(chunk: bytes) -> bytes:
    """A PLTE chunk with all 256 colours: pixels beyond those that are there have the last one, as in browsers."""
    content = chunk[8:-4]
    whole = zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:], "big")
    if not whole or len(content) % 3 or not 0 < len(content) <= 768:
        return chunk
    return png_chunk(b"PLTE", content + content[-3:] * (256 - len(content) // 3))


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk, with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _info(found: dict[bytes, bytes]) -> dict[str, Any]:
    info: dict[str, Any] = {}
    if len(found.get(b"cICP", b"")) == 4:
        info["cicp"] = found[b"cICP"]
    if profile := _profile(found.get(b"iCCP", b"")):
        info["icc_profile"] = profile
    if len(found.get(b"sRGB", b"")) == 1 and found[b"sRGB"][0] < 4:
        info["srgb"] = found[b"sRGB"][0]
    if len(found.get(b"gAMA", b"")) == 4:
        info["gamma"] = int.from_bytes(found[b"gAMA"], "big") / 100_000
    if len(found.get(b"cHRM", b"")) == 32:
        info["chromaticity"] = tuple(value / 100_000 for value in struct.unpack(">8I", found[b"cHRM"]))
    if found.get(b"eXIf", b"")[:2] in (b"II", b"MM"):
        info["exif"] = found[b"eXIf"]
    return info


def _profile(content: bytes) -> bytes | None:
    name, _, packed = content.partition(b"\0")
    if not 1 <= len(name) <= 79 or packed[:1] != b"\0":  # the one way of packing that there is
        return None
    unpacking = zlib.decompressobj()
    try:
        profile = unpacking.decompress(packed[1:], MOST_PROFILE)
    except zlib.error:
        return None
    return profile if unpacking.eof else None
