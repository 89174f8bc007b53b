"""Figures of a run: curves, two runs in one chart, and when each part was painted."""

from xml.etree import ElementTree

import numpy as np
import pytest
from export_runs import make_source, picture
from PIL import Image

from paints_undo.exports import charts
from paints_undo.exports.charts import Line, Words, chart, to_picture, to_svg
from paints_undo.exports.curves import Curves, measure
from paints_undo.exports.heat_map import heat_map, painting_times, write_heat_map
from paints_undo.exports.options import ExportOptions
from paints_undo.provenance.metadata import read_record
from paints_undo.provenance.records import read_xmp_packet

SVG = "{http://www.w3.org/2000/svg}"

RISING = Curves(np.linspace(0, 0.8, 10), np.linspace(0, 0.1, 10), np.linspace(0, 0.5, 10), np.linspace(1, 0, 10))


def test_curves_begin_blank_end_finished_and_are_written_as_svg_and_png(source, tmp_path):
    curves = charts.curves_of(source)
    assert curves.coverage[0] < 0.02 and curves.coverage[-1] > 0.9
    assert curves.distance[0] > 0.3 > 0.05 > curves.distance[-1]
    charts.write_curves_svg(source, tmp_path / "a.svg", ExportOptions(title="A & <B>"))
    drawn = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert "A & <B>" in [text.text for text in drawn.iter(f"{SVG}text")]
    assert read_xmp_packet((tmp_path / "a.svg").read_bytes())["piece"] == "curves"
    charts.write_curves_png(source, tmp_path / "a.png", ExportOptions())
    assert read_record(tmp_path / "a.png").piece == "curves"


def test_two_runs_in_one_chart(source, tmp_path):
    second = make_source(tmp_path, artwork=picture(200, 100))
    charts.write_curves_svg(source, tmp_path / "a.svg", ExportOptions(), other=second)
    words = [text.text for text in ElementTree.parse(tmp_path / "a.svg").getroot().iter(f"{SVG}text")]
    assert "girl" in words and "girl (2)" in words
    charts.write_curves_png(source, tmp_path / "a.png", ExportOptions(), other=second)
    assert read_record(tmp_path / "a.png") == source.described("curves")


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


def canvas(**parts):
    picture = np.full((100, 100, 3), 255, np.uint8)
    for rows, colour in parts.values():
        picture[rows] = colour
    return picture


def test_coverage_and_colour_are_shares_of_the_canvas():
    half = canvas(a=(slice(0, 50), (220, 60, 60)))
    grey = canvas(a=(slice(0, 25), (128, 128, 128)))
    curves = measure([canvas(), grey, half], half)
    assert curves.coverage == pytest.approx([0, 0.25, 0.5]) and curves.colour == pytest.approx([0, 0, 0.5])


def test_a_line_is_ink_and_a_flat_colour_is_not():
    line = canvas(a=(slice(48, 50), (0, 0, 0)))
    flat = canvas(a=(slice(0, 100), (0, 0, 0)))
    assert measure([line, flat], flat).ink == pytest.approx([0.02, 0.0])


def test_the_distance_falls_to_nothing():
    rng = np.random.default_rng(0)
    finished = np.repeat(rng.integers(0, 255, (25, 25, 3), np.uint8), 8, 0).repeat(8, 1)
    frames = [np.full_like(finished, 255), (finished // 2 + 127).astype(np.uint8), finished]
    distance = measure(frames, finished).distance
    assert distance[0] > distance[1] > distance[2] and distance[2] == pytest.approx(0, abs=1e-6)


def test_each_pixel_has_the_moment_of_its_change():
    frames = np.full((11, 8, 8, 3), 255, np.uint8)
    frames[3:, :4] = (200, 40, 40)
    frames[10:, 4:6] = (20, 20, 20)
    times = painting_times(frames)
    assert times[:4] == pytest.approx(0.3) and times[4:6] == pytest.approx(1.0) and np.isnan(times[6:]).all()


def test_a_slow_fade_counts_in_its_middle():
    fade = np.linspace(255, 0, 21).astype(np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    assert painting_times(fade)[0, 0] == pytest.approx(0.5, abs=0.1)


def test_early_is_blue_late_is_yellow_and_bare_canvas_is_neither():
    times = np.full((90, 60), np.nan, np.float32)
    times[:30], times[30:60] = 0, 1
    drawn = heat_map(times, np.full((90, 60, 3), 200, np.uint8)).astype(int)
    assert drawn.shape == (90 + 24, 60, 3)
    assert drawn[5, 5, 2] > drawn[5, 5, 1] and drawn[45, 5, 0] > drawn[45, 5, 2] + 80
    assert np.ptp(drawn[80, 5]) == 0


def test_the_heat_map_has_the_artworks_width_and_a_legend(source, tmp_path):
    write_heat_map(source, tmp_path / "a.png", ExportOptions())
    drawn = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    assert drawn.shape == (150 + 24, 120, 3)
    # painted from above: yellow, which is late, grows downwards
    yellow = drawn[..., :2].sum(-1) - 2 * drawn[..., 2]
    assert yellow[120:140, 50:70].mean() > yellow[10:30, 50:70].mean() + 20
    assert read_record(tmp_path / "a.png").piece == "heat map"
