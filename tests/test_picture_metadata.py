"""What a file says beside its pixels decides nothing about them: large, broken, cut off, doubled, in a wrong place."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from picture_parts import chunk, exif, iccp, png, profile, segment, with_segments
from pictures import encoded, refusal, waves
from PIL import Image

from paints_undo.errors import InputError
from paints_undo.pictures.pixels import read_picture

PICTURE = waves(48, 64)
PNG = png(PICTURE)
ANCILLARY = "tEXt zTXt iTXt pHYs gAMA cHRM sRGB sBIT bKGD hIST tIME eXIf sPLT cICP iCCP tRNS acTL mDCV oFFs prVt"
SOUND = {
    b"gAMA": struct.pack(">I", 100_000),
    b"cICP": bytes([12, 13, 0, 1]),
    b"tRNS": struct.pack(">3H", *PICTURE[9, 9]),
}
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)
RAW = b"\nexif\n      38\n" + (b"Exif\0\0" + exif(6)).hex().encode() + b"\n"


def odd_chunks() -> dict[str, bytes]:
    """PNG files whose pixels are sound, and which are to look as if their odd chunks were not there."""
    files = {}
    for name in ANCILLARY.split():
        kind = name.encode()
        content = SOUND.get(kind, b"name\0\0" + bytes(20))
        for length in (0, 1, 3, 5, 77):
            if (name, length) != ("tRNS", 77):  # only its beginning counts: no colour here
                files[f"{name} of {length} bytes"] = png(PICTURE, chunk(kind, b"\x02" * length))
        files[f"{name} with a wrong checksum"] = png(PICTURE, chunk(kind, content, crc=1))
        files[f"{name} after the pixels"] = png(PICTURE, after=(chunk(kind, content),))
        files[f"{name} cut off"] = PNG[:-12] + chunk(kind, bytes(1000))[:500]
        files[f"{name} of a length beyond the file"] = PNG[:-12] + b"\x7f\xff\xff\xff" + kind + bytes(9)
    files["a text of 3 MB"] = png(PICTURE, chunk(b"tEXt", b"Comment\0" + 3 * 2**20 * b"x"))
    files["a packed text of 3 MB"] = png(PICTURE, chunk(b"zTXt", b"C\0\0" + zlib.compress(bytes(3 * 2**20))))
    files["200 packed texts of 1 MB"] = png(PICTURE, 200 * chunk(b"zTXt", b"C\0\0" + zlib.compress(bytes(2**20))))
    files["a text packed in another way"] = png(PICTURE, chunk(b"zTXt", b"C\0\x09abc"))
    files["a profile packed in another way"] = png(PICTURE, iccp(profile("linear", None, 1.0), method=1))
    files["a profile that unpacks to 64 MB"] = png(PICTURE, iccp(bytes(64 * 2**20)))
    files["a profile that ends early"] = png(PICTURE, chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(500))[:-8]))
    files["no end"] = PNG[:-12]
    files["junk after the end"] = PNG + b"junk" * 99
    files["a text between the pixels"] = between_the_pixels()
    files["a palette of no colours in a picture without"] = png(PICTURE, chunk(b"PLTE", b"ab"))
    return files


def between_the_pixels() -> bytes:
    place = PNG.index(b"IDAT") - 4
    pixels = PNG[place + 8 : -16]
    return PNG[:place] + chunk(b"IDAT", pixels[:99]) + chunk(b"tEXt", b"a\0b") + chunk(b"IDAT", pixels[99:]) + PNG[-12:]


ODD_CHUNKS = odd_chunks()


@pytest.mark.parametrize("kind", ODD_CHUNKS)
def test_odd_chunks_of_a_png(kind: str) -> None:
    np.testing.assert_array_equal(read_picture(ODD_CHUNKS[kind]), PICTURE)


def test_pixels_that_are_missing_are_still_told() -> None:
    place = PNG.index(b"IDAT")
    for data in (PNG[: place + 200], PNG[: place - 4] + PNG[-12:], PNG[: place + 200] + PNG[-12:]):
        assert "is damaged or incomplete" in refusal(data)


class TestTransparentColours:
    @pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
    @pytest.mark.parametrize("above", [0, 1 << 15])
    def test_of_grey(self, depth: int, above: int) -> None:
        """Of few bits and of many; bits that the picture does not have are not looked at."""
        most = 2**depth - 1
        values = (np.arange(64) * 997 % (most + 1))[None].repeat(40, 0).astype(np.uint16)
        key = int(values[0, 5])
        stored = values if depth == 16 else values.astype(np.uint8)
        above = above if depth < 16 else 0
        pixels = read_picture(png(stored, chunk(b"tRNS", struct.pack(">H", key | above)), depth=depth))
        seen = values >> 8 if depth == 16 else values * (255 // most)
        np.testing.assert_array_equal(pixels[..., 1], np.where(values == key, 255, seen))

    @pytest.mark.parametrize("depth", [8, 16])
    def test_of_colours(self, depth: int) -> None:
        """A colour that differs in the last bit of one channel is not transparent."""
        values = PICTURE.astype(np.uint16) * (257 if depth == 16 else 1)
        values[:, 32:] = values[20, 20]
        values[:, 48:, 2] ^= 1
        pixels = read_picture(png(values, chunk(b"tRNS", values[20, 40].astype(">u2").tobytes()), depth=depth))
        assert (pixels[:, 32:48] == 255).all()
        np.testing.assert_array_equal(pixels[:, 48:], (values[:, 48:] >> (depth - 8)).astype(np.uint8))

    def test_of_a_palette(self) -> None:
        indices = (np.arange(64) % 4)[None].repeat(40, 0).astype(np.uint8)
        palette, alpha = chunk(b"PLTE", bytes(range(12))), chunk(b"tRNS", b"\0\xff\0")
        seen = np.array([[255] * 3, [3, 4, 5], [255] * 3, [9, 10, 11]])
        np.testing.assert_array_equal(read_picture(png(indices, palette, alpha, depth=2, colour=3)), seen[indices])
        plain = np.arange(12).reshape(4, 3)
        for before in ([palette, chunk(b"tRNS", bytes(300))], [alpha, palette]):  # too long; too early
            np.testing.assert_array_equal(read_picture(png(indices, *before, depth=2, colour=3)), plain[indices])

    def test_indices_beyond_the_palette_have_its_last_colour(self) -> None:
        indices = (np.arange(64) % 4)[None].repeat(40, 0).astype(np.uint8)
        pixels = read_picture(png(indices, chunk(b"PLTE", bytes(range(6))), depth=2, colour=3))
        np.testing.assert_array_equal(pixels, np.arange(6).reshape(2, 3)[indices.clip(0, 1)])


JPEG = encoded(Image.fromarray(PICTURE), "JPEG", quality=92)
SIDEWAYS = segment(0xE1, b"Exif\0\0" + exif(6))
STARTS = (b"", b"J", b"JFIF\0", b"Adobe\0", b"ICC_PROFILE\0", b"ICC_PROFILE\0\1", b"MPF\0", b"Exif\0\0")
SHORT = {f"{m:X} of {len(start)} bytes": segment(m, start) for m in (*range(0xE0, 0xF0), 0xFE) for start in STARTS}
SHORT |= {
    f"{marker:X} of length {length}": segment(marker, b"", length) for marker in range(0xE0, 0xF0) for length in (0, 1)
}


@pytest.mark.parametrize("kind", SHORT)
def test_a_short_segment_hides_nothing(kind: str) -> None:
    expected = np.rot90(read_picture(JPEG), -1)
    np.testing.assert_array_equal(read_picture(with_segments(JPEG, SHORT[kind], SIDEWAYS)), expected)


class TestOrientation:
    def turned(self, data: bytes) -> bool:
        return read_picture(data).shape == (64, 48, 3)

    def test_in_each_format(self) -> None:
        assert self.turned(png(PICTURE, chunk(b"eXIf", exif(6))))
        assert self.turned(with_segments(JPEG, SIDEWAYS))
        for block in (exif(6), b"Exif\0\0" + exif(6)):
            assert self.turned(encoded(Image.fromarray(PICTURE), "WEBP", exif=block))

    def test_in_a_block_whose_other_entries_are_broken(self) -> None:
        entries = (
            struct.pack(">HHII", 0x010F, 2, 99, 99_999) + exif(6)[10:22] + struct.pack(">HHII", 0x8769, 4, 1, 2**32 - 9)
        )
        block = b"MM\0*" + struct.pack(">IH", 8, 3) + entries
        assert self.turned(with_segments(JPEG, segment(0xE1, b"Exif\0\0" + block)))
        assert self.turned(png(PICTURE, chunk(b"eXIf", block)))

    @pytest.mark.parametrize(
        "block", [exif(6, kind=4), exif(9), exif(0), exif(6)[:20], b"MM\0*\xff\xff\xff\xff", b"xx"]
    )
    def test_what_browsers_do_not_follow(self, block: bytes) -> None:
        assert not self.turned(png(PICTURE, chunk(b"eXIf", block)))
        assert not self.turned(with_segments(JPEG, segment(0xE1, b"Exif\0\0" + block)))

    def test_other_ways_of_writing_it_down_turn_nothing(self) -> None:
        texts = [
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
            chunk(b"tEXt", b"Raw profile type exif\0" + RAW),
            chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(RAW)),
        ]
        for data in [png(PICTURE, text) for text in texts]:
            assert not self.turned(data)
            image = Image.open(io.BytesIO(data))
            image.load()
            assert read_picture(image).shape == PICTURE.shape
        assert not self.turned(with_segments(JPEG, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)))
        assert not self.turned(encoded(Image.fromarray(PICTURE), "WEBP", xmp=XMP))


class TestEndOfAJpeg:
    @pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
    @pytest.mark.parametrize("progressive", [False, True])
    def test_a_missing_end_marker(self, mode: str, progressive: bool) -> None:
        data = encoded(Image.fromarray(PICTURE).convert(mode), "JPEG", quality=92, progressive=progressive)
        assert data.endswith(b"\xff\xd9")
        for end in (b"", b"\xff", bytes(50)):
            np.testing.assert_array_equal(read_picture(data[:-2] + end), read_picture(data))

    @pytest.mark.parametrize(("progressive", "end"), [(False, b""), (False, b"\xff\xd9"), (True, b"")])
    def test_missing_pixels_do_not_become_grey(self, progressive: bool, end: bytes) -> None:
        data = encoded(Image.fromarray(PICTURE), "JPEG", quality=92, progressive=progressive)
        first_scan = data.index(b"\xff\xda")
        for part in (0.1, 0.5, 0.8):
            cut = first_scan + int((len(data) - first_scan) * part)
            assert "is damaged or incomplete (its pixels cannot be decoded)" in refusal(data[:cut] + end)

    def test_a_missing_scan(self) -> None:
        data = encoded(Image.fromarray(PICTURE), "JPEG", quality=92, progressive=True)
        assert "is damaged or incomplete" in refusal(data[: data.rindex(b"\xff\xda")])

    def test_a_picture_of_the_grey_that_decoders_paint_where_nothing_is(self) -> None:
        for mode in ("RGB", "L"):
            data = encoded(Image.new(mode, (48, 48), 0x808080 if mode == "RGB" else 128), "JPEG")
            assert (read_picture(data) == 128).all()
            assert (read_picture(data[:-2]) == 128).all()


class TestWebP:
    @pytest.fixture(params=[True, False])
    def parts(self, request: pytest.FixtureRequest) -> tuple[bytes, np.ndarray]:
        """A file with EXIF at its end, and its pixels."""
        options = {"lossless": request.param, "quality": 95}
        plain = encoded(Image.fromarray(PICTURE), "WEBP", **options)
        return encoded(Image.fromarray(PICTURE), "WEBP", exif=exif(1), **options), read_picture(plain)

    def test_what_stands_beside_the_pixels_may_be_broken(self, parts: tuple[bytes, np.ndarray]) -> None:
        data, pixels = parts
        place = data.index(b"EXIF") + 4
        for broken in (
            data[:-5],
            data[:4] + struct.pack("<I", len(data) + 99) + data[8:],
            data[:4] + struct.pack("<I", len(data) - 40) + data[8:],
            data[:place] + b"\xff\xff\xff\x0f" + data[place + 4 :],
            data[: place + 4] + b"\xff" * (len(data) - place - 4),
            data + b"junk",
            data + b"ABCD\4\0\0\0abcd",
        ):
            np.testing.assert_array_equal(read_picture(broken), pixels)
        assert "is damaged or incomplete" in refusal(data[: place - 64]), "pixels that are missing are still told"


def test_what_a_first_frame_of_a_gif_does_not_cover_is_white() -> None:
    image = Image.fromarray(PICTURE).quantize(16)
    data = bytearray(encoded(image, "GIF"))
    place = data.index(b",", 13)
    data[6:10] = struct.pack("<HH", 80, 70)
    data[place + 1 : place + 5] = struct.pack("<HH", 5, 9)
    pixels = read_picture(bytes(data))
    expected = np.full((70, 80, 3), 255)
    expected[9:57, 5:69] = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "GIF", "TIFF", "BMP"])
def test_an_image_whose_file_is_closed(file_format: str, tmp_path: Path) -> None:
    path = tmp_path / "picture"
    path.write_bytes(encoded(Image.fromarray(PICTURE), file_format))
    with Image.open(path) as image:
        pass
    with pytest.raises(InputError) as refused:
        read_picture(image)
    said = "the image's file is closed, and no pixel was read: load() it first, or give its path"
    assert str(refused.value) == said


def test_an_image_that_pillow_opened_is_read_as_its_file(tmp_path: Path) -> None:
    values = (np.arange(64) % 4)[None].repeat(40, 0).astype(np.uint8)
    data = png(values, chunk(b"tRNS", b"\0\1"), depth=2)
    np.testing.assert_array_equal(read_picture(Image.open(io.BytesIO(data))), read_picture(data))
