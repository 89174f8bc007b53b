"""What a run comes to: pictures in their order, from the white canvas to the artwork."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Timelapse:
    """What came of one run; pictures uint8 RGB.

    Options with fit "pad": the whole artwork in its own shape, as large as it fits into keyframes (height x width) and
    frames (h x w); sides are even, for which at most a pixel of the artwork is cut off.  With fit "crop": the sizes
    that the networks draw, filled, and what sticks out of them cut off.
    """

    prompt: str  # what the keyframes were drawn with
    artwork: np.ndarray  # (height, width, 3), at the keyframes' size
    keyframes: np.ndarray  # (n, height, width, 3), from the finished picture back to the first stroke
    # (15 * (n + 1), h, w, 3), from the first stroke to the finished picture; drawn in strokes, a Film of the video's
    frames: np.ndarray
    folder: Path | None = None  # the run folder, with all of it as files

    @property
    def video(self) -> Path | None:
        """The MP4 file in the run folder; None without one."""
        return None if self.folder is None else self.folder / "timelapse.mp4"


def with_white_canvas(artwork: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """The pictures that segments lie between: artwork, keyframes, white canvas; uint8 (n + 2, height, width, 3)."""
    return np.concatenate([artwork[None], drawn, np.full_like(artwork, 255)[None]])


def join_timelapse(filled: np.ndarray) -> np.ndarray:
    """Segments (n, 16, h, w, 3), artwork first -> frames (15 n, h, w, 3), first stroke first.

    Each segment's last frame repeats the next one's first and is dropped, so the white canvas itself never appears.
    """
    return np.concatenate(list(filled[:, :-1]))[::-1].copy()
