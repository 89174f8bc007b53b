"""How a picture has to be turned, from its EXIF data."""

from __future__ import annotations

import struct

_ORIENTATION, _SHORT = 0x0112, 3


def orientation_of(exif: bytes) -> int:
    """The orientation 1..8 (EXIF 2.32, tag 0x0112); 1 where there is none, or nothing that a browser would follow.

    exif: a TIFF header and what follows it; a name before it ("Exif", two bytes) is stepped over.
    """
    if exif[:5] == b"Exif\0":
        exif = exif[6:]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None or len(exif) < 8:
        return 1
    (place,) = struct.unpack_from(f"{order}I", exif, 4)
    if place + 2 > len(exif):
        return 1
    (count,) = struct.unpack_from(f"{order}H", exif, place)
    for entry in range(place + 2, min(place + 2 + 12 * count, len(exif) - 11), 12):
        tag, kind, number, value = struct.unpack_from(f"{order}HHIH", exif, entry)
        if tag == _ORIENTATION and kind == _SHORT and number == 1:
            return value if 1 <= value <= 8 else 1
    return 1
