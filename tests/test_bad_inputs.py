"""Bad inputs of every door, each with the sentence it is answered with: one table, read from top to bottom."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
from pictures import encoded, noise, png_header, waves
from PIL import Image
from test_picture_dangers import BOMBS, cmyk_profile, jpeg_header

from paints_undo.errors import CheckpointError, InputError
from paints_undo.execution.plans import parse_budget
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pictures.pixels import read_picture

PICTURE = Image.fromarray(waves(64, 64))
PNG, JPEG = encoded(PICTURE, "PNG"), encoded(PICTURE, "JPEG")
NOT_READ = "which is not read: save or export the picture as PNG or JPEG"
AGAIN = "save it again as PNG"


def of(file_format: str, mode: str = "RGB") -> bytes:
    return encoded(PICTURE.convert(mode), file_format)


def media(brand: bytes) -> bytes:
    return b"\0\0\0\x20ftyp" + brand + bytes(40)


def without_end() -> bytes:
    return JPEG[:-200]


def png_of(bits: bytes) -> bytes:
    """A PNG whose compressed pixels are these bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + size + chunk(b"IDAT", bits) + chunk(b"IEND", b"")


# what it is -> (content, how the sentence goes on after the file's name)
FILES: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "is empty (0 bytes), not a picture: choose the file again"),
    "one byte": (b"\x89", "is not a readable picture: use a PNG, JPEG, WebP or GIF file"),
    "text": (b"hello", "is not a readable picture: use a PNG"),
    "zeros": (bytes(10_000), "is not a readable picture"),
    "a pickle": (b"\x80\x04\x95" + bytes(50), "is not a readable picture"),
    "a Windows program": (b"MZ" + bytes(100), "is not a readable picture"),
    "a SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", f"is an SVG drawing or a web page, {NOT_READ}"),
    "a web page": (b"\n<!DOCTYPE html><p>404", f"is an SVG drawing or a web page, {NOT_READ}"),
    "a PSD": (b"8BPS\0\1" + bytes(40), f"is a Photoshop document (PSD), {NOT_READ}"),
    "a CLIP": (b"CSFCHUNK" + bytes(40), f"is a Clip Studio Paint file, {NOT_READ}"),
    "a XCF": (b"gimp xcf v011" + bytes(40), f"is a GIMP file (XCF), {NOT_READ}"),
    "a ZIP": (b"PK\x03\x04" + bytes(40), "is an archive or a drawing program's document"),
    "a PDF": (b"%PDF-1.7" + bytes(40), f"is a PDF, {NOT_READ}"),
    "a BMP": (of("BMP"), f"is a BMP, {NOT_READ}"),
    "a TIFF": (of("TIFF"), f"is a TIFF or a camera's raw file, {NOT_READ}"),
    "an ICO": (of("ICO"), f"is a Windows icon (ICO), {NOT_READ}"),
    "a DDS": (of("DDS"), f"is a DDS texture, {NOT_READ}"),
    "a JPEG 2000": (of("JPEG2000"), f"is a JPEG 2000 picture, {NOT_READ}"),
    "a JPEG XL": (b"\xff\x0a" + bytes(40), f"is a JPEG XL picture, {NOT_READ}"),
    "an AVIF": (media(b"avif"), f"is an AVIF picture, {NOT_READ}"),
    "a HEIC": (media(b"heic"), f"is a HEIC picture, {NOT_READ}"),
    "a video": (media(b"isom"), f"is a video (MP4 or MOV), {NOT_READ}"),
    "a WebM": (b"\x1aE\xdf\xa3" + bytes(40), f"is a video (WebM or Matroska), {NOT_READ}"),
    "a PPM": (of("PPM"), "is not a readable picture"),
    "a TGA": (of("TGA"), "is not a readable picture"),
    "the start of a PNG": (PNG[:10], f"is damaged or incomplete (its header ends early): {AGAIN}"),
    "half a PNG": (PNG[: len(PNG) // 2], "is damaged or incomplete"),
    "a PNG of noise": (png_of(noise(500).tobytes()), "is damaged or incomplete"),
    "a PNG of too few pixels": (png_of(zlib.compress(bytes(100))), "is damaged or incomplete"),
    "a PNG that is only a header": (PNG[:33], "is damaged or incomplete"),
    "the start of a JPEG": (JPEG[:5], f"is damaged or incomplete (its header ends early): {AGAIN}"),
    "a JPEG that ends in its metadata": (JPEG[:60], "is damaged or incomplete (its header ends early)"),
    "a JPEG without its end": (without_end(), f"is damaged or incomplete (its pixels cannot be decoded): {AGAIN}"),
    "a JPEG of fill bytes": (b"\xff\xd8" + b"\xff" * 30_000, "is damaged or incomplete"),
    "a JPEG without tables": (JPEG.replace(b"\xff\xdb", b"\xff\xfe"), "is damaged or incomplete (its pixels cannot"),
    "a JPEG without lines": (jpeg_header(64, 0), "is too small (64 x 0 pixels, at least 32 on each side)"),
    "half a WebP": (of("WEBP")[:200], "is damaged or incomplete"),
    "a WebP of no kind": (b"RIFF\0\0\0\0WEBPVP9 " + bytes(40), "is damaged or incomplete (its header ends early)"),
    "the start of a GIF": (b"GIF89a\1", "is damaged or incomplete (its header ends early)"),
    "half a GIF": (of("GIF")[:300], "is damaged or incomplete"),
    "a GIF of a first frame beyond measure": (BOMBS["GIF frame"](), "is too large (over 64 megapixels): make it"),
    "a dot": (png_header(1, 1), "is too small (1 x 1 pixels, at least 32 on each side): use a larger picture"),
    "a line": (png_header(40, 4000), "is too narrow (40 x 4000 pixels, sides at most 8:1): crop it first"),
    "a bomb": (png_header(20_000, 20_000), "is too large (20000 x 20000 pixels, limit 64 megapixels): make it smaller"),
    "a bomb of scans": (BOMBS["JPEG scans"](), "has 2010 scans, which would take hours (limit 500)"),
    "a bomb of texts": (BOMBS["PNG texts"](), "is damaged or incomplete (image file is truncated"),
}


@pytest.mark.parametrize("kind", FILES)
def test_picture_files(kind: str, tmp_path: Path) -> None:
    content, sentence = FILES[kind]
    path = tmp_path / "upload.png"  # the content decides, not the name
    path.write_bytes(content)
    for source, name in ((path, "upload.png"), (content, "the uploaded file")):
        with pytest.raises(InputError) as refused:
            read_picture(source)
        said = str(refused.value)
        assert said.startswith(f"{name} {sentence}") and len(said.splitlines()) == 1 and str(tmp_path) not in said


def test_cmyk_with_a_profile_on_an_old_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PIL, "__version__", "12.3.0")
    data = encoded(Image.new("CMYK", (64, 64)), "JPEG", icc_profile=cmyk_profile())
    with pytest.raises(InputError, match="is a CMYK JPEG with a colour profile, which is read with Pillow 13 or newer"):
        read_picture(io.BytesIO(data).getvalue())


