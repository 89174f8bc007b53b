"""Pictures as uint8 RGB arrays (H, W, 3): read from anything a user may hand in, and encoded."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from paints_undo.errors import InputError
from paints_undo.pictures.files import check_size, decode, naming, on_white, read_file


def read_picture(source: str | Path | bytes | Image.Image | np.ndarray) -> np.ndarray:
    """Return a picture as a fresh uint8 array (H, W, 3), RGB in sRGB, upright, transparency composited on white.

    Colours and orientation are what a browser shows. The first frame of an animation counts, and 16-bit values are
    scaled to 8. Format and size are checked in the file's header, before a pixel is decoded.

    Args:
        source: the path or the content of a PNG, JPEG, WebP or GIF file, a PIL image, or a uint8 array (H, W),
            (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA.

    Raises:
        InputError: no such file, no picture, another format or number type, a damaged file, over 256 MB, a side under
            32 pixels, more than 64 megapixels, or sides further apart than 8:1.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _from_image(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return read_file(io.BytesIO(source), "the uploaded file")
    if not isinstance(source, (str, Path)):
        raise InputError(
            "a picture cannot be read from {kind}: give a path, the bytes of a file, a PIL image or a uint8 array",
            type(source).__name__,
        )
    path = Path(source)
    name = path.name or str(source)
    try:
        if not path.is_file():
            raise InputError("{name} is not a file: check the path", name)
        file = path.open("rb")
    except OSError as error:
        raise InputError(
            "{name} cannot be opened ({reason}): check the path and its permissions", name, error.strerror
        ) from error
    with file:
        return read_file(file, name)


def at_most(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture, uint8 (H, W, 3), with at most so many pixels on its longer side, for somebody who only watches."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if (times := int(1 / scale)) > 1:  # whole pixels first: bilinear weights see no more than two in a row
        picture = picture[: height // times * times, : width // times * times]
        picture = cv2.resize(picture, None, fx=1 / times, fy=1 / times, interpolation=cv2.INTER_AREA)
    # between these sizes an eighth of the time of area weights, of which a film takes hundreds
    return cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)


def encode_png(picture: np.ndarray) -> bytes:
    """Return the bytes of a PNG file with exactly the pixels of a uint8 picture (H, W, 3)."""
    buffer = io.BytesIO()
    # run lengths alone: a third of the time of the usual search, for drawings files about as small
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1, compress_type=3)
    return buffer.getvalue()


def _from_image(image: Image.Image) -> np.ndarray:
    if getattr(image, "tile", None):  # opened, but not decoded by Pillow yet
        file = getattr(image, "fp", None)
        if file is None or getattr(file, "closed", False):
            raise InputError("the image's file is closed, and no pixel was read: load() it first, or give its path")
        if image.format in ("JPEG", "MPO", "PNG") or (image.format == "GIF" and image.tell() == 0):
            file.seek(0)  # the same file gives the same pixels, whoever opened it
            return read_file(io.BytesIO(file.read()), "the image")
    with naming("the image"):
        return decode(image)


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.uint8:
        raise InputError(
            "the array has the dtype {dtype}, but a picture must be uint8 with values 0..255: scale and "
            "convert it first",
            array.dtype,
        )
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise InputError(
            "the array has the shape {shape}, but a picture must be (height, width), (height, width, 3) "
            "or (height, width, 4): select one picture with its channels last",
            array.shape,
        )
    with naming("the array"):
        check_size(array.shape[1], array.shape[0])
    if array.shape[2] == 4:
        return on_white(array[..., :3], array[..., 3])
    return np.array(np.broadcast_to(array, (*array.shape[:2], 3)), order="C")
