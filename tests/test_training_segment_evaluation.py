import numpy as np
import pytest
from test_training_segment_clips import pictures

from paints_undo.training.segment_evaluation import (
    cross_faded,
    end_psnr,
    error_between,
    evaluate_segments,
    keyframes_of,
    largest_jump,
    true_segments,
)


def by_cross_fading(keyframes):
    return np.stack([cross_faded(np.stack([a, *[b] * 15])) for a, b in zip(keyframes, keyframes[1:], strict=False)])


def test_the_truth_itself_is_without_fault():
    data = pictures()
    truth = true_segments(data, 0)
    assert truth.shape == (7, 16, 64, 64, 3) and len(keyframes_of(truth)) == 8
    figures = evaluate_segments(lambda keyframes: truth, data, 1)
    assert list(figures) == ["0-400", "400-600", "600-800", "800-900", "900-950", "950-999", "999-white", "all"]
    assert figures["all"]["error"] == 0 and figures["all"]["worst_end_psnr"] > 90
    assert figures["0-400"]["better"] == 1 and "error" not in figures["999-white"]


def test_cross_fading_is_as_good_as_itself():
    figures = evaluate_segments(by_cross_fading, pictures(), 1)["all"]
    assert figures["error"] == pytest.approx(figures["cross_fade_error"]) and figures["better"] == 0
    assert figures["end_psnr"] > 90 and figures["steady"] == 1


def test_measures_see_what_they_name():
    wanted = np.zeros((16, 8, 8, 3), np.uint8)
    ends, between, jumping = wanted.copy(), wanted.copy(), np.zeros((16, 8, 8, 3), np.uint8)
    ends[-1] = 10
    between[1:-1] = 10
    jumping[:] = np.arange(16)[:, None, None, None]
    assert end_psnr(ends, wanted) == pytest.approx(28.13, abs=0.01) and error_between(ends, wanted) == 0
    assert error_between(between, wanted) == 10 and end_psnr(between, wanted) > 90
    assert largest_jump(jumping) == 1
    jumping[8:] += 4
    assert largest_jump(jumping) == 5
