"""Pictures as arrays: read from anything a user may hand in, cropped, turned into tensors and back, encoded.

Outside this file and ``video.py`` a picture is a uint8 RGB array (H, W, 3); inside the networks it is float -1..1.
"""

from __future__ import annotations

import contextlib
import io
import logging
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageCms, PngImagePlugin

from paints_undo.errors import InputError

log = logging.getLogger(__name__)

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 64_000_000
MIN_SIDE = 32  # pixels
MAX_RATIO = 8  # longer side : shorter side

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
_warning_filter = threading.Lock()  # warnings.catch_warnings swaps one list of the whole process


def read_picture(source: str | Path | bytes | Image.Image | np.ndarray) -> np.ndarray:
    """Return a picture as a fresh uint8 array (H, W, 3), RGB in sRGB, upright, transparency composited on white.

    The first frame of an animation counts, and 16-bit values are scaled to 8. Sizes are checked in the file's header,
    before a pixel is decoded.

    Args:
        source: the path or the content of a PNG, JPEG, WebP, GIF, BMP or TIFF file, a PIL image, or a uint8 array
            (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA.

    Raises:
        InputError: no such file, no picture, an unsupported format or number type, a damaged file, a side under 32
            pixels, more than 64 megapixels, or sides further apart than 8:1.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        return _decode(source, "the image")
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _read_file(io.BytesIO(source), "the uploaded file")
    if not isinstance(source, (str, Path)):
        raise InputError(
            f"a picture cannot be read from {type(source).__name__}: give a path, the bytes of a file, a PIL image or "
            "a uint8 array"
        )
    path = Path(source)
    name = path.name or str(source)
    try:
        if not path.is_file():
            raise InputError(f"{name} is not a file: check the path")
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{name} cannot be opened ({error.strerror}): check the path and its permissions") from error
    with file:
        return _read_file(file, name)


def crop_to(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return uint8 (height, width, 3): the whole picture scaled to cover that size, then cut at the centre.

    Both enlarging and shrinking use cv2.INTER_AREA, and half of the surplus is rounded down, because the networks
    were run on such pictures.
    """
    if width < 1 or height < 1:
        raise InputError(f"width and height are {width} x {height}, but both must be at least 1")
    old_height, old_width = picture.shape[:2]
    scale = max(height / old_height, width / old_width)
    new_width, new_height = round(old_width * scale), round(old_height * scale)
    scaled = cv2.resize(np.ascontiguousarray(picture), (new_width, new_height), interpolation=cv2.INTER_AREA)
    left, top = (new_width - width) // 2, (new_height - height) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def nearest_bucket(height: int, width: int, sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the (height, width) among ``sizes`` closest in shape to a picture; ties go to the later one.

    Closest is the smallest \\|height * bucket_width - width * bucket_height\\|.
    """
    if not sizes:
        raise InputError("sizes is empty: name at least one (height, width)")
    return tuple(min(reversed(sizes), key=lambda size: abs(height * size[1] - width * size[0])))


def size_like(height: int, width: int, area: int, multiple: int) -> tuple[int, int]:
    """Return the (width, height) in a picture's shape with about `area` pixels, each side a multiple of `multiple`."""
    scale = (area / (height * width)) ** 0.5
    return tuple(max(1, round(side * scale / multiple)) * multiple for side in (width, height))


def pixels_to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """Return float32 (n, 3, H, W) in -1..1, contiguous, from uint8 (n, H, W, 3) or one picture (H, W, 3)."""
    if pictures.dtype != np.uint8 or pictures.ndim not in (3, 4) or pictures.shape[-1] != 3:
        raise InputError(
            f"pictures are {pictures.dtype} {pictures.shape}, but they must be uint8 (n, height, width, 3): read them "
            "with read_picture"
        )
    stack = pictures if pictures.ndim == 4 else pictures[None]
    # Contiguous planes on purpose: channels-last normalisation loses precision on a constant picture (a white canvas).
    planes = np.ascontiguousarray(stack.transpose(0, 3, 1, 2)).astype(np.float32)
    return torch.from_numpy(planes / np.float32(127.5) - np.float32(1))


