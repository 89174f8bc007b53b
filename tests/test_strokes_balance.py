"""Strokes made even: what a line cuts off goes along with a stroke beside it, or is left to another phase."""

from __future__ import annotations

import numpy as np

from paints_undo.strokes.balance import in_one_piece
from paints_undo.strokes.drafts import Draft, Drafts

RED, BLUE = (200, 30, 30), (30, 30, 200)


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
