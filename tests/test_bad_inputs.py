"""Bad picture files, each with the sentence it is answered with: one table, read from top to bottom."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from pictures import encoded, noise, png_header, waves
from PIL import Image
from test_picture_dangers import BOMBS, jpeg_header

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.pictures.pixels import read_picture

PICTURE = Image.fromarray(waves(64, 64))
PNG, JPEG = encoded(PICTURE, "PNG"), encoded(PICTURE, "JPEG")
NOT_READ = "which is not read: save or export the picture as PNG or JPEG"
AGAIN = "save it again as PNG"


def of(file_format: str, mode: str = "RGB") -> bytes:
    return encoded(PICTURE.convert(mode), file_format)


def media(brand: bytes) -> bytes:
    return b"\0\0\0\x20ftyp" + brand + bytes(40)


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
    "a PNG of noise": (png_header(64, 64, noise(500).tobytes()), "is damaged or incomplete"),
    "a PNG of too few pixels": (png_header(64, 64, zlib.compress(bytes(100))), "is damaged or incomplete"),
    "a PNG that is only a header": (PNG[:33], "is damaged or incomplete"),
    "the start of a JPEG": (JPEG[:5], f"is damaged or incomplete (its header ends early): {AGAIN}"),
    "a JPEG that ends in its metadata": (JPEG[:60], "is damaged or incomplete (its header ends early)"),
    "a JPEG without its end": (JPEG[:-200], f"is damaged or incomplete (its pixels cannot be decoded): {AGAIN}"),
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
    "a bomb before a small frame": (BOMBS["JPEG of two frame headers"](), "is too large (60000 x 60000 pixels, limit"),
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


def test_settings_that_are_none() -> None:
    with pytest.raises(InputError, match="these settings are no options but"):
        UndoOptions.from_settings([""])  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(InputError, match="tag is 'yes'; use true or false"):
        UndoOptions(tag="yes")  # type: ignore[arg-type]  # wrong on purpose
