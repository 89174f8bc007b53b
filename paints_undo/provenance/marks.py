"""A small line of text in the corner of a video that says what it is, for those who want it seen."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

TEXTS = ("AI-simulated process", "AI-simulated", "AI")  # the first that takes no more than half of the width
_SMALLEST, _SHARE = 8, 32  # pixels of the letters at least, and how many times their size fits into the short side
_INK, _HALO = 225, 150  # opacity of 255


def marked(frame: np.ndarray) -> np.ndarray:
    """A frame uint8 (h, w, 3) with the mark in the lower right corner, on white and on dark alike; a copy.

    A frame too small for legible letters gets it as far as it fits.
    """
    height, width = frame.shape[:2]
    ink, halo = _masks(width, height)
    shown = frame.astype(np.float32)
    for mask, colour in ((halo, 0.0), (ink, 255.0)):
        shown += (colour - shown) * mask[:, :, None]
    return (shown + 0.5).astype(np.uint8)


@lru_cache(1)
def _masks(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Opacity (height, width), 0 to 1, of the letters and of the soft shadow that sets them off."""
    size = max(_SMALLEST, min(width, height) // _SHARE)
    font = ImageFont.load_default(size)
    text = next((text for text in TEXTS if font.getlength(text) <= width / 2), TEXTS[-1])
    letters = Image.new("L", (width, height))
    margin = size * 0.6
    ImageDraw.Draw(letters).text((width - margin, height - margin), text, fill=255, font=font, anchor="rs")
    blurred = letters.filter(ImageFilter.GaussianBlur(size / 8))
    halo = np.clip(np.asarray(blurred, np.float32) * 3, 0, 255)
    return np.asarray(letters, np.float32) / 255 * _INK / 255, halo / 255 * _HALO / 255
