"""Picture files of strangers: checked by their header, decoded, and brought to upright sRGB on white.

No decoder sees metadata: files are taken apart here first (``headers``), decoders get the pixels alone, and what the
rest says about them (transparent colour, colour space, orientation) is followed as browsers follow it.

JPEG is decoded by OpenCV alone. Pillow before 13 has a hole in its JPEG decoder (GHSA-8g5g-8vmr-9782), and gradio holds
Pillow below 13; here it decodes one only from version 13 on, where it is CMYK with a profile, which OpenCV would hand
over converted already.
"""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import IO, Any

import cv2
import numpy as np
import PIL
from PIL import Image

from paints_undo.errors import InputError
from paints_undo.headers import Header, damaged, read_header
from paints_undo.headers.colours import colours_of, to_srgb
from paints_undo.headers.exif import orientation_of
from paints_undo.headers.jpeg import END, Jpeg, read_jpeg
from paints_undo.headers.png import COLOUR, Png, read_png
from paints_undo.headers.webp import read_webp

MAX_PIXELS = 64_000_000
MAX_BYTES = 256_000_000  # of a file by every door: 64 megapixels in 8 bits with transparency, not compressed
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
        check_bytes(file.seek(0, io.SEEK_END))
        header = read_header(file)
        check_size(header.width, header.height)
        file.seek(0)
        if header.format == "JPEG":
            return _decode_jpeg(read_jpeg(file.read()), header)
        if header.format == "PNG":
            return _decode_png(read_png(file.read()))
        info: dict[str, Any] = {}
        if header.format == "WEBP":
            webp = read_webp(file.read())
            file, info = io.BytesIO(webp.stream), webp.info
        with _opened(file, header.format) as image:
            image.info.update(info)
            return decode(image)


