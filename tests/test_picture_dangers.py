"""Picture files that would do harm: damaged ones, bombs, and the JPEG decoder that must not be reached."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import PIL
import pytest
from picture_parts import chunk, icc, segment, with_segments
from pictures import encoded, png_header, refusal, waves
from PIL import Image, ImageCms, ImageOps

from paints_undo.pictures import files as picture_files
from paints_undo.pictures.pixels import read_picture


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def cmyk_profile() -> bytes:
    """A printer's profile (ICC.1:2001, lut8) whose first ink is orange; the others are grey."""

    def lab(*inks: int) -> bytes:
        first, *others = inks
        light = 255 * (1 - 0.35 * first) * (0 if any(others) else 1)
        return bytes([int(light), 128 + 40 * first * (light > 0), 128 + 70 * first * (light > 0)])

    ramp = bytes(range(256))
    grid = b"".join(lab(*(index >> 3 - i & 1 for i in range(4))) for index in range(16))
    unit = b"".join(struct.pack(">i", 65536 * (i in (0, 4, 8))) for i in range(9))
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + unit + 4 * ramp + grid + 3 * ramp
    name = b"orange ink\0"
    text = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(78)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = {b"desc": text, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": white, b"A2B0": table, b"A2B1": table}
    return icc(tags, 0x02400000, b"prtrCMYKLab ")


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG file with another size in its header than it has."""
    data = bytearray(encoded(Image.fromarray(waves(64, 64)), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def webp_header(width: int, height: int) -> bytes:
    """A WebP file with a canvas of this size."""
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    data = bytearray(encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:]))
    data[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(data)


def gif_header(width: int, height: int, frame: bool = False) -> bytes:
    """A GIF file with this size of its screen, or of its first frame alone."""
    data = bytearray(encoded(Image.new("P", (64, 64)), "GIF"))
    place = data.index(b",") + 5 if frame else 6
    data[place : place + 4] = struct.pack("<HH", width, height)
    return bytes(data)


def scan_bomb() -> bytes:
    """A progressive JPEG whose last scan comes thousands of times."""
    data = encoded(Image.fromarray(waves(2048, 2048)), "JPEG", progressive=True, quality=5)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + 2000 * data[last : last + 300] + data[-2:]


def text_bomb() -> bytes:
    """A PNG with 200 compressed texts of a mebibyte each."""
    text = b"Comment\0\0" + zlib.compress(bytes(2**20))
    header = png_header(64, 64)
    return header[:33] + 200 * chunk(b"zTXt", text) + header[33:]


BOMBS = {
    "PNG": lambda: encoded(Image.new("1", (13_000, 13_000)), "PNG"),
    "PNG header": lambda: png_header(60_000, 60_000),
    "PNG texts": text_bomb,
    "JPEG header": lambda: jpeg_header(60_000, 60_000),
    "JPEG header within the limits": lambda: jpeg_header(4_000, 4_000)[:400],
    "JPEG of two frame headers": lambda: with_segments(
        encoded(Image.new("L", (64, 64)), "JPEG"),
        segment(0xC0, struct.pack(">BHHB", 8, 60_000, 60_000, 1) + b"\1\x11\0"),
    ),
    "JPEG scans": scan_bomb,
    "WebP": lambda: webp_header(16_384, 16_384),
    "GIF screen": lambda: gif_header(65_535, 65_535),
    "GIF frame": lambda: gif_header(65_535, 65_535, frame=True),
}


class TestBadFiles:
    def test_missing_file_and_folder(self, tmp_path: Path) -> None:
        assert "no.png is not a file" in refusal(tmp_path / "no.png")
        assert "is not a file" in refusal(tmp_path)
        assert "is not a file" in refusal("")
        assert "check the path" in refusal("x" * 5000)

    @pytest.mark.parametrize(
        ("size", "word"),
        [
            ((1, 1), "too small"),
            ((1, 4000), "too small"),
            ((31, 64), "too small"),
            ((32, 257), "too narrow"),
            ((20_000, 40), "too narrow"),
            ((20_000, 3201), "too large"),
            ((8001, 8000), "too large"),
            ((60_000, 60_000), "too large"),
        ],
    )
    def test_sizes_are_refused_from_the_header(self, size: tuple[int, int], word: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of Pillow, about bombs
            message = refusal(png_header(*size))
        assert word in message and f"{size[0]} x {size[1]} pixels" in message

    def test_sizes_at_the_limits_are_read(self) -> None:
        assert read_picture(encoded(Image.new("1", (32, 256)), "PNG")).shape == (256, 32, 3)
        for size in ((8000, 8000), (20_000, 3200)):  # past the header: only the missing pixels are complained about
            assert "damaged" in refusal(png_header(*size))

    @pytest.mark.parametrize("shape", [(1, 1, 3), (40, 4000, 3), (0, 40, 3), (31, 40)])
    def test_arrays_and_images_keep_the_same_limits(self, shape: tuple[int, ...]) -> None:
        assert "too " in refusal(np.zeros(shape, np.uint8))
        if 0 not in shape:
            assert "too " in refusal(Image.fromarray(np.zeros(shape, np.uint8)))

    def test_decompression_bombs_take_no_memory(self, tmp_path: Path) -> None:
        """All refused, and the process has grown by less than 100 MB meanwhile; small files are all that it takes."""
        program = (
            "import sys\n"
            "from paints_undo.bench.host_memory import peak_resident_bytes\n"
            "from paints_undo.errors import InputError\n"
            "from paints_undo.pictures.files import read_file\n"
            "before = peak_resident_bytes()\n"
            "for path in sys.argv[1:]:\n"
            "    try: read_file(open(path, 'rb'), 'it')\n"
            "    except InputError as error:\n"
            "        print(peak_resident_bytes() - before, error)\n"
        )
        paths = [tmp_path / str(number) for number in range(len(BOMBS))]
        for path, bomb in zip(paths, BOMBS.values(), strict=True):
            path.write_bytes(bomb())
            assert path.stat().st_size < 3 * 2**20
        done = subprocess.run([sys.executable, "-c", program, *paths], capture_output=True, check=True, timeout=60)
        lines = [line.split(" ", 1) for line in done.stdout.decode().splitlines()]
        for name, (risen, sentence) in zip(BOMBS, lines, strict=True):
            assert int(risen) < 100e6, name
            assert sentence.startswith("it "), name

    def test_a_file_that_is_too_large_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "huge.png"
        with path.open("wb") as file:
            file.truncate(picture_files.MAX_BYTES + 1)
        assert refusal(path) == "huge.png is too large (256 MB, limit 256 MB): make it smaller first"

    def test_too_little_memory_is_one_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(picture_files, "decode", lambda image: np.empty((1 << 60,), np.uint8))
        assert "needs more memory" in refusal(encoded(Image.new("RGB", (64, 64)), "PNG"))


class TestJpegDecoder:
    """Pillow before 13 never gets to decode a JPEG."""

    def jpegs(self) -> dict[str, bytes]:
        image = Image.fromarray(waves(64, 96))
        exif = Image.Exif()
        exif[0x0112] = 6
        files = {mode: encoded(image.convert(mode), "JPEG") for mode in ("RGB", "L", "CMYK")}
        files["progressive"] = encoded(image, "JPEG", progressive=True, exif=exif)
        files["MPO"] = encoded(image, "MPO", save_all=True, append_images=[image])
        files["CMYK with a profile of RGB"] = encoded(image.convert("CMYK"), "JPEG", icc_profile=srgb())
        return files

    @pytest.fixture
    def no_pillow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def reached(*arguments: object) -> None:
            raise SystemExit("Pillow decodes a JPEG")

        monkeypatch.setattr(PIL, "__version__", "12.3.0")
        monkeypatch.setattr(Image.core, "jpeg_decoder", reached)

    @pytest.mark.usefixtures("no_pillow")
    def test_it_is_never_reached(self, tmp_path: Path) -> None:
        with pytest.raises(SystemExit):  # the trap works
            Image.open(io.BytesIO(self.jpegs()["RGB"])).load()
        for name, data in self.jpegs().items():
            path = tmp_path / "picture.png"
            path.write_bytes(data)
            for source in (data, path, Image.open(io.BytesIO(data))):
                shape = (96, 64, 3) if name == "progressive" else (64, 96, 3)
                assert read_picture(source).shape == shape, name

    @pytest.mark.usefixtures("no_pillow")
    def test_what_only_it_could_read_is_refused_with_the_remedy(self) -> None:
        data = encoded(Image.new("CMYK", (64, 96)), "JPEG", icc_profile=cmyk_profile())
        sentence = refusal(data)
        assert "CMYK" in sentence and "12.3.0" in sentence and "pip install --no-deps 'pillow>=13,<14'" in sentence

    def test_both_decoders_give_the_same_pixels(self) -> None:
        for name, data in self.jpegs().items():
            ours = read_picture(data).astype(int)
            theirs = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
            assert np.abs(ours - np.asarray(theirs)).max() <= ("CMYK" in name), name

    def test_cmyk_goes_through_its_profile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(picture_files, "pillow_may_decode_jpeg", lambda: True)  # of a file of our own
        inks = np.zeros((64, 96, 4), np.uint8)
        inks[:, 32:64, 3], inks[:, 64:, 0] = 255, 255
        data = encoded(Image.fromarray(inks, "CMYK"), "JPEG", quality=100, icc_profile=cmyk_profile())
        paper, black, first = read_picture(data)[32, [16, 48, 80]].astype(int)
        assert paper.min() > 250 and black.max() < 5
        assert first[0] > 150 > 60 > first[2]  # the profile says that this first ink is orange, not cyan
