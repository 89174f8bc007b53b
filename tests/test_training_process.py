import numpy as np
import pytest
import torch
from training_pictures import a_process, compose

from paints_undo.training.process import LAST_STEP, STAGES, compose_batch, stage_of


def test_step_zero_is_exactly_the_finished_picture():
    process = a_process()
    assert np.array_equal(compose(process, 0), process.final)


def test_the_first_stroke_is_almost_white_but_not_empty():
    canvas = compose(a_process(), LAST_STEP)
    assert canvas.mean() > 245
    assert (canvas < 240).any()


def test_less_is_painted_the_further_back_one_goes():
    process = a_process()
    painted = [(compose(process, step) < 250).any(axis=2).mean() for step in (200, 300, 400, 480)]
    assert all(more > less - 0.01 for more, less in zip(painted, painted[1:], strict=False))
    assert painted[0] > 1.5 * painted[-1]


def test_the_line_stage_shows_no_colour():
    canvas = compose(a_process(), 520).astype(int)
    assert (canvas.max(axis=2) - canvas.min(axis=2)).max() < 60  # sketch blue at most
    assert (canvas < 90).all(axis=2).any()


def test_a_batch_is_each_picture_at_its_own_step():
    process = a_process()
    maps = torch.from_numpy(process.to_maps())[None].repeat(3, 1, 1, 1)
    batch = compose_batch(maps, torch.tensor([0, 400, 999]))
    assert batch.shape == (3, 3, 64, 64) and batch.dtype == torch.float32
    for canvas, step in zip(batch, (0, 400, 999), strict=True):
        pixels = ((canvas + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        assert np.array_equal(pixels, compose(process, step))


def test_steps_out_of_range_are_refused():
    with pytest.raises(ValueError, match="0 to 999"):
        compose(a_process(), 1000)


def test_stages_cover_all_time_without_gaps():
    bounds = list(STAGES.values())
    assert bounds[0][0] == 0 and bounds[-1][1] == 1
    assert all(before[1] == after[0] for before, after in zip(bounds, bounds[1:], strict=False))
    assert stage_of(0) == "finish" and stage_of(999) == "sketch" and stage_of(600) == "line"