@contextlib.contextmanager
def naming(name: str) -> Iterator[None]:
    """Turns whatever a block raises about a picture into InputError, one sentence that begins with `name`."""
    cause = None
    try:
        yield
        return
    except InputError as error:
        problem = error
    except PIL.UnidentifiedImageError:  # whose own words name the file with its folder
        problem = damaged("no picture follows its header")
    except Image.DecompressionBombError:
        problem = InputError("is too large (over {limit} megapixels): make it smaller first", MAX_PIXELS // 10**6)
    except MemoryError:
        problem = InputError("needs more memory than there is: make it smaller first")
    except Exception as error:  # PIL raises nearly anything on damaged content
        cause, problem = error, damaged(next(iter(str(error).splitlines()), "") or type(error).__name__)
    raise InputError("{name} {problem}", name, problem) from cause


def check_bytes(size: int) -> None:
    """Raises InputError, the end of a sentence, for a file of more bytes than any door takes."""
    if size > MAX_BYTES:
        sentence = "is too large ({size:.0f} MB, limit {limit} MB): make it smaller first"
        raise InputError(sentence, size / 1e6, MAX_BYTES // 10**6)


def check_size(width: int, height: int) -> None:
    """Raises InputError, the end of a sentence, for a size that no picture of this program has."""
    size = f"{width} x {height} pixels"
    if width * height > MAX_PIXELS:
        raise InputError(
            "is too large ({size}, limit {limit} megapixels): make it smaller first", size, MAX_PIXELS // 10**6
        )
    if min(width, height) < MIN_SIDE:
        raise InputError("is too small ({size}, at least {least} on each side): use a larger picture", size, MIN_SIDE)
    if max(width, height) > MAX_RATIO * min(width, height):
        raise InputError("is too narrow ({size}, sides at most {most}:1): crop it first", size, MAX_RATIO)


def decode(image: Image.Image) -> np.ndarray:
    """Return uint8 (H, W, 3) from a PIL image that is no JPEG file, or is decoded already: its first frame."""
    check_size(image.width, image.height)  # again: a GIF's first frame may be larger than its header says
    tiles = getattr(image, "tile", None)  # where what is to be decoded lies
    frame = tiles[0][1] if tiles and image.format == "GIF" else None
    image.load()
    pixels = _to_rgb(image)
    if frame and "transparency" not in image.info:  # browsers leave empty what a first frame does not cover
        left, top, right, bottom = frame
        pixels[:top], pixels[bottom:], pixels[:, :left], pixels[:, right:] = 255, 255, 255, 255
    return _turned(pixels, _orientation(image))


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


def _opened(file: IO[bytes], file_format: str) -> Image.Image:
    with _quiet():
        return Image.open(file, formats=(file_format,))


def _decode_png(png: Png) -> np.ndarray:
    with _opened(io.BytesIO(png.stream), "PNG") as image:
        image.info.update(png.info)
        if png.key and png.depth == 16 and png.colour_type == COLOUR:
            image.putalpha(_not_the_key(png.key, png, image))
        elif png.key:
            scale = 255 // (2**png.depth - 1) if png.depth < 8 else 1  # Pillow spreads 2 and 4 bits over 0..255
            key = tuple(value * scale for value in png.key)
            image.info["transparency"] = key if len(key) > 1 else key[0]
        return decode(image)


def _not_the_key(key: tuple[int, ...], png: Png, image: Image.Image) -> Image.Image:
    """The opacity of 16-bit colours of which one is transparent: Pillow gives their high bytes alone, OpenCV all."""
    check_size(image.width, image.height)
    image.load()  # first: OpenCV does not say that pixels are missing
    values = cv2.imdecode(np.frombuffer(png.stream, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.shape != (image.height, image.width, 3):
        raise _undecodable()
    return Image.fromarray(np.where(np.all(values == key[::-1], axis=2), 0, 255).astype(np.uint8))


def _decode_jpeg(jpeg: Jpeg, header: Header) -> np.ndarray:
    if jpeg.scans > MAX_SCANS:
        raise InputError(
            "has {scans} scans, which would take hours (limit {limit}): save it again as PNG", jpeg.scans, MAX_SCANS
        )
    orientation = orientation_of(jpeg.exif or b"")
    pixels = _jpeg_pixels(jpeg.stream + END, header)
    # Where decoders find no data they paint a middle grey; files that only lack their end marker are whole.
    suspect = not jpeg.ended or bool((pixels[-1, -1] == 128).all())
    if suspect and not ((jpeg.ended or jpeg.has_all_scans) and _is_settled(jpeg.stream, pixels, header)):
        raise _undecodable()
    profile = jpeg.profile
    if header.channels == 4:
        if profile and profile[16:20] == b"CMYK":
            return _turned(_managed_cmyk(jpeg.stream + END, profile), orientation)
        profile = None  # a profile of other colours
    image = Image.fromarray(pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    return _turned(np.array(to_srgb(image, colours_of({"icc_profile": profile})), order="C"), orientation)


def _jpeg_pixels(stream: bytes, header: Header) -> np.ndarray:
    flag = cv2.IMREAD_GRAYSCALE if header.channels == 1 else cv2.IMREAD_COLOR
    pixels = cv2.imdecode(np.frombuffer(stream, np.uint8), flag | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[:2] != (header.height, header.width):
        raise _undecodable()
    return pixels


def _is_settled(stream: bytes, pixels: np.ndarray, header: Header) -> bool:
    """Whether the pixels stay what they are, whatever would come after the stream: then none is missing."""
    return np.array_equal(pixels, _jpeg_pixels(stream + 64 * b"\x55" + END, header))


def _undecodable() -> InputError:
    return damaged("its pixels cannot be decoded")


def _managed_cmyk(stream: bytes, profile: bytes) -> np.ndarray:
    if not pillow_may_decode_jpeg():
        raise InputError(
            "is a CMYK JPEG with a colour profile, which is read with Pillow 13 or newer (here is "
            "{version}): save it as PNG or as RGB, or run pip install --no-deps 'pillow>=13,<14'",
            PIL.__version__,
        )
    with _opened(io.BytesIO(stream), "JPEG") as image:
        image.info["icc_profile"] = profile
        return _to_rgb(image)


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    turn = _TURNS.get(orientation)
    return np.ascontiguousarray(turn(pixels) if turn else pixels)


def _to_rgb(image: Image.Image) -> np.ndarray:
    colours = colours_of(image.info)
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
    pixels = to_srgb(image, colours)
    return on_white(pixels, alpha) if alpha is not None else np.array(pixels, order="C")


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


def _orientation(image: Image.Image) -> int:
    """Of an image in memory; XMP and other programs' own ways of writing it down turn nothing, as in browsers."""
    exif = image.info.get("exif")
    if isinstance(exif, bytes):
        return orientation_of(exif)
    try:
        return int(getattr(image, "tag_v2", {}).get(0x0112, 1))  # a TIFF that somebody else opened
    except (TypeError, ValueError):
        return 1


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back PIL's warnings: what matters of them becomes the one sentence of an error, the rest helps nobody."""
    with _warning_filter, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
