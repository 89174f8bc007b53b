"""Records put into finished files: what is shown stays, others find them, and they are read back with suspicion.

Whatever else is in such files becomes one sentence.
"""

from __future__ import annotations

import io
import struct
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_parts import chunk
from PIL import Image, PngImagePlugin
from PIL.PngImagePlugin import PngImageFile

from paints_undo.errors import InputError
from paints_undo.pictures.video import read_video, write_video
from paints_undo.provenance.embedding import embed
from paints_undo.provenance.metadata import read_description, read_record
from paints_undo.provenance.records import LONGEST, Record, xmp_packet

HARD = {"prompt": 'a "quoted" = ; # \\ \n 絵 🎨 \r\n', "seed": 2**53 + 1, "none": None}
RECORD = Record("export", settings={"options": {"keyframes": HARD}}, version="0.1.0", id="a")
PICTURE = np.random.default_rng(0).integers(0, 256, (33, 41, 3), dtype=np.uint8)
PNG = b"\x89PNG\r\n\x1a\n"
MP4 = struct.pack(">I", 16) + b"ftypisom\0\0\0\0"


def encoded(kind: str, frames: int = 1, **options) -> bytes:
    pictures = [Image.fromarray(np.roll(PICTURE, place, 0)) for place in range(frames)]
    if options.pop("alpha", False):
        pictures = [picture.convert("RGBA") for picture in pictures]
        pictures[0].putpixel((0, 0), (1, 2, 3, 0))
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": pictures[1:], "duration": 250, "loop": 0} if frames > 1 else {}
    pictures[0].save(buffer, kind, **more, **options)
    return buffer.getvalue()


def shown(data: bytes) -> list[np.ndarray]:
    with Image.open(io.BytesIO(data)) as image:
        count = getattr(image, "n_frames", 1)
        return [np.asarray((image.seek(place), image.convert("RGBA"))[1]) for place in range(count)]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((kind, {"frames": count}) for kind in ("PNG", "GIF", "WEBP") for count in (1, 3)),
        *(("WEBP", options) for options in ({"lossless": True}, {"alpha": True}, {"lossless": True, "alpha": True})),
    ],
)
def test_pictures_stay_and_other_programs_find_the_packet(kind, options, tmp_path):
    plain = encoded(kind, **options)
    data = embed(plain, RECORD)
    before, after = shown(plain), shown(data)
    assert len(before) == len(after) == options.get("frames", 1)
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))
    if kind == "WEBP":
        assert int.from_bytes(data[4:8], "little") == len(data) - 8 and data[12:16] == b"VP8X"
    (tmp_path / "plain").write_bytes(plain)
    (tmp_path / "a").write_bytes(data)
    assert read_record(tmp_path / "plain") is None and read_record(tmp_path / "a") == RECORD
    if len(after) > 1:  # ffmpeg's decoders share nothing with Pillow's
        assert frames_of_ffmpeg(tmp_path / "a") == frames_of_ffmpeg(tmp_path / "plain") == 3
    with Image.open(io.BytesIO(data)) as image:
        if isinstance(image, PngImageFile):
            assert image.text["Comment"] == RECORD.to_json()
        if isinstance(image, PngImageFile) and len(after) > 1:  # at the end, in what Pillow has when it has read all
            assert image.text["XML:com.adobe.xmp"].encode() == xmp_packet(RECORD)
        elif kind == "GIF":  # of which Pillow reads none; its walk over the blocks is what has to end well
            assert b"!\xff\x0bXMP DataXMP" + xmp_packet(RECORD) + b"\x01\xff\xfe" in data
        else:
            assert image.info["xmp"] == xmp_packet(RECORD)
            assert image.getxmp()["xmpmeta"]["RDF"]["Description"]["CreatorTool"] == "Paints-UNDO 0.1.0"


def frames_of_ffmpeg(file) -> int:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", file, "-f", "framecrc", "-"]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    return sum(line.startswith(b"0,") for line in said.splitlines())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("metadata")


@pytest.fixture(scope="module")
def mp4(folder):
    write_video(np.stack([PICTURE] * 3), folder / "a.mp4", 4, RECORD)
    return folder / "a.mp4"


