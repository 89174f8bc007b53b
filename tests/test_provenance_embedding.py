"""Records put into finished files: what is shown stays, and other programs find them where the standards say."""

from __future__ import annotations

import io
import subprocess
import zlib

import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from paints_undo.errors import InputError
from paints_undo.pictures.pixels import encode_png
from paints_undo.pictures.video import write_video
from paints_undo.provenance.embedding import embed
from paints_undo.provenance.metadata import read_record
from paints_undo.provenance.records import LONGEST, Record, xmp_packet

RECORD = Record("export", settings={"options": {"keyframes": {"prompt": "1girl, 絵"}}}, version="0.1.0")
PICTURE = np.random.default_rng(0).integers(0, 256, (33, 41, 3), dtype=np.uint8)


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
        return [
            np.asarray((image.seek(place), image.convert("RGBA"))[1]) for place in range(getattr(image, "n_frames", 1))
        ]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("PNG", {"frames": 3}),
        ("GIF", {}),
        ("GIF", {"frames": 3}),
        ("WEBP", {}),
        ("WEBP", {"frames": 3}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"lossless": True, "alpha": True}),
        ("WEBP", {"alpha": True}),
    ],
)
def test_pictures_stay_and_other_programs_find_the_packet(kind, options, tmp_path):
    plain = encoded(kind, **options)
    data = embed(plain, RECORD)
    before, after = shown(plain), shown(data)
    assert len(before) == len(after) == options.get("frames", 1)
    assert all(np.array_equal(*pair) for pair in zip(before, after, strict=True))
    (tmp_path / "a").write_bytes(data)
    assert read_record(tmp_path / "a") == RECORD
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


def chunks(data: bytes) -> list[bytes]:
    """The kinds of the chunks of a PNG; every checksum is right."""
    kinds, place = [], 8
    while place < len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        kind, end = data[place + 4 : place + 8], place + 8 + length
        assert zlib.crc32(data[place + 4 : end]) == int.from_bytes(data[end : end + 4], "big"), kind
        kinds.append(kind)
        place = end + 4
    assert place == len(data)
    return kinds


def test_the_chunks_of_a_png_stand_where_the_specification_has_them(tmp_path):
    still, moving = (chunks(embed(encoded("PNG", frames=count), RECORD)) for count in (1, 4))
    assert still[:3] == [b"IHDR", b"iTXt", b"iTXt"] and still[-1] == b"IEND"
    assert moving[:4] == [b"IHDR", b"acTL", b"fcTL", b"IDAT"] and moving[-3:] == [b"iTXt", b"iTXt", b"IEND"]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP"])
def test_another_decoder_counts_the_same_frames_as_before(tmp_path, kind):
    """ffmpeg's decoders share nothing with Pillow's."""
    plain = encoded(kind, frames=4)
    (tmp_path / "plain").write_bytes(plain)
    (tmp_path / "a").write_bytes(embed(plain, RECORD))
    assert frames_of_ffmpeg(tmp_path / "a") == frames_of_ffmpeg(tmp_path / "plain") == 4


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_boxes_of_a_video_fill_it_and_the_chunks_of_a_webp_too(tmp_path, count):
    write_video(np.stack([PICTURE] * 2), tmp_path / "a.mp4", 4, RECORD)
    data, place, kinds = (tmp_path / "a.mp4").read_bytes(), 0, []
    while place < len(data):
        kinds.append(data[place + 4 : place + 8])
        place += int.from_bytes(data[place : place + 4], "big")
    assert place == len(data)
    assert kinds[0] == b"ftyp" and kinds[-1] == b"uuid" and kinds.index(b"moov") < kinds.index(b"mdat")
    data, place, kinds = embed(encoded("WEBP", frames=count), RECORD), 12, []
    assert int.from_bytes(data[4:8], "little") == len(data) - 8
    while place < len(data):
        kinds.append(data[place : place + 4])
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        place += 8 + length + length % 2
    assert place == len(data) and kinds[0] == b"VP8X" and kinds[-1] == b"XMP "


def test_ffmpeg_reads_the_tags_of_a_video(tmp_path):
    write_video(np.stack([PICTURE] * 2), tmp_path / "a.mp4", 4, RECORD)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", tmp_path / "a.mp4", "-f", "ffmetadata", "-"]
    tags = subprocess.run(command, capture_output=True, check=True, text=True, encoding="utf-8").stdout
    assert "made by AI" in tags and "digital_source_type" in tags.replace("\\", "")
    assert (tmp_path / "a.mp4").read_bytes().endswith(xmp_packet(RECORD))


def test_a_packet_goes_onto_a_finished_video(tmp_path):
    write_video(np.stack([PICTURE] * 2), tmp_path / "a.mp4", 4)
    assert read_record(tmp_path / "a.mp4") is None
    (tmp_path / "a.mp4").write_bytes(embed((tmp_path / "a.mp4").read_bytes(), RECORD))
    assert read_record(tmp_path / "a.mp4") == RECORD


@pytest.mark.parametrize("data", [b"", b"\xff\xd8\xff JPEG", b"GIF89a cut", encoded("TIFF")])
def test_other_files_are_refused(data):
    with pytest.raises(InputError, match="goes into PNG, APNG, GIF, WebP and MP4 files"):
        embed(data, RECORD)


def test_a_record_that_no_reader_would_take_is_refused():
    with pytest.raises(InputError, match="make the prompts shorter"):
        embed(encode_png(PICTURE), Record("frame", settings={"prompt": "x" * LONGEST}))
