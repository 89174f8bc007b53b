"""Heat map and curves of a run, and two runs in one chart."""

from xml.etree import ElementTree

import numpy as np
from export_runs import make_source, picture
from PIL import Image

from paints_undo.exports import charts
from paints_undo.exports.options import ExportOptions
from paints_undo.provenance.metadata import read_record
from paints_undo.provenance.records import read_xmp_packet

SVG = "{http://www.w3.org/2000/svg}"


def test_the_heat_map_has_the_artworks_width_and_a_legend(tmp_path):
    source = make_source(tmp_path)
    charts.write_heat_map(source, tmp_path / "a.png", ExportOptions())
    drawn = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    assert drawn.shape == (150 + 24, 120, 3)
    # painted from above: yellow, which is late, grows downwards
    yellow = drawn[..., :2].sum(-1) - 2 * drawn[..., 2]
    assert yellow[120:140, 50:70].mean() > yellow[10:30, 50:70].mean() + 20
    assert read_record(tmp_path / "a.png").piece == "heat map"


def test_curves_begin_blank_and_end_finished(tmp_path):
    curves = charts.curves_of(make_source(tmp_path))
    assert curves.coverage[0] < 0.02 and curves.coverage[-1] > 0.9
    assert curves.distance[0] > 0.3 > 0.05 > curves.distance[-1]


def test_curves_as_svg_and_png(tmp_path):
    source = make_source(tmp_path)
    charts.write_curves_svg(source, tmp_path / "a.svg", ExportOptions(title="A & <B>"))
    drawn = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert "A & <B>" in [text.text for text in drawn.iter(f"{SVG}text")]
    assert read_xmp_packet((tmp_path / "a.svg").read_bytes())["piece"] == "curves"
    charts.write_curves_png(source, tmp_path / "a.png", ExportOptions())
    assert read_record(tmp_path / "a.png").piece == "curves"


def test_two_runs_in_one_chart(tmp_path):
    first = make_source(tmp_path)
    second = make_source(tmp_path / "other", artwork=picture(200, 100))
    charts.write_comparison(first, second, tmp_path / "a.svg", ".svg")
    words = [text.text for text in ElementTree.parse(tmp_path / "a.svg").getroot().iter(f"{SVG}text")]
    assert "girl" in words and "girl (2)" in words
    charts.write_comparison(first, second, tmp_path / "a.png", ".png")
    assert read_record(tmp_path / "a.png") == first.described("curves")
