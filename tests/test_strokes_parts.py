"""Parts of the strokes: what is a line, how lines are sketched, and how strokes are made even."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from awkward_pictures import sheet

from paints_undo import examples
from paints_undo.pictures.pixels import read_picture
from paints_undo.strokes.balance import in_one_piece
from paints_undo.strokes.canvas import seen_in_pencil
from paints_undo.strokes.drafts import Draft, Drafts
from paints_undo.strokes.ink import find_ink
from paints_undo.strokes.look import Findings, look
from paints_undo.strokes.operations import Operation
from paints_undo.strokes.seeing import seen_lines
from paints_undo.strokes.sketching import Sketcher

SOON = 120
RED, BLUE = (200, 30, 30), (30, 30, 200)


# What counts as ink: thin lines whatever way they run, and the outlines of dark places, but no soft shadow


def test_a_thin_slanting_line_is_ink_from_end_to_end() -> None:
    picture = sheet(400, 320, 250)
    for k in range(60, 240):
        picture[k + 40, k] = 90
    alpha = find_ink(picture).alpha
    assert np.mean([alpha[k + 40, k] > 100 for k in range(70, 230)]) > 0.95


def test_something_dark_has_an_outline_of_ink_and_nothing_within() -> None:
    picture = sheet(400, 320, 250)
    cv2.circle(picture, (160, 200), 70, (30, 30, 40), -1, cv2.LINE_AA)
    alpha = find_ink(picture).alpha
    inside, ring = np.zeros(alpha.shape, np.uint8), np.zeros(alpha.shape, np.uint8)
    cv2.circle(inside, (160, 200), 64, 1, -1)
    cv2.circle(ring, (160, 200), 69, 1, 1)
    assert (cv2.dilate(alpha, np.ones((3, 3)))[ring > 0] > 200).mean() > 0.99
    assert not alpha[inside > 0].any()


def test_soft_and_light_shadows_have_no_outline() -> None:
    picture = sheet(400, 320, 250)
    cv2.circle(picture, (160, 120), 60, (30, 30, 40), -1)
    picture = cv2.GaussianBlur(picture, (0, 0), 8)  # soft
    cv2.circle(picture, (160, 290), 60, (180, 170, 175), -1, cv2.LINE_AA)  # light
    assert not find_ink(picture).alpha.any()


# Sketches


@pytest.fixture(scope="module")
def cat() -> Findings:
    picture = read_picture(Path(examples.__file__).with_name("cat.png"))
    return look(cv2.resize(picture, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA))


def in_pencil(findings: Findings, seed: int) -> list[Operation]:
    sketcher = Sketcher(findings, seed, np.random.default_rng(seed))
    return sketcher.construction(26) + sketcher.sketch(SOON, SOON)


def test_a_circle_is_seen_as_one_line_around_it():
    picture = sheet(200, 200)
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
    assert in_pencil(look(sheet(64, 64, 120)), 0) == []


# Strokes made even: what a line cuts off goes along with a stroke beside it, or is left to another phase


def flats(*colours: tuple[int, int, int], labels: np.ndarray) -> Drafts:
    path = np.zeros((2, 3), np.float32)
    return Drafts(labels, [Draft("flats", "flat", path, colour, "") for colour in colours])


def cut_by_a_line() -> tuple[np.ndarray, np.ndarray]:
    """Two strokes side by side, and a speck of the first beyond the line that parts them: labels, and what is seen."""
    labels, seen = np.ones((100, 100), np.int32), np.ones((100, 100), bool)
    labels[:, 50:] = 2
    labels[40:42, 52:54] = 1
    seen[:, 48:52] = False
    return labels, seen


def test_a_speck_beyond_a_line_goes_along_with_the_stroke_that_is_seen_around_it() -> None:
    labels, seen = cut_by_a_line()
    whole = in_one_piece(flats(RED, BLUE, labels=labels), seen, 10, leave_out=True)
    assert (whole.labels[40:42, 52:54] == 2).all()
    assert (whole.labels[:, :48] == 1).all() and len(whole.strokes) == 2


def test_a_speck_stays_where_it_would_be_painted_otherwise_and_nothing_comes_after() -> None:
    labels, seen = cut_by_a_line()
    kept = in_one_piece(flats(RED, BLUE, labels=labels), seen, 10)
    assert (kept.labels[40:42, 52:54] == 1).all()


def test_a_speck_goes_along_with_a_stroke_that_paints_alike_before_any_other() -> None:
    labels, seen = cut_by_a_line()
    labels[42:, 52:] = 3
    alike = in_one_piece(flats(RED, BLUE, RED, labels=labels), seen, 10)
    assert (alike.labels[40:42, 52:54] == 3).all()


def test_a_speck_far_from_all_strokes_is_left_to_another_phase() -> None:
    labels, seen = cut_by_a_line()
    labels[:, 50:] = 0
    labels[40:42, 80:82] = 1
    seen[labels == 0] = False
    left = in_one_piece(flats(RED, labels=labels), seen, 10, leave_out=True)
    assert (left.labels[40:42, 80:82] == 0).all() and (left.labels[:, :48] == 1).all()
