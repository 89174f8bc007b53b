"""Coverage, ink, colour and distance of pictures whose figures are known."""

import numpy as np
import pytest

from paints_undo.exports.curves import measure, similarity


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


def test_similarity_is_symmetric_and_between_0_and_1():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 255, (2, 40, 300, 3), np.uint8)
    assert similarity(a, a) == pytest.approx(1) and similarity(a, b) == pytest.approx(similarity(b, a))
    assert 0 <= similarity(a, b) < 0.3


def test_large_frames_are_measured_smaller():
    large = np.full((1000, 500, 3), 255, np.uint8)
    large[:500] = (200, 0, 0)
    assert measure([large], large).coverage[0] == pytest.approx(0.5, abs=0.01)
