"""PSD by psd-tools, OpenRaster by what its specification asks for, and transparent line art."""

import io
import json
import zipfile
from xml.etree import ElementTree

import numpy as np
import pytest
from export_runs import STEPS
from PIL import Image, ImageCms
from psd_tools import PSDImage

from paints_undo.errors import InputError
from paints_undo.exports import layers
from paints_undo.exports.options import ExportOptions
from paints_undo.provenance.metadata import read_record
from paints_undo.provenance.records import read_xmp_packet

TITLE = "夏の少女 – Ä"


def expected_order():
    """The beginnings of the layers' names from the lowest to the highest."""
    steps = [f"{step:04d}" for step in sorted(STEPS, reverse=True)]
    return ["canvas", *steps, *(f"lines of {step}" for step in steps), TITLE]


def test_psd_tools_reads_the_layers_in_order(source, tmp_path):
    layers.write_psd(source, tmp_path / "a.psd", ExportOptions(title=TITLE))
    document = PSDImage.open(tmp_path / "a.psd")
    assert document.size == (120, 150)
    found = list(document)
    assert [layer.name.startswith(name) for layer, name in zip(found, expected_order(), strict=True)] == [True] * 8
    assert found[-1].name == TITLE
    assert np.array_equal(np.asarray(found[-1].topil().convert("RGB")), source.artwork)
    assert [layer.visible for layer in found] == [True] * 4 + [False] * 3 + [True]
    assert np.array_equal(np.asarray(document.topil().convert("RGB")), source.artwork)
    about = document.image_resources
    resolution = about.get_data(layers.RESOLUTION)
    assert (resolution.horizontal / 2**16, resolution.vertical / 2**16) == (layers.DPI, layers.DPI)
    profile = Image.open(tmp_path / "a.psd").info["icc_profile"]  # as Pillow finds it
    assert "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    small = np.asarray(document.thumbnail().convert("RGB")).astype(int)
    assert small.shape == (150, 120, 3) and np.abs(small - source.artwork).mean() < 6
    packet = about[layers.XMP_RESOURCE].data
    assert read_xmp_packet(packet)["piece"] == "layers"


def test_open_raster_opens(source, tmp_path):
    layers.write_ora(source, tmp_path / "a.ora", ExportOptions(title=TITLE))
    with zipfile.ZipFile(tmp_path / "a.ora") as archive:
        first = archive.infolist()[0]
        assert (first.filename, first.compress_type) == ("mimetype", zipfile.ZIP_STORED)
        assert archive.read("mimetype") == b"image/openraster" and archive.testzip() is None
        image = ElementTree.fromstring(archive.read("stack.xml"))
        assert (image.get("w"), image.get("h")) == ("120", "150")
        found = image.findall("stack/*")[::-1]  # the file begins with the highest
        names = [layer.get("name") for layer in found]
        assert [name.startswith(begin) for name, begin in zip(names, expected_order(), strict=True)] == [True] * 8
        for layer in found:
            assert Image.open(io.BytesIO(archive.read(layer.attrib["src"]))).size == (120, 150)
        merged = archive.read("mergedimage.png")
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(merged)).convert("RGB")), source.artwork)
        assert max(Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png"))).size) <= 256
        (tmp_path / "merged.png").write_bytes(merged)
    assert read_record(tmp_path / "merged.png") == source.described("layers")


def test_line_art_is_ink_on_nothing(source, tmp_path):
    layers.write_line_art(source, tmp_path / "a.zip", ExportOptions())
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
        assert [name[:4] for name in names] == ["0950", "0800", "0400"]
        inked = np.asarray(Image.open(io.BytesIO(archive.read(names[1]))))
        assert json.loads(archive.read("record.json"))["digital_source_type"].endswith("compositeSynthetic")
    assert inked.shape == (150, 120, 4)
    assert (inked[..., 3] == 0).mean() > 0.5 and inked[..., 3].max() > 60


def test_lines_give_the_picture_back_on_white_where_it_is_only_lines():
    drawn = np.full((300, 60, 3), 255, np.uint8)
    drawn[28:31, 5:55] = (84, 104, 160)
    lines = layers.lines_of(drawn).astype(float)
    share = lines[..., 3:] / 255
    assert np.abs(lines[..., :3] * share + 255 * (1 - share) - drawn).max() <= 2
    flat = layers.lines_of(np.full((60, 60, 3), (240, 200, 120), np.uint8))
    assert not flat.any()  # a colour is no line


def test_more_than_a_file_can_hold_is_one_sentence(source, tmp_path, monkeypatch):
    monkeypatch.setattr(layers, "MOST_BYTES", 100_000)
    with pytest.raises(InputError, match="8 layers of 120 x 150 pixels do not fit into one file; choose a longest"):
        layers.write_ora(source, tmp_path / "a.ora", ExportOptions())
