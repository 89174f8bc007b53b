"""The chart of curves as SVG and as a picture."""

from xml.etree import ElementTree

import numpy as np

from paints_undo.process.charts import Line, Words, chart, to_picture, to_svg
from paints_undo.process.curves import Curves

RISING = Curves(np.linspace(0, 0.8, 10), np.linspace(0, 0.1, 10), np.linspace(0, 0.5, 10), np.linspace(1, 0, 10))


def lines(marks, colour):
    return [mark for mark in marks if isinstance(mark, Line) and mark.colour == colour]


def test_a_line_for_each_curve_and_run():
    marks = chart({"one": RISING, "two": RISING})
    assert len(lines(marks, "#2563a8")) == len(lines(marks, "#d1641b")) == 4
    assert {"one", "two", "coverage", "distance to the finished picture"} <= {
        mark.text for mark in marks if isinstance(mark, Words)
    }


def test_a_rising_curve_rises_and_stays_in_its_panel():
    (x0, y0), *_, (x1, y1) = lines(chart({"one": RISING}), "#2563a8")[0].points
    assert x1 > x0 and y1 < y0 and 0 < y1 < 620


def test_nothing_and_a_single_frame_can_be_drawn():
    still = Curves(*[np.zeros(1)] * 4)
    assert to_picture(chart({"one": still})).shape == (1240, 2000, 3)


def test_svg_is_xml_and_says_what_it_is():
    drawn = ElementTree.fromstring(to_svg(chart({"a<b": RISING}, "T & t"), "A <guess>", "<x/>"))
    assert drawn.find("{http://www.w3.org/2000/svg}title").text == "A <guess>"


def test_the_picture_has_the_lines():
    drawn = to_picture(chart({"one": RISING})).astype(int)
    assert (np.abs(drawn - (0x25, 0x63, 0xA8)).max(-1) < 20).sum() > 2000
