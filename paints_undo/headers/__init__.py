"""What a file says it is: the format and the size of a picture, read from its first bytes before any decoder sees it.

Sizes stand where the formats put them: PNG 11.2.1 (IHDR), GIF89a 18 (logical screen), RFC 9649 (WebP), ITU T.81 B.2.2
(the JPEG frame header).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from paints_undo.errors import InputError
from paints_undo.headers.jpeg import read_jpeg
from paints_undo.headers.png import START

READ = "PNG, JPEG, WebP or GIF"
# What files of these formats are called. The content decides; names say which files of a folder are meant as pictures.
SUFFIXES = frozenset((".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".pjpeg", ".pjp", ".webp", ".gif"))
# Pictures and drawings in formats that are not read, and so are told about
_UNREAD = """
    .avif .avifs .heic .heif .bmp .dib .tif .tiff .psd .psb .clip .xcf .kra .ora .procreate .sai .sai2 .mdp .ico .jxl
    .jp2 .j2k .jpx .exr .hdr .dds .qoi .tga .svg .pcx .ppm .pgm .pbm .pnm .dng .cr2 .cr3 .nef .arw
"""
UNREAD_SUFFIXES = frozenset(_UNREAD.split())
_BEGINNING = 2**18  # bytes of a JPEG file in which its frame header is looked for first

# Start of the file -> what people call it. Not read: each would be one more decoder of strangers' files.
_REFUSED = {
    b"8BPS": "a Photoshop document (PSD)",
    b"CSFCHUNK": "a Clip Studio Paint file",
    b"gimp xcf": "a GIMP file (XCF)",
    b"PK\x03\x04": "an archive or a drawing program's document (ZIP, KRA, ORA, Procreate)",
    b"%PDF": "a PDF",
    b"BM": "a BMP",
    b"II*\0": "a TIFF or a camera's raw file",
    b"MM\0*": "a TIFF or a camera's raw file",
    b"II+\0": "a TIFF",
    b"MM\0+": "a TIFF",
    b"\0\0\1\0": "a Windows icon (ICO)",
    b"\xff\x0a": "a JPEG XL picture",
    b"\0\0\0\x0cJXL ": "a JPEG XL picture",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"\x76\x2f\x31\x01": "an OpenEXR picture",
    b"#?RADIANCE": "a Radiance HDR picture",
    b"DDS ": "a DDS texture",
    b"qoif": "a QOI picture",
    b"\x1aE\xdf\xa3": "a video (WebM or Matroska)",
    b"{\\rtf": "a text document",
}
# Brand of an ISO media file (bytes 8 to 12 after "ftyp") -> the same
_BRANDS = {
    b"avif": "an AVIF picture",
    b"avis": "an AVIF picture",
    b"heic": "a HEIC picture",
    b"heix": "a HEIC picture",
    b"hevc": "a HEIC picture",
    b"mif1": "a HEIF picture",
    b"msf1": "a HEIF picture",
}


@dataclass(frozen=True)
class Header:
    """A picture's format and size, before EXIF turns it."""

    format: str  # one of the keys of _SIZES
    width: int
    height: int
    channels: int = 0  # of a JPEG: 1 grey, 3 colour, 4 CMYK


def read_header(file: IO[bytes]) -> Header:
    """The header of a picture file, from its beginning; no pixel is decoded.

    Raises InputError, the end of a sentence that begins with the file's name.
    """
    file.seek(0)
    start = file.read(32)
    if not start:
        raise InputError("is empty (0 bytes), not a picture: choose the file again")
    for name, (signature, offset, size_of) in _SIZES.items():
        if start[offset:].startswith(signature):
            return Header(name, *size_of(file, start))
    raise _refusal(start)


def is_read(start: bytes) -> bool:
    """Whether a file that starts like this (32 bytes) is of a format that is read."""
    return any(start[offset:].startswith(signature) for signature, offset, _ in _SIZES.values())


def _refusal(start: bytes) -> InputError:
    kind = next((kind for signature, kind in _REFUSED.items() if start.startswith(signature)), None)
    if start[4:8] == b"ftyp":
        kind = _BRANDS.get(start[8:12], "a video (MP4 or MOV)")
    if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:5].lower() in (b"<?xml", b"<svg ", b"<!doc", b"<html"):
        kind = "an SVG drawing or a web page"
    if kind is None:
        return InputError("is not a readable picture: use a {formats} file", READ)
    article, _, kind = kind.partition(" ")
    return InputError(
        "is {article} {kind}, which is not read: save or export the picture as PNG or JPEG", article, kind
    )


def damaged(reason: str) -> InputError:
    """The end of a sentence about a file that breaks off or is none; reason: what is wrong with it."""
    return InputError("is damaged or incomplete ({reason}): save it again as PNG", reason)


def _png(file: IO[bytes], start: bytes) -> tuple[int, int]:
    if start[12:16] != b"IHDR" or len(start) < 24:
        raise damaged("its header ends early")
    return int.from_bytes(start[16:20], "big"), int.from_bytes(start[20:24], "big")


def _gif(file: IO[bytes], start: bytes) -> tuple[int, int]:
    if len(start) < 10:
        raise damaged("its header ends early")
    return int.from_bytes(start[6:8], "little"), int.from_bytes(start[8:10], "little")


def _webp(file: IO[bytes], start: bytes) -> tuple[int, int]:
    if len(start) < 30:
        raise damaged("its header ends early")
    kind = start[12:16]
    if kind == b"VP8X":  # the canvas, 24 bits each
        return 1 + int.from_bytes(start[24:27], "little"), 1 + int.from_bytes(start[27:30], "little")
    if kind == b"VP8L" and start[20] == 0x2F:  # 14 bits each
        bits = int.from_bytes(start[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 " and start[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(start[26:28], "little") & 0x3FFF, int.from_bytes(start[28:30], "little") & 0x3FFF
    raise damaged("its header ends early")


def _jpeg(file: IO[bytes], start: bytes) -> tuple[int, int, int]:
    for size in (_BEGINNING, -1):
        file.seek(0)
        frame = read_jpeg(file.read(size)).frame
        if len(frame) >= 6:
            return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big"), frame[5]
    raise damaged("its header ends early")


# Format as Pillow names it -> how and where the file begins, and what finds its size
_SIZES: dict[str, tuple[bytes, int, Callable[[IO[bytes], bytes], tuple[int, ...]]]] = {
    "PNG": (START, 0, _png),
    "JPEG": (b"\xff\xd8\xff", 0, _jpeg),
    "WEBP": (b"WEBP", 8, _webp),
    "GIF": (b"GIF8", 0, _gif),
}
