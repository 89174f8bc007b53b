"""PNG chunks, JPEG segments, EXIF blocks and colour profiles, sound and odd ones, to put together files from."""

from __future__ import annotations

import struct
import zlib

import numpy as np

SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
# red, green and blue in XYZ under D50, as profiles have them
SRGB = ((0.4360, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2919, 0.6922, 0.0419), (0.1572, 0.0666, 0.7841))


def chunk(kind: bytes, content: bytes, crc: int | None = None) -> bytes:
    """A PNG chunk, with its own checksum or a wrong one."""
    right = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", right if crc is None else crc)


def png(picture: np.ndarray, *before: bytes, after: tuple[bytes, ...] = (), depth: int = 8, colour: int = -1) -> bytes:
    """A PNG file of uint8 or uint16 (H, W) or (H, W, channels), with chunks before and after its pixels."""
    height, width = picture.shape[:2]
    colour = colour if colour >= 0 else {2: 0, 3: 2}[picture.ndim] if picture.shape[2:] != (4,) else 6
    if depth < 8:
        bits = np.unpackbits(picture[..., None], axis=2)[..., 8 - depth :].reshape(height, -1)
        rows = np.packbits(bits, axis=1)
    else:
        rows = picture.reshape(height, -1).astype(">u2" if depth == 16 else "u1")
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    rest = b"".join([chunk(b"IDAT", packed), *after, chunk(b"IEND", b"")])
    return b"\x89PNG\r\n\x1a\n" + size + b"".join(before) + rest


def gamma(value: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def chromaticities(*values: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in values)))


def cicp(primaries: int, transfer: int, matrix: int = 0, full: int = 1) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, matrix, full]))


def iccp(profile: bytes, method: int = 0) -> bytes:
    return chunk(b"iCCP", b"profile\0" + bytes([method]) + zlib.compress(profile))


def profile(name: str, primaries: tuple[tuple[float, ...], ...] | None, *curve: float, more: int = 0) -> bytes:
    """A colour profile (ICC.1:2001) of one gamma or of the five numbers of a curve; without primaries, of grey."""

    def numbers(*values: float) -> bytes:
        return b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    kind = b"para" + bytes(4) + struct.pack(">HH", 3 if len(curve) > 1 else 0, 0) + numbers(*curve)
    text = b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name.encode() + bytes(79)
    tags = {b"desc": text, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": b"XYZ " + bytes(4)}
    tags[b"wtpt"] += numbers(0.9642, 1, 0.8249)
    if primaries is None:
        tags[b"kTRC"] = kind
    else:
        for letter, point in zip(b"rgb", primaries, strict=True):
            tags[bytes([letter]) + b"XYZ"] = b"XYZ " + bytes(4) + numbers(*point)
            tags[bytes([letter]) + b"TRC"] = kind
    if more:
        tags[b"more"] = b"text" + bytes(4) + np.random.default_rng(1).bytes(more)
    return icc(tags, 0x04000000, b"mntr" + (b"RGB " if primaries else b"GRAY") + b"XYZ ")


def icc(tags: dict[bytes, bytes], version: int, kind: bytes) -> bytes:
    """A file of tags under the header of a colour profile; kind: of device, its colours and those between."""
    place, directory, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        directory += tag + struct.pack(">II", place + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    head = struct.pack(">I4sI12s", place + len(body), b"test", version, kind)
    head += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + directory + body


def exif(orientation: int, kind: int = 3) -> bytes:
    """An EXIF block of nothing but an orientation, a short number or one of another kind."""
    value = struct.pack(">HH", orientation, 0) if kind == 3 else struct.pack(">I", orientation)
    return b"MM\0*" + struct.pack(">IH", 8, 1) + struct.pack(">HHI", 0x0112, kind, 1) + value + bytes(4)


def segment(marker: int, content: bytes, length: int | None = None) -> bytes:
    """A JPEG segment, with its own length or a wrong one."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(content) + 2 if length is None else length) + content


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    return jpeg[:2] + b"".join(segments) + jpeg[2:]