def drawing(**values: Any) -> Callable[[], object]:
    return lambda: KeyframeOptions(**values)


def filling(**values: Any) -> Callable[[], object]:
    return lambda: SegmentOptions(**values)


# a sentence -> what asks for it
CALLS: dict[str, Callable[[], object]] = {
    "nothing.png is not a file: check the path": lambda: read_picture("nothing.png"),
    "a picture cannot be read from NoneType": lambda: read_picture(None),  # type: ignore[arg-type]  # wrong on purpose
    "the array has the dtype float32, but a picture must be uint8": lambda: read_picture(np.zeros((40, 40, 3), "f4")),
    "the array has the shape (2, 40, 40, 3)": lambda: read_picture(np.zeros((2, 40, 40, 3), np.uint8)),
    "the image holds 32-bit numbers": lambda: read_picture(Image.new("F", (40, 40))),
    "sampling steps is 0; use a whole number from 1 to 100": drawing(sampling_steps=0),
    "sampling steps is 2.7; use a whole number": drawing(sampling_steps=2.7),
    "sampling steps is '50'; use a whole number": drawing(sampling_steps="50"),
    "sampling steps is None; use a whole number": drawing(sampling_steps=None),
    "guidance scale is nan; use a number from 1 to 32": drawing(guidance_scale=float("nan")),
    "guidance scale is inf; use a number": drawing(guidance_scale=float("inf")),
    "seed is -1; use a whole number from 0 to 4294967295": drawing(seed=-1),
    "seed is True; use a whole number": drawing(seed=True),
    "width is 5000; use a whole number from 16 to 4096": drawing(width=5000),
    "operation steps are empty; give at least one": drawing(operation_steps=[]),
    "operation step is 1000; use a whole number from 0 to 999": drawing(operation_steps=[1000]),
    "operation step 400 is given 2000 times": drawing(operation_steps=[400] * 2000),
    "operation steps are '400'; give a list": drawing(operation_steps="400"),
    "prompt has 1,000,000 characters; use at most 10,000": drawing(prompt="x" * 1_000_000),
    "prompt is 7; use text": drawing(prompt=7),
    "frame stride is 0; use a whole number from 1 to 60": filling(frame_stride=0),
    "guidance interval is [3]; give two whole numbers": filling(guidance_interval=[3]),
    "fps is 61; use a whole number from 1 to 60": lambda: UndoOptions(fps=61),
    "tag is 'yes'; use true or false": lambda: UndoOptions(tag="yes"),  # type: ignore[arg-type]  # wrong on purpose
    "these settings are no options but": lambda: UndoOptions.from_settings([""]),  # type: ignore[arg-type]  # wrong on purpose
    "vram is 'much'; use auto, or the GiB": lambda: parse_budget("much"),
}


@pytest.mark.parametrize("sentence", CALLS)
def test_calls(sentence: str) -> None:
    with pytest.raises((InputError, CheckpointError)) as refused:
        CALLS[sentence]()
    assert str(refused.value).startswith(sentence) and len(str(refused.value).splitlines()) == 1


def test_there_are_enough_of_them_and_no_two_are_the_same() -> None:
    assert len({content for content, _ in FILES.values()}) == len(FILES) >= 40
    assert len(FILES) + len(CALLS) >= 70
