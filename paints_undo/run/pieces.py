"""The files of a run's pieces: which there must be, what a segment's file holds, and the digest of any."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from pathlib import Path

import numpy as np

from paints_undo.atomic import explained


def digest_of(data: bytes) -> str:
    """sha256 of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str | None:
    """sha256 of a file; None where there is none. Raises OSError, one sentence, where it cannot be read."""
    with explained("read", path):
        try:
            with open(path, "rb") as file:
                digest = hashlib.sha256()
                while block := file.read(1 << 20):
                    digest.update(block)
        except FileNotFoundError:
            return None
    return digest.hexdigest()


def packed_segment(frames: np.ndarray) -> bytes:
    """The file of a segment uint8 (n, H, W, 3)."""
    check_pictures(frames, dimensions=4, name="segment")
    packed = io.BytesIO()
    np.savez_compressed(packed, frames=frames)
    return packed.getvalue()


def read_segment(path: Path) -> np.ndarray:
    """The segment in a file, uint8 (n, H, W, 3). Raises ValueError where the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as packed:
            frames = packed["frames"]
        check_pictures(frames, dimensions=4, name="segment")
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from None
    return frames


def check_pictures(pictures: np.ndarray, dimensions: int, name: str) -> None:
    """Raises TypeError unless these are uint8 RGB pictures in an array of so many dimensions."""
    shape: tuple[int, ...] = getattr(pictures, "shape", ())
    if getattr(pictures, "dtype", None) != np.uint8 or len(shape) != dimensions or shape[-1] != 3 or 0 in shape:
        expected = "(height, width, 3)" if dimensions == 3 else "(frames, height, width, 3)"
        raise TypeError(
            f"{name} has shape {tuple(shape)} and type {getattr(pictures, 'dtype', type(pictures).__name__)}; "
            f"give a uint8 RGB array {expected}."
        )


def checked_name(name: str) -> str:
    """The name of a piece. Raises ValueError for one that is no plain file name on every system."""
    if not re.fullmatch(r"[0-9a-z]+(-[0-9a-z]+)*", name):
        raise ValueError(f"a piece of a run is named {name!r}; use small letters, digits and hyphens")
    return name
