"""Holds, dead frames, curves and lengths."""

import numpy as np
import pytest

from paints_undo.errors import InputError
from paints_undo.exports.pacing import Pacing, changes, schedule

STEADY = np.array([0.0] + [2.0] * 9)


def test_each_frame_once_between_the_holds():
    assert schedule(STEADY, Pacing(6), 4) == [(0, 4), *((n, 1) for n in range(1, 10)), (10, 12)]


@pytest.mark.parametrize(("run_fps", "fps"), [(1, 25), (4, 25), (23, 25), (24, 24), (30, 30), (60, 60)])
def test_without_a_choice_a_film_is_smooth_and_as_long_as_the_run(run_fps, fps):
    pacing = Pacing(hold_start=0, hold_end=2)
    assert pacing.frames_a_second(run_fps) == fps
    shown = schedule(STEADY, pacing, run_fps)
    assert [number for number, _ in shown] == list(range(11))
    assert sum(stands for _, stands in shown) / fps == pytest.approx(len(STEADY) / run_fps + 2, abs=1 / fps)
    assert max(stands for _, stands in shown[:-1]) - min(stands for _, stands in shown[:-1]) <= 1


@pytest.mark.parametrize("fps", [1, 4, 23, 60])
def test_a_choice_is_obeyed(fps):
    pacing = Pacing(fps, hold_start=0, hold_end=0)
    assert pacing.frames_a_second(30) == fps and schedule(STEADY, pacing, 30) == [(n, 1) for n in range(11)]


def test_dead_frames_go_and_stay_if_wanted():
    change = np.array([0, 2, 0, 0.01, 3, 0, 2.0])
    assert [n for n, _ in schedule(change, Pacing(4), 4)] == [0, 1, 4, 6, 7]
    assert [n for n, _ in schedule(change, Pacing(4, keep_dead_frames=True), 4)] == list(range(8))


@pytest.mark.parametrize(("seconds", "fps"), [(10, 24), (3, 1), (0.6, 60), (3600, 1)])
def test_a_target_duration_is_met(seconds, fps):
    pacing = Pacing(fps, seconds, hold_start=0.1, hold_end=0.3)
    total = sum(stands for _, stands in schedule(STEADY, pacing, 4))
    assert total == pytest.approx(seconds * fps, abs=1)


def test_strokes_give_equal_change_equal_time():
    change = np.array([0.0, 1, 1, 1, 1, 8, 8])
    shown = dict(schedule(change, Pacing(10, 10, 0, 1, "strokes"), 4))
    assert shown[5] > 3 * shown[1] and shown[5] == pytest.approx(shown[6], abs=1)
    assert sum(shown.values()) == 100


def test_the_artwork_is_always_shown():
    assert schedule(np.zeros(1), Pacing(1, None, 0, 0), 4) == [(0, 1), (1, 1)]


def test_changes_are_measured_without_overflow():
    frames = np.stack([np.full((2, 2, 3), value, np.uint8) for value in (255, 0, 10)])
    assert changes(frames).tolist() == [0, 255, 10]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"seconds": 0}, "seconds is 0; use a number from 0.5 to 3600"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"seconds": 2}, "the holds alone take 2.5; use more seconds or shorter holds"),
        ({"fps": 0}, "fps is 0; use a whole number from 1 to 60"),
        ({"fps": 61}, "fps is 61"),
        ({"hold_end": -1}, "hold at the end is -1"),
        ({"curve": "fast"}, "curve is 'fast'; use one of steps"),
        ({"keep_dead_frames": 1}, "keep dead frames is 1"),
    ],
)
def test_impossible_choices_are_one_sentence(values, sentence):
    with pytest.raises(InputError, match=sentence):
        Pacing(**values)