@pytest.fixture(scope="module")
def files(folder, mp4):
    """One of every kind."""
    for kind, count in (("PNG", 1), ("GIF", 3), ("WEBP", 3)):
        (folder / f"a.{kind.lower()}").write_bytes(embed(encoded(kind, frames=count), RECORD))
    return [folder / "a.png", mp4, folder / "a.gif", folder / "a.webp"]


def test_every_kind_of_file_gives_everything_back(files, mp4, tmp_path):
    for path in files:
        assert read_record(path) == RECORD and read_description(path) == RECORD.to_dict()
    assert len(read_video(mp4)) == 3
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", mp4, "-f", "ffmetadata", "-"]
    tags = subprocess.run(command, capture_output=True, check=True, text=True, encoding="utf-8").stdout
    assert "made by AI" in tags and "digital_source_type" in tags.replace("\\", "")
    assert mp4.read_bytes().endswith(xmp_packet(RECORD))
    # some programs keep the XMP of a file and drop its comment
    for path, comment, other in ((files[0], b"Comment\0", b"Xomment\0"), (mp4, b"\xa9cmt", b"\xa9xmt")):
        (tmp_path / "a").write_bytes(path.read_bytes().replace(comment, other))
        assert read_record(tmp_path / "a") == RECORD


def test_videos_take_long_records_and_packets_when_they_are_finished(tmp_path):
    record = Record("timelapse", settings={"prompt": "=;\\" * 30_000})
    write_video(np.stack([PICTURE]), tmp_path / "a.mp4", 4, record)
    assert read_record(tmp_path / "a.mp4") == record
    write_video(np.stack([PICTURE] * 2), tmp_path / "b.mp4", 4)
    assert read_record(tmp_path / "b.mp4") is None
    (tmp_path / "b.mp4").write_bytes(embed((tmp_path / "b.mp4").read_bytes(), RECORD))
    assert read_record(tmp_path / "b.mp4") == RECORD


def test_other_files_are_refused():
    for data in (b"", b"\xff\xd8\xff JPEG", b"GIF89a cut", encoded("TIFF")):
        with pytest.raises(InputError, match="goes into PNG, APNG, GIF, WebP and MP4 files"):
            embed(data, RECORD)


def itxt(text):
    return chunk(b"iTXt", b"Comment\0\0\0\0\0" + text)


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
        (None, "cannot be read"),
    ],
)
def test_foreign_and_broken_files_are_one_sentence(tmp_path, content, said):
    if content is not None:
        (tmp_path / "x").write_bytes(content)
    with pytest.raises(InputError, match=said) as refused:
        read_description(tmp_path / "x")
    assert str(tmp_path) not in str(refused.value) and "\n" not in str(refused.value)


def test_cut_anywhere_it_is_still_one_sentence(files, tmp_path):
    for whole in (path.read_bytes() for path in files):
        for length in range(0, len(whole), 97):
            (tmp_path / "cut").write_bytes(whole[:length])
            try:
                assert read_record(tmp_path / "cut") in (RECORD, None)
            except InputError:
                continue


def test_files_of_other_programs(tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "Steps: 20, Sampler: Euler a")
    texts.add_itxt("Comment", "compressed", zip=True)
    Image.fromarray(PICTURE).save(tmp_path / "a.png", pnginfo=texts)
    with pytest.raises(InputError, match="holds no settings"):
        read_description(tmp_path / "a.png")
    Image.fromarray(PICTURE).save(tmp_path / "a.gif", comment="made with love")
    assert read_record(tmp_path / "a.gif") is None
    packet = xmp_packet(Record("frame", settings={"prompt": "x" * LONGEST}))
    start = bytearray((tmp_path / "a.gif").read_bytes()[:13])
    start[10] = 0  # no table of colours
    (tmp_path / "huge.gif").write_bytes(start + b"!\xff\x0bXMP DataXMP" + packet + b"\x01")
    with pytest.raises(InputError, match="this program writes at most"):
        read_record(tmp_path / "huge.gif")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_change_of_a_byte_ends_the_reader(data, files, folder):
    whole = bytearray(data.draw(st.sampled_from(files)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(whole) - 1))
        whole[place : place + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    (folder / "changed").write_bytes(whole)
    try:
        read_record(folder / "changed")
    except InputError as error:
        assert "\n" not in str(error) and str(folder) not in str(error)
