"""Picture files of strangers: checked by their header, decoded, and brought to upright sRGB on white.

JPEG is decoded by OpenCV alone. Pillow before 13 has a hole in its JPEG decoder (GHSA-8g5g-8vmr-9782), and gradio holds
Pillow below 13; here it reads only the metadata of a JPEG file, and pixels of one only from version 13 on, where they
are CMYK with a profile, which OpenCV would hand over converted already.
"""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import IO

import cv2
import numpy as np
import PIL
from PIL import Image, ImageCms

from paints_undo.errors import InputError
from paints_undo.pictures.headers import Header, read_header

log = logging.getLogger(__name__)

MAX_PIXELS = 64_000_000
MAX_BYTES = 256_000_000  # of a file; 64 megapixels in 8 bits with transparency, not compressed
MIN_SIDE = 32  # pixels
MAX_RATIO = 8  # longer side : shorter side
MAX_SCANS = 500  # of a JPEG file: progressive ones have about ten, and each takes the time of a whole picture

# EXIF orientation -> how the stored rows have to be turned (EXIF 2.32, tag 0x0112)
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}
_warning_filter = threading.RLock()  # warnings.catch_warnings swaps one list of the whole process


def read_file(file: IO[bytes], name: str) -> np.ndarray:
    """Return uint8 (H, W, 3) from an open picture file, whatever its name says it is.

    Raises InputError, one sentence that begins with `name`.
    """
    with naming(name):
        size = file.seek(0, io.SEEK_END)
        if size > MAX_BYTES:
            limit = f"{size / 1e6:.0f} MB, limit {MAX_BYTES // 10**6} MB"
            raise InputError(f"is too large ({limit}): make it smaller first")
        header = read_header(file)
        check_size(header.width, header.height)
        file.seek(0)
        if header.format == "JPEG":
            return _decode_jpeg(file.read(), header)
        with _quiet():
            image = Image.open(file, formats=(header.format,))
        with image:
            return decode(image)


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Turns whatever a block raises about a picture into InputError, one sentence that begins with `name`."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{name} {error}") from None
    except PIL.UnidentifiedImageError:  # whose own words name the file with its folder
        reason = "no picture follows its header"
        raise InputError(f"{name} is damaged or incomplete ({reason}): save it again as PNG") from None
    except Image.DecompressionBombError:
        limit = f"over {MAX_PIXELS // 10**6} megapixels"
        raise InputError(f"{name} is too large ({limit}): make it smaller first") from None
    except MemoryError:
        raise InputError(f"{name} needs more memory than there is: make it smaller first") from None
    except Exception as error:  # PIL raises nearly anything on damaged content
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(f"{name} is damaged or incomplete ({reason}): save it again as PNG") from error


def check_size(width: int, height: int) -> None:
    """Raises InputError, the end of a sentence, for a size that no picture of this program has."""
    size = f"{width} x {height} pixels"
    if width * height > MAX_PIXELS:
        raise InputError(f"is too large ({size}, limit {MAX_PIXELS // 10**6} megapixels): make it smaller first")
    if min(width, height) < MIN_SIDE:
        raise InputError(f"is too small ({size}, at least {MIN_SIDE} on each side): use a larger picture")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise InputError(f"is too narrow ({size}, sides at most {MAX_RATIO}:1): crop it first")


def decode(image: Image.Image) -> np.ndarray:
    """Return uint8 (H, W, 3) from a PIL image that is no JPEG file, or is decoded already: its first frame."""
    check_size(image.width, image.height)  # again: a GIF's first frame may be larger than its header says
    image.load()
    return _turned(_to_rgb(image), _orientation(image))


