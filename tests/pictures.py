"""Synthetic pictures and picture files."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from picture_parts import chunk
from PIL import Image

from paints_undo.errors import InputError
from paints_undo.pictures.pixels import read_picture


def waves(height: int, width: int) -> np.ndarray:
    """A smooth synthetic picture."""
    x, y = np.arange(width, dtype=float)[None, :], np.arange(height, dtype=float)[:, None]
    planes = 127 + 120 * np.sin(x / 17 + y / 31), 127 + 110 * np.cos(x / 23 - y / 13), 127 + 100 * np.sin(x * y / 2000)
    return np.stack(np.broadcast_arrays(*planes), -1).clip(0, 255).astype(np.uint8)


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(7).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def encoded(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def on_white(rgba: np.ndarray) -> np.ndarray:
    colour, alpha = rgba[..., :3].astype(float), rgba[..., 3:].astype(float) / 255
    return np.round(colour * alpha + 255 * (1 - alpha)).astype(np.uint8)


def png_header(width: int, height: int, pixels: bytes = zlib.compress(b"")) -> bytes:
    """A PNG file that claims a size and holds these pixels, by default none."""
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + size + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def refusal(source: Any) -> str:
    with pytest.raises(InputError) as caught:
        read_picture(source)
    message = str(caught.value)
    assert "\n" not in message and message
    return message
