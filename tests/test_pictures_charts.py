"""Charts show what they are given."""

import numpy as np
from PIL import ImageColor

from paints_undo.pictures.charts import COLOURS, line_chart


def pixels_of(picture: np.ndarray, colour: str) -> int:
    return int((picture == ImageColor.getrgb(colour)).all(axis=-1).sum())


def test_each_line_has_its_colour_and_rises_with_its_values():
    picture = line_chart({"low": [(0, 1), (10, 1)], "high": [(0, 4), (10, 4)]}, "memory", "s")
    assert picture.shape == (360, 900, 3) and picture.dtype == np.uint8
    rows = [
        np.argwhere((picture[:, 100:700] == ImageColor.getrgb(colour)).all(axis=-1))[:, 0].mean()
        for colour in COLOURS[:2]
    ]
    assert rows[1] < rows[0]


def test_a_chart_of_nothing_is_an_empty_frame():
    assert pixels_of(line_chart({"none": []}, "memory", "s"), "white") > 250_000


def test_a_logarithmic_chart_falls_evenly_where_values_halve():
    picture = line_chart({"loss": [(step, 0.5**step) for step in range(8)]}, "", "steps", logarithmic=True)
    places = np.argwhere((picture[:, 60:700] == ImageColor.getrgb(COLOURS[0])).all(axis=-1))
    slope, start = np.polyfit(places[:, 1], places[:, 0], 1)
    assert slope > 0.2 and abs(places[:, 0] - slope * places[:, 1] - start).max() < 3
    assert line_chart({"loss": []}, "", "steps", logarithmic=True).shape == (360, 900, 3)
