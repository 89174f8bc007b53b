"""What a JPEG file says, taken apart segment by segment (ITU T.81, annex B), so that a decoder sees pixels alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MOST_SEGMENTS = 10_000
_MARKER = re.compile(rb"\xff[\x01-\xfe]")
_AFTER_SCAN = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # neither a stuffed zero nor a restart
_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a segment
_FOREIGN = {*range(0xE1, 0xEE), 0xEF, 0xFE}  # all applications' but JFIF's and Adobe's, which name the colours
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
END = b"\xff\xd9"


@dataclass
class Jpeg:
    """A JPEG file in parts."""

    frame: bytes = b""  # the first frame header, after its length
    stream: bytes = b""  # a JPEG file of nothing but pixels, up to its end marker
    ended: bool = False  # whether that marker is there
    scans: int = 0
    exif: bytes | None = None  # after its name
    profile: bytes | None = None
    _lacking: dict[int, list[bool]] = field(default_factory=dict)  # component -> which of 64 coefficients still lack

    @property
    def has_all_scans(self) -> bool:
        """Whether every coefficient has come, to its last bit; a scan that breaks off counts as having come."""
        return bool(self._lacking) and not any(any(lacking) for lacking in self._lacking.values())

    def begin_frame(self, frame: bytes) -> None:
        """Note a frame header, the first of them as what the file has, and its components."""
        self.frame = self.frame or frame
        self._lacking = {component: [True] * 64 for component in frame[6 : 6 + 3 * frame[5] : 3]} if frame[5:] else {}

    def begin_scan(self, scan: bytes) -> None:
        """Note what a scan header promises."""
        self.scans += 1
        count = scan[0] if scan else 0
        if len(scan) < 4 + 2 * count:
            return
        first, last, bits = scan[1 + 2 * count : 4 + 2 * count]
        for component in scan[1 : 1 + 2 * count : 2]:
            if component in self._lacking and bits & 15 == 0 and first <= last < 64:
                self._lacking[component][first : last + 1] = [False] * (last + 1 - first)


def read_jpeg(data: bytes) -> Jpeg:
    """Take a JPEG file apart; no pixel is decoded. A segment that is too short says nothing, and the next ones do."""
    kept: list[bytes | memoryview] = [data[:2]]
    jpeg, view, parts, place = Jpeg(), memoryview(data), {}, 2
    for _ in range(MOST_SEGMENTS):
        found = _MARKER.search(data, place)
        if not found:
            break
        start, place, marker = found.start(), found.end(), data[found.end() - 1]
        if marker == END[1]:
            jpeg.ended = True
            break
        if marker in _ALONE:
            continue
        stop = place + max(2, int.from_bytes(data[place : place + 2], "big"))
        content, place = data[place + 2 : stop], stop
        if marker == 0xDA:
            jpeg.begin_scan(content)
            after = _AFTER_SCAN.search(data, stop)
            place = after.start() if after else len(data)
        elif marker in _FRAMES:
            jpeg.begin_frame(content)
        elif marker == 0xE1 and content[:5] == b"Exif\0" and len(content) > 6 and jpeg.exif is None and not jpeg.scans:
            jpeg.exif = content[6:]
        elif marker == 0xE2 and content[:12] == b"ICC_PROFILE\0" and len(content) > 14 and not jpeg.scans:
            parts.setdefault((content[12], content[13]), content[14:])
        if marker not in _FOREIGN:
            kept.append(view[start:place])
    jpeg.profile = _joined(parts)
    jpeg.stream = b"".join(kept) if jpeg.ended else b"".join(kept).rstrip(b"\xff")
    return jpeg


def _joined(parts: dict[tuple[int, int], bytes]) -> bytes | None:
    """A profile from its numbered parts (ICC.1, B.4); None where one is missing."""
    count = len(parts)
    if not count or sorted(parts) != [(number, count) for number in range(1, count + 1)]:
        return None
    return b"".join(parts[number, count] for number in range(1, count + 1))
