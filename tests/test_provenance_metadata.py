"""Records inside picture and video files come back whole, and whatever else is in such files becomes one sentence."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from paints_undo.errors import InputError
from paints_undo.pictures.pixels import encode_png, read_picture
from paints_undo.pictures.video import read_video, write_video
from paints_undo.provenance.embedding import embed
from paints_undo.provenance.metadata import read_description, read_record
from paints_undo.provenance.records import LONGEST, Record, xmp_packet

RECORD = Record(
    "keyframe", settings={"prompt": 'a "quoted" = ; # \\ \n 絵 🎨 \r\n', "seed": 2**53 + 1, "none": None}, id="a"
)
PICTURE = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("metadata")


@pytest.fixture(scope="module")
def png(folder):
    (folder / "a.png").write_bytes(embed(encode_png(PICTURE), RECORD))
    return folder / "a.png"


@pytest.fixture(scope="module")
def mp4(folder):
    write_video(np.stack([PICTURE] * 3), folder / "a.mp4", 4, RECORD)
    return folder / "a.mp4"


@pytest.fixture(scope="module")
def animated(folder):
    """A GIF and a WebP of three pictures each."""
    pictures = [Image.fromarray(np.roll(PICTURE, place, 0)) for place in range(3)]
    for kind in ("gif", "webp"):
        path = folder / f"a.{kind}"
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=250, loop=0)
        path.write_bytes(embed(path.read_bytes(), RECORD))
    return folder / "a.gif", folder / "a.webp"


def test_every_kind_of_file_gives_everything_back(png, mp4, animated):
    for path in (png, mp4, *animated):
        assert read_record(path) == RECORD
        assert read_description(path) == RECORD.to_dict()
    assert np.array_equal(read_picture(png), PICTURE)
    assert len(read_video(mp4)) == 3


def test_a_long_record(tmp_path):
    record = Record("timelapse", settings={"prompt": "=;\\" * 30_000})
    write_video(np.stack([PICTURE]), tmp_path / "a.mp4", 4, record)
    assert read_record(tmp_path / "a.mp4") == record


def test_xmp_is_enough(png, mp4, tmp_path):
    """Some programs keep the XMP of a file and drop its comment."""
    (tmp_path / "a.png").write_bytes(png.read_bytes().replace(b"Comment\0", b"Xomment\0"))
    (tmp_path / "a.mp4").write_bytes(mp4.read_bytes().replace(b"\xa9cmt", b"\xa9xmt"))
    assert read_record(tmp_path / "a.png") == read_record(tmp_path / "a.mp4") == RECORD


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def itxt(text):
    return chunk(b"iTXt", b"Comment\0\0\0\0\0" + text)


PNG = b"\x89PNG\r\n\x1a\n"
MP4 = struct.pack(">I", 16) + b"ftypisom\0\0\0\0"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no PNG, MP4, GIF or WebP"),
        (b"\xff\xd8\xff\xe0 JPEG", "no PNG, MP4, GIF or WebP"),
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


def test_cut_anywhere_it_is_still_one_sentence(png, mp4, animated, tmp_path):
    for whole in (path.read_bytes() for path in (png, mp4, *animated)):
        for length in range(0, len(whole), 97):
            (tmp_path / "cut").write_bytes(whole[:length])
            try:
                assert read_record(tmp_path / "cut") in (RECORD, None)
            except InputError:
                continue


def test_pictures_of_other_programs(tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "Steps: 20, Sampler: Euler a")
    texts.add_itxt("Comment", "compressed", zip=True)
    Image.fromarray(PICTURE).save(tmp_path / "a.png", pnginfo=texts)
    with pytest.raises(InputError, match="holds no settings"):
        read_description(tmp_path / "a.png")


def test_a_file_without_a_record(folder, animated):
    path = folder / "plain.webp"
    Image.fromarray(PICTURE).save(path)
    assert read_record(path) is None
    path = folder / "other.gif"
    Image.fromarray(PICTURE).save(path, comment="made with love")
    assert read_record(path) is None


def test_a_huge_packet_in_a_gif_is_not_read(folder, animated):
    record = Record("frame", settings={"prompt": "x" * LONGEST})
    block = b"!\xff\x0bXMP DataXMP" + xmp_packet(record) + b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    (folder / "huge.gif").write_bytes(animated[0].read_bytes()[:13] + b"\0" * 0 + block)
    with open(folder / "huge.gif", "r+b") as file:
        file.seek(10)
        file.write(b"\0")  # no table of colours
    with pytest.raises(InputError, match="this program writes at most"):
        read_record(folder / "huge.gif")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_change_of_a_byte_ends_the_reader(data, png, mp4, animated, folder):
    whole = bytearray(data.draw(st.sampled_from([png, mp4, *animated])).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place : place + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    (folder / "changed").write_bytes(whole)
    try:
        read_record(folder / "changed")
    except InputError as error:
        assert "\n" not in str(error) and str(folder) not in str(error)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([PNG, MP4, b"GIF89a", b"RIFF\0\0\0\0WEBP"]), st.binary(max_size=300))
def test_no_bytes_end_the_reader(tmp_path_factory, start, rest):
    path = tmp_path_factory.getbasetemp() / "bytes"
    path.write_bytes(start + rest)
    try:
        assert read_record(path) is None
    except InputError:
        return
