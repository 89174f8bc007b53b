"""When pixels were painted, and the picture of it."""

import numpy as np
import pytest
from export_runs import make_source
from PIL import Image

from paints_undo.exports.heat_map import heat_map, painting_times, write_heat_map
from paints_undo.exports.options import ExportOptions
from paints_undo.provenance.metadata import read_record


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


def test_the_heat_map_has_the_artworks_width_and_a_legend(tmp_path):
    source = make_source(tmp_path)
    write_heat_map(source, tmp_path / "a.png", ExportOptions())
    drawn = np.asarray(Image.open(tmp_path / "a.png").convert("RGB")).astype(int)
    assert drawn.shape == (150 + 24, 120, 3)
    # painted from above: yellow, which is late, grows downwards
    yellow = drawn[..., :2].sum(-1) - 2 * drawn[..., 2]
    assert yellow[120:140, 50:70].mean() > yellow[10:30, 50:70].mean() + 20
    assert read_record(tmp_path / "a.png").piece == "heat map"
