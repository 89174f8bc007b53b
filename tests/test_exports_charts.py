"""Curves of a run, and two runs in one chart, as SVG and as a picture."""

from xml.etree import ElementTree

import numpy as np
from export_runs import make_source, picture

from paints_undo.exports import charts
from paints_undo.exports.charts import Line, Words, chart, to_picture, to_svg
from paints_undo.exports.curves import Curves
from paints_undo.exports.options import ExportOptions
from paints_undo.provenance.metadata import read_record
from paints_undo.provenance.records import read_xmp_packet

RISING = Curves(np.linspace(0, 0.8, 10), np.linspace(0, 0.1, 10), np.linspace(0, 0.5, 10), np.linspace(1, 0, 10))
SVG = "{http://www.w3.org/2000/svg}"


def test_curves_begin_blank_end_finished_and_are_written_as_svg_and_png(tmp_path):
    source = make_source(tmp_path)
    curves = charts.curves_of(source)
    assert curves.coverage[0] < 0.02 and curves.coverage[-1] > 0.9
    assert curves.distance[0] > 0.3 > 0.05 > curves.distance[-1]
    charts.write_curves_svg(source, tmp_path / "a.svg", ExportOptions(title="A & <B>"))
    drawn = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert "A & <B>" in [text.text for text in drawn.iter(f"{SVG}text")]
    assert read_xmp_packet((tmp_path / "a.svg").read_bytes())["piece"] == "curves"
    charts.write_curves_png(source, tmp_path / "a.png", ExportOptions())
    assert read_record(tmp_path / "a.png").piece == "curves"


def test_two_runs_in_one_chart(tmp_path):
    first = make_source(tmp_path)
    second = make_source(tmp_path / "other", artwork=picture(200, 100))
    charts.write_curves([first, second], tmp_path / "a.svg", ".svg")
    words = [text.text for text in ElementTree.parse(tmp_path / "a.svg").getroot().iter(f"{SVG}text")]
    assert "girl" in words and "girl (2)" in words
    charts.write_curves([first, second], tmp_path / "a.png", ".png")
    assert read_record(tmp_path / "a.png") == first.described("curves")


def lines(marks, colour):
    return [mark for mark in marks if isinstance(mark, Line) and mark.colour == colour]


def test_a_line_for_each_curve_and_run():
    marks = chart({"one": RISING, "a<b": RISING})
    assert len(lines(marks, "#2563a8")) == len(lines(marks, "#d1641b")) == 4
    assert {"one", "a<b", "coverage", "distance to the finished picture"} <= {
        mark.text for mark in marks if isinstance(mark, Words)
    }
    (x0, y0), *_, (x1, y1) = lines(marks, "#2563a8")[0].points
    assert x1 > x0 and y1 < y0 and 0 < y1 < 620
    drawn = ElementTree.fromstring(to_svg(marks, "A <guess>", "<x/>"))
    assert drawn.find(f"{SVG}title").text == "A <guess>"
    assert (np.abs(to_picture(chart({"one": RISING})).astype(int) - (0x25, 0x63, 0xA8)).max(-1) < 20).sum() > 2000
    still = Curves(*[np.zeros(1)] * 4)
    assert to_picture(chart({"one": still})).shape == (1240, 2000, 3)
