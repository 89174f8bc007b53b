"""The example pictures are what their script draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paints_undo import examples
from paints_undo.examples import pen
from paints_undo.examples.cat import cat
from paints_undo.examples.flower import flower
from paints_undo.examples.girl import girl
from paints_undo.examples.house import house
from paints_undo.pictures.pixels import read_picture

FOLDER = Path(examples.__file__).parent


@pytest.mark.parametrize("draw", [girl, cat, house, flower], ids=lambda draw: draw.__name__)
def test_the_file_is_what_the_script_draws(draw) -> None:
    file = FOLDER / f"{draw.__name__}.png"
    kept, drawn = read_picture(file), np.asarray(draw().convert("RGB"))
    assert kept.shape == (640, 512, 3)
    assert file.stat().st_size < 60_000
    # Another Pillow may round an edge or choose a palette colour differently.
    assert np.abs(kept.astype(int) - drawn).mean() < 1.0


def test_a_curve_passes_its_points() -> None:
    points = [(0, 0), (10, 0), (10, 10), (0, 10)]
    path = pen.curve(points)
    for point in points:
        assert np.linalg.norm(path - np.array(point), axis=1).min() < 1e-9
    assert path[:, 1].min() < -0.5, "a smooth curve swings out"


def test_a_point_given_twice_is_a_corner() -> None:
    path = pen.curve([(0, 0), (0, 0), (10, 0), (10, 0), (5, 8), (5, 8)])
    assert path.min() >= -1e-9 and path[:, 0].max() <= 10 + 1e-9, "straight sides between corners"
    assert {(0.0, 0.0), (10.0, 0.0), (5.0, 8.0)} <= {tuple(point) for point in path.round(9)}


def test_ink_lies_inside_the_sheet_and_a_shape_is_filled() -> None:
    sheet = pen.Sheet((255, 255, 255), (255, 255, 255))
    sheet.shape(pen.oval(256, 320, 100, 100), (200, 30, 30))
    picture = np.asarray(sheet.finished().convert("RGB"))
    assert picture.shape == (640, 512, 3)
    assert np.abs(picture[320, 256].astype(int) - (200, 30, 30)).max() <= 8
    assert (picture[10, 10] >= 247).all()
    assert np.abs(picture[320, 356].astype(int) - pen.INK).max() <= 40
    assert isinstance(sheet.finished(), Image.Image)