def tensor_to_pixels(tensor: torch.Tensor) -> np.ndarray:
    """Return uint8 (n, H, W, 3) from (n, 3, H, W) in -1..1: scaled, clipped to 0..255 and truncated, not rounded.

    Raises:
        FloatingPointError: a value is NaN or infinite; as a picture it would be black without a word.
    """
    values = tensor.detach().float()
    if not torch.isfinite(values).all():
        bad = int((~torch.isfinite(values)).sum())
        raise FloatingPointError(
            f"{bad} of {values.numel()} decoded values are not finite: use a wider dtype (bf16 or fp32)"
        )
    pixels = (values * 127.5 + 127.5).clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def pixels_to_unit(pictures: np.ndarray) -> torch.Tensor:
    """Return float32 (n, H, W, 3) in 0..1 from uint8 (n, H, W, 3): pictures as other programs hand them around."""
    return torch.from_numpy(pictures.astype(np.float32) / np.float32(255))


def unit_to_pixels(pictures: torch.Tensor | np.ndarray) -> np.ndarray:
    """Return uint8 from floats in 0..1 of any shape: clipped and rounded, so that it undoes pixels_to_unit.

    Raises InputError for values that are not finite.
    """
    values = torch.as_tensor(pictures).detach().float().cpu().numpy()
    if not np.isfinite(values).all():
        raise InputError("a picture holds values that are not finite: give floats from 0 to 1")
    return (values.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def encode_png(picture: np.ndarray, comment: str = "") -> bytes:
    """Return the bytes of a PNG file with exactly the pixels of a uint8 picture (H, W, 3), and a comment (iTXt)."""
    buffer = io.BytesIO()
    texts = PngImagePlugin.PngInfo()
    if comment:
        texts.add_itxt("Comment", comment)
    Image.fromarray(picture).save(buffer, "PNG", pnginfo=texts)
    return buffer.getvalue()


def _from_array(array: np.ndarray) -> np.ndarray:
    if array.dtype != np.uint8:
        raise InputError(
            f"the array has the dtype {array.dtype}, but a picture must be uint8 with values 0..255: scale and convert "
            "it first"
        )
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise InputError(
            f"the array has the shape {array.shape}, but a picture must be (height, width), (height, width, 3) or "
            "(height, width, 4): select one picture with its channels last"
        )
    _check_size(array.shape[1], array.shape[0], "the array")
    if array.shape[2] == 4:
        return _on_white(array[..., :3], array[..., 3])
    return np.array(np.broadcast_to(array, (*array.shape[:2], 3)), order="C")


def _read_file(file: io.BufferedIOBase, name: str) -> np.ndarray:
    try:
        with _quiet():
            image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise InputError(
            f"{name} is too large (over {MAX_PIXELS // 10**6} megapixels): make it smaller first"
        ) from error
    except Exception as error:  # PIL raises nearly anything on a damaged header
        raise InputError(f"{name} is not a readable picture: use a PNG, JPEG, WebP, GIF, BMP or TIFF file") from error
    with image:
        return _decode(image, name)


def _decode(image: Image.Image, name: str) -> np.ndarray:
    _check_size(image.width, image.height, name)
    try:
        image.load()
        pixels = _to_rgb(image)
    except InputError as error:
        raise InputError(f"{name} {error}") from None
    except Exception as error:  # PIL raises nearly anything on damaged content
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InputError(f"{name} is damaged or incomplete ({reason}): save it again as PNG") from error
    turn = _TURNS.get(_orientation(image))
    return np.ascontiguousarray(turn(pixels) if turn else pixels)


def _check_size(width: int, height: int, name: str) -> None:
    size = f"{width} x {height} pixels"
    if width * height > MAX_PIXELS:
        raise InputError(f"{name} is too large ({size}, limit {MAX_PIXELS // 10**6} megapixels): make it smaller first")
    if min(width, height) < MIN_SIDE:
        raise InputError(f"{name} is too small ({size}, at least {MIN_SIDE} on each side): use a larger picture")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise InputError(f"{name} is too narrow ({size}, sides at most {MAX_RATIO}:1): crop it first")


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
    return _on_white(colours, alpha) if alpha is not None else np.array(colours, order="C")


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
                return ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
        except (ImageCms.PyCMSError, ImportError, OSError, TypeError, ValueError) as error:
            log.info("the colour profile is ignored: %s", error)
    return image.convert("RGB")


def _on_white(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return uint8 (H, W, 3): round(colour * a + 255 * (1 - a)) with a = alpha / 255, exactly."""
    pixels = np.empty((*alpha.shape, 3), np.uint8)
    for top in range(0, len(alpha), 256):  # in bands: the 16-bit products of a whole large picture need gigabytes
        rows = slice(top, top + 256)
        weight = alpha[rows, :, None].astype(np.uint16)
        # At most 255 * 255 + 127, which still fits 16 bits; no quotient lies halfway, since 255 is odd.
        pixels[rows] = (colours[rows] * weight + 255 * (255 - weight) + 127) // 255
    return pixels


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
