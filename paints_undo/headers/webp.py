"""What a WebP file says, taken apart chunk by chunk (RFC 9649), so that a decoder sees its pixels and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

MOST_CHUNKS = 10_000
_PROFILE, _EXIF, _XMP = 0x20, 0x08, 0x04  # flags of the extended header
_PIXELS = (b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF")


@dataclass(frozen=True)
class WebP:
    """A WebP file in two parts."""

    stream: bytes  # a WebP file of nothing but the pixels of its first frame
    info: dict[str, bytes]  # the rest, under the names that Pillow has for it


def read_webp(data: bytes) -> WebP:
    """Take a WebP file apart; no pixel is decoded. What stands beyond its last whole chunk is no part of it."""
    kept, info, place = [], {}, 12
    flags = data[20] if data[12:16] == b"VP8X" and len(data) >= 30 else 0
    ended = False
    for _ in range(MOST_CHUNKS):
        if place + 8 > len(data):
            break
        kind, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        content = data[place + 8 : place + 8 + length]
        whole = len(content) == length
        if kind == b"VP8X" and place == 12:
            plain = bytes([flags & ~(_PROFILE | _EXIF | _XMP)])
            kept.append(data[place : place + 8] + plain + content[1:] + b"\0" * (length % 2))
        elif kind in _PIXELS and not ended:
            kept.append(data[place : place + 8] + content + b"\0" * (length % 2 and whole))
            ended = kind not in (b"ALPH", b"ANIM")  # later frames of an animation are not asked for
        elif whole and (kind, bool(flags & _PROFILE)) == (b"ICCP", True):
            info.setdefault("icc_profile", content)
        elif whole and (kind, bool(flags & _EXIF)) == (b"EXIF", True):
            info.setdefault("exif", content)
        place += 8 + length + length % 2
    body = b"WEBP" + b"".join(kept)
    return WebP(b"RIFF" + len(body).to_bytes(4, "little") + body, info)