def on_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return uint8 (H, W, 3): round(colour * a + 255 * (1 - a)) with a = alpha / 255, exactly."""
    pixels = np.empty((*alpha.shape, 3), np.uint8)
    for top in range(0, len(alpha), 256):  # in bands: the 16-bit products of a whole large picture need gigabytes
        rows = slice(top, top + 256)
        weight = alpha[rows, :, None].astype(np.uint16)
        # At most 255 * 255 + 127, which still fits 16 bits; no quotient lies halfway, since 255 is odd.
        pixels[rows] = (colours[rows] * weight + 255 * (255 - weight) + 127) // 255
    return pixels


def pillow_may_decode_jpeg() -> bool:
    """Whether this Pillow has the JPEG decoder without the hole."""
    return int(PIL.__version__.split(".")[0]) >= 13


def _decode_jpeg(data: bytes, header: Header) -> np.ndarray:
    end = data.find(b"\xff\xd9", header.body)
    scans = data.count(b"\xff\xda", header.body, end if end >= 0 else len(data))
    if scans > MAX_SCANS:
        raise InputError(f"has {scans} scans, which would take hours (limit {MAX_SCANS}): save it again as PNG")
    orientation, profile = _jpeg_metadata(data)
    if header.channels == 4:
        if profile and profile[16:20] == b"CMYK":
            return _turned(_managed_cmyk(data), orientation)
        profile = None  # a profile of other colours
    flag = cv2.IMREAD_GRAYSCALE if header.channels == 1 else cv2.IMREAD_COLOR
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        raise InputError("is damaged or incomplete (its pixels cannot be decoded): save it again as PNG")
    image = Image.fromarray(pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    return _turned(np.array(_to_srgb(image, profile), order="C"), orientation)


def _jpeg_metadata(data: bytes) -> tuple[int, bytes | None]:
    """The EXIF orientation and the colour profile, by Pillow, which decodes nothing before it is asked for pixels."""
    try:
        with _quiet(), Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return _orientation(image), image.info.get("icc_profile")
    except Exception as error:  # broken metadata must not make a sound picture unreadable
        log.info("the metadata is ignored: %s", error)
        return 1, None


def _managed_cmyk(data: bytes) -> np.ndarray:
    if not pillow_may_decode_jpeg():
        raise InputError(
            f"is a CMYK JPEG with a colour profile, which is read with Pillow 13 or newer (here is {PIL.__version__}): "
            "save it as PNG or as RGB, or run pip install --no-deps 'pillow>=13,<14'"
        )
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        return _to_rgb(image)


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(turn(pixels) if turn else pixels)


def _to_rgb(image: Image.Image) -> np.ndarray:
    profile = image.info.get("icc_profile")
    image = _eight_bit(image)
    grey = image.mode in ("1", "L", "LA", "La")
    alpha = None
    if image.has_transparency_data:
        image = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
        image = image.getchannel("R") if grey else image.convert("RGB")
    elif grey:
        image = image.convert("L")
    elif image.mode not in ("RGB", "CMYK"):
        image = image.convert("RGB")
    colours = np.asarray(_to_srgb(image, profile))
    return on_white(colours, alpha) if alpha is not None else np.array(colours, order="C")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return the image with 8 bits a channel, keeping a transparent grey value as an alpha channel."""
    key = image.info.get("transparency")
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        values = np.asarray(image).astype(np.uint16)
        # The high byte, as PIL does for 16-bit colour, so that grey and colour agree.
        reduced = Image.fromarray((values >> 8).astype(np.uint8))
        if isinstance(key, int):
            reduced.putalpha(Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8)))
        return reduced
    if image.mode in ("I", "F"):
        raise InputError("holds 32-bit numbers: save it with 8 or 16 bits per channel")
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        image = image.copy()  # 16-bit colour, of which PIL keeps the high bytes but leaves the key as it was
        image.info["transparency"] = tuple(value >> 8 for value in key)
    return image


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the image (L, RGB or CMYK) as RGB in sRGB; a profile that is broken or of other colours is ignored."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            # An sRGB profile changes nothing but the last bit of some values.
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
                return converted or image
        except (ImageCms.PyCMSError, ImportError, OSError, TypeError, ValueError) as error:
            log.info("the colour profile is ignored: %s", error)
    return image.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        with _quiet():
            return int(image.getexif().get(0x0112, 1))
    except Exception as error:  # broken metadata must not make a sound picture unreadable
        log.info("the EXIF data is ignored: %s", error)
        return 1


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back PIL's warnings: what matters of them becomes the one sentence of an error, the rest helps nobody."""
    with _warning_filter, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
