from pathlib import Path

import cv2
import numpy as np
import pytest

from paints_undo import examples
from paints_undo.strokes.canvas import seen_in_pencil
from paints_undo.strokes.look import look
from paints_undo.strokes.seeing import seen_lines
from paints_undo.strokes.sketching import Sketcher

SOON = 120


def example(name, width=256):
    path = Path(examples.__file__).with_name(f"{name}.png")
    picture = cv2.imread(str(path))[..., ::-1]
    scale = width / picture.shape[1]
    return np.ascontiguousarray(cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="module")
def cat():
    return look(example("cat"))


def in_pencil(findings, seed):
    sketcher = Sketcher(findings, seed, np.random.default_rng(seed))
    return sketcher.construction(26) + sketcher.sketch(SOON, SOON)


def test_a_circle_is_seen_as_one_line_around_it():
    picture = np.full((200, 200, 3), 255, np.uint8)
    cv2.circle(picture, (100, 100), 60, (30, 30, 30), -1, cv2.LINE_AA)
    points = np.concatenate([line.path[:, :2] for line in seen_lines(picture)])
    radius = np.hypot(*(points - 100).T)
    angles = np.unique(np.degrees(np.arctan2(*(points - 100).T)).astype(int) // 10)
    assert np.abs(radius - 58).max() < 6 and len(angles) >= 34


def test_seeds_in_a_row_sketch_in_different_manners(cat):
    names = [Sketcher(cat, seed, np.random.default_rng(seed)).manner.name for seed in range(5)]
    assert len(set(names)) == 5


@pytest.mark.parametrize("seed", range(5))
def test_a_sketch_lies_along_the_edges_of_the_picture(cat, seed):
    last = seen_in_pencil(in_pencil(cat, seed), *cat.figure.shape)
    edges = cv2.Canny(cv2.GaussianBlur(cat.artwork, (0, 0), 1), 60, 150) > 0
    near = cv2.dilate((last.min(2) < 200).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert near[edges].mean() > 0.6


def test_where_nothing_is_seen_nothing_is_sketched():
    assert in_pencil(look(np.full((64, 64, 3), 120, np.uint8)), 0) == []
