"""How long the rest takes follows from the speed so far."""

import pytest

from paints_undo.progress import Progress, TimeLeft, in_words


def test_time_left():
    now = [0.0]
    left = TimeLeft(clock=lambda: now[0])
    assert left(Progress("keyframes", "sampling", 0, 10)) is None
    now[0] = 4.0
    assert left(Progress("keyframes", "sampling", 2, 10)) == pytest.approx(16)
    now[0] = 5.0  # another activity starts anew
    assert left(Progress("keyframes", "decoding", 1, 6)) is None
    now[0] = 6.0
    assert left(Progress("keyframes", "decoding", 2, 6)) == pytest.approx(4)
    assert left(Progress("keyframes", "decoding", 6, 6)) == 0


def test_a_second_run_starts_anew():
    now = [0.0]
    left = TimeLeft(clock=lambda: now[0])
    for done in range(1, 4):
        left(Progress("keyframes", "sampling", done, 3))
    now[0] = 100.0
    assert left(Progress("keyframes", "sampling", 1, 3)) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (200, "3 min 20 s"), (3900, "1 h 5 min")]
)
def test_in_words(seconds, words):
    assert in_words(seconds) == words
