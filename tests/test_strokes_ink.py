"""What counts as ink: thin lines whatever way they run, and the outlines of dark places, but no soft shadow."""

from __future__ import annotations

import cv2
import numpy as np

from paints_undo.strokes.ink import find_ink


def sheet(value: int = 250) -> np.ndarray:
    return np.full((400, 320, 3), value, np.uint8)


def test_a_thin_slanting_line_is_ink_from_end_to_end() -> None:
    picture = sheet()
    for k in range(60, 240):
        picture[k + 40, k] = 90
    alpha = find_ink(picture).alpha
    assert np.mean([alpha[k + 40, k] > 100 for k in range(70, 230)]) > 0.95


def test_something_dark_has_an_outline_of_ink_and_nothing_within() -> None:
    picture = sheet()
    cv2.circle(picture, (160, 200), 70, (30, 30, 40), -1, cv2.LINE_AA)
    alpha = find_ink(picture).alpha
    inside, ring = np.zeros(alpha.shape, np.uint8), np.zeros(alpha.shape, np.uint8)
    cv2.circle(inside, (160, 200), 64, 1, -1)
    cv2.circle(ring, (160, 200), 69, 1, 1)
    assert (cv2.dilate(alpha, np.ones((3, 3)))[ring > 0] > 200).mean() > 0.99
    assert not alpha[inside > 0].any()


def test_soft_and_light_shadows_have_no_outline() -> None:
    picture = sheet()
    cv2.circle(picture, (160, 120), 60, (30, 30, 40), -1)
    picture = cv2.GaussianBlur(picture, (0, 0), 8)  # soft
    cv2.circle(picture, (160, 290), 60, (180, 170, 175), -1, cv2.LINE_AA)  # light
    assert not find_ink(picture).alpha.any()
