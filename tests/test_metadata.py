"""Settings inside PNG and MP4 files come back whole, and whatever else is in such files becomes one sentence."""

import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from paints_undo.errors import InputError
from paints_undo.images import encode_png, read_picture
from paints_undo.metadata import LONGEST, describe, parse, read_description
from paints_undo.video import read_video, write_video

RECORD = {"settings": {"prompt": 'a "quoted" = ; # \\ \n 絵 🎨 \r\n', "seed": 2**53 + 1, "none": None}, "timeline": []}
PICTURE = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)


@pytest.fixture
def png(tmp_path):
    (tmp_path / "a.png").write_bytes(encode_png(PICTURE, describe(RECORD)))
    return tmp_path / "a.png"


@pytest.fixture
def mp4(tmp_path):
    write_video(np.stack([PICTURE] * 3), tmp_path / "a.mp4", 4, describe(RECORD))
    return tmp_path / "a.mp4"


def test_png_and_mp4_give_everything_back(png, mp4):
    assert read_description(png) == read_description(mp4) == RECORD
    assert np.array_equal(read_picture(png), PICTURE)
    assert len(read_video(mp4)) == 3
    with Image.open(png) as opened:  # where other programs look for it
        assert json.loads(opened.text["Comment"])["program"] == "Paints-UNDO"


def test_a_long_description(tmp_path):
    record = {"prompt": "=;\\" * 30_000}
    write_video(np.stack([PICTURE]), tmp_path / "a.mp4", 4, describe(record))
    assert read_description(tmp_path / "a.mp4") == record


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def itxt(text):
    return chunk(b"iTXt", b"Comment\0\0\0\0\0" + text)


PNG = b"\x89PNG\r\n\x1a\n"
MP4 = struct.pack(">I", 16) + b"ftypisom\0\0\0\0"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "neither a PNG nor an MP4"),
        (b"\xff\xd8\xff\xe0 JPEG", "neither a PNG nor an MP4"),
        (PNG, "holds no settings"),
        (PNG + b"\0\0", "holds no settings"),
        (PNG + chunk(b"IEND", b"") * 20_000, "holds no settings"),
        (PNG + struct.pack(">I", 2**31) + b"IDAT", "holds no settings"),
        (PNG + itxt(b"made with love"), "of another program or damaged"),
        (PNG + itxt(b"[1, 2]"), "of another program or damaged"),
        (PNG + itxt(b'{"program": "other"}'), "of another program"),
        (PNG + itxt(b"\xff\xfe"), "of another program or damaged"),
        (PNG + itxt(b"[" * 100_000), "of another program or damaged"),
        (PNG + struct.pack(">I", LONGEST + 1) + b"iTXt", "this program writes at most"),
        (PNG + struct.pack(">I", 500) + b"iTXtComment", "ends too early"),
        (MP4, "holds no settings"),
        (MP4 + struct.pack(">I", 4) + b"moov", "holds no settings"),
        (MP4 + (struct.pack(">I", 8) + b"free") * 20_000, "holds no settings"),
        (MP4 + struct.pack(">I", 1) + b"moov", "cannot be read"),
        (MP4 + struct.pack(">I", 0) + b"moov" + b"\0\0\0\x10udta" + b"\0\0\0\x0cmeta\0\0\0\0", "holds no settings"),
    ],
)
def test_foreign_and_broken_files_are_one_sentence(tmp_path, content, said):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=said) as refused:
        read_description(tmp_path / "x")
    assert str(tmp_path) not in str(refused.value) and "\n" not in str(refused.value)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_description(tmp_path / "nothing.png")


def test_cut_anywhere_it_is_still_one_sentence(png, mp4, tmp_path):
    for whole in (png.read_bytes(), mp4.read_bytes()):
        for length in range(0, len(whole), 97):
            (tmp_path / "cut").write_bytes(whole[:length])
            try:
                assert read_description(tmp_path / "cut") == RECORD
            except InputError:
                continue


def test_pictures_of_other_programs(tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "Steps: 20, Sampler: Euler a")
    texts.add_itxt("Comment", "compressed", zip=True)
    Image.fromarray(PICTURE).save(tmp_path / "a.png", pnginfo=texts)
    with pytest.raises(InputError, match="holds no settings"):
        read_description(tmp_path / "a.png")


def test_parse():
    assert parse(b'{"a": 1}') == {"a": 1}
