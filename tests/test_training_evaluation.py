"""Figures tell a family that draws from one that does not."""

import numpy as np
import pytest
import torch
from training_pictures import a_process, a_set, compose

from paints_undo.pictures.tensors import tensor_to_pixels
from paints_undo.training.evaluation import (
    BETWEEN,
    ENDS,
    GOALS,
    as_table,
    coverage,
    cross_faded,
    evaluate_keyframes,
    evaluate_segments,
    evaluate_tagger,
    figures_of,
    is_reached,
    keyframes_of,
    largest_jump,
    line_f1,
    mean_error,
    nearest_stage,
    true_segments,
    worst_psnr,
)
from paints_undo.training.process import INK_COLOUR, SKETCH_COLOUR


@pytest.fixture(scope="module")
def data():
    return a_set(1, 128, [("solo", "smile")])


def test_the_truth_reaches_every_goal(data):
    def draw(artwork, prompt, steps, seed):
        assert prompt == "solo, smile"
        return tensor_to_pixels(data.canvases(torch.zeros(len(steps), dtype=int), torch.tensor(steps)))

    figures = evaluate_keyframes(draw, data, [0])
    assert figures["stage right"] == 1 and figures["line F1"] > 0.99
    assert figures["error over baseline, step 400"] == 0
    assert figures["colour never rises"] == 1
    assert figures["psnr step 0"] > 50
    assert figures["change between seeds"] == 0 and figures["change between steps"] > 1
    named = {f"keyframes {name}" for name in figures}
    assert {name for name in GOALS if name.startswith("keyframes")} <= named


def test_an_answer_without_any_process_is_found_out(data):
    artwork = tensor_to_pixels(data.finished(torch.tensor([0])))[0]
    figures = evaluate_keyframes(lambda a, p, steps, seed: np.stack([artwork] * len(steps)), data, [0])
    assert figures["stage right"] <= 0.4 and figures["error over baseline, step 900"] >= 1
    blank = evaluate_keyframes(lambda a, p, steps, seed: np.full((len(steps), 128, 128, 3), 255, np.uint8), data, [0])
    assert blank["line F1"] == 0 and blank["error over baseline, step 400"] >= 1


def test_sketch_ink_and_colour_are_told_apart():
    picture = np.full((40, 40, 3), 255, np.uint8)
    assert coverage(picture).tolist() == [0, 0, 0]
    picture[:10] = SKETCH_COLOUR
    picture[10:15] = INK_COLOUR
    picture[20:40] = (240, 120, 60)
    assert np.allclose(coverage(picture), (0.25, 0.125, 0.5), atol=0.01)
    process = a_process(128)
    examples = {"sketch": [compose(process, 850)], "line": [compose(process, 600)], "flat": [compose(process, 330)]}
    assert [nearest_stage(compose(process, step), examples) for step in (900, 580, 300)] == list(examples)
    wanted = np.full((64, 64, 3), 255, np.uint8)
    wanted[:, 30:32] = 0
    assert line_f1(np.roll(wanted, 3, axis=1), wanted) == 1  # three pixels are forgiven
    assert line_f1(np.roll(wanted, 8, axis=1), wanted) == 0


def test_only_tags_that_the_tagger_knows_count(data):
    assert evaluate_tagger(lambda picture: ["solo", "tree"], ["solo", "tree"], data, [0]) == pytest.approx(2 / 3)
    assert evaluate_tagger(lambda picture: ["solo"], ["solo"], data, [0]) == 1


def test_the_table_says_which_goals_are_missed():
    lines = as_table({"held_out": {"tagger micro-F1": 0.5, "other": 1.0}, "unseen_style": {"other": 2.0}}).splitlines()
    assert "goal" in lines[0] and ">= 0.8" in lines[1] and lines[1].endswith("missed") and "-" in lines[1]
    assert "2.000" in lines[2]
    lines = as_table({"held_out": {"segments steady": 1.0, "pictures for segments": 16}}).splitlines()
    assert lines[1].endswith("reached") and lines[2].split()[-1] == "16"
    assert is_reached("segments error over cross-fading", 0.99)
    assert not is_reached("segments error over cross-fading", 1)  # as good as no network at all
    assert is_reached("keyframes error over baseline, step 400", 0.4) and not is_reached("segments end psnr", 23)


def by_cross_fading(keyframes):
    return np.stack([cross_faded(np.stack([a, *[b] * 15])) for a, b in zip(keyframes, keyframes[1:], strict=False)])


def test_true_segments_are_without_fault_and_cross_fading_is_as_good_as_itself():
    data = a_set(1)
    truth = true_segments(data, 0)
    assert truth.shape == (7, 16, 64, 64, 3) and len(keyframes_of(truth)) == 8
    figures = evaluate_segments(lambda keyframes: truth, data, 1)
    assert figures["error"] == 0 and figures["better"] > 0 and figures["worst_end_psnr"] > 90
    assert "error" not in figures_of(truth[-1], truth[-1], is_true_between=False)
    figures = evaluate_segments(by_cross_fading, data, 1)
    assert figures["error"] == pytest.approx(figures["cross_fade_error"]) and figures["better"] == 0
    assert figures["end_psnr"] > 90 and figures["steady"] == 1


def test_measures_see_what_they_name():
    wanted = np.zeros((16, 8, 8, 3), np.uint8)
    ends, between, jumping = wanted.copy(), wanted.copy(), wanted.copy()
    ends[-1] = 10
    between[1:-1] = 10
    jumping[:] = np.arange(16)[:, None, None, None]
    assert worst_psnr(ends[ENDS], wanted[ENDS]) == pytest.approx(28.13, abs=0.01)
    assert mean_error(ends[BETWEEN], wanted[BETWEEN]) == 0 and mean_error(between[BETWEEN], wanted[BETWEEN]) == 10
    assert worst_psnr(between[ENDS], wanted[ENDS]) > 90
    assert largest_jump(jumping) == 1
    jumping[8:] += 4
    assert largest_jump(jumping) == 5
