from dataclasses import replace

import numpy as np
import pytest
import torch
from training_pictures import a_process, compose

from paints_undo.training.habits import Habits, apply_habits, compose_with_moments, draw_habits, moments_of
from paints_undo.training.process import DrawingProcess


def test_habits_are_rare_and_the_same_for_the_same_seed():
    habits = [draw_habits(str(number), 0.06) for number in range(400)]
    assert habits == [draw_habits(str(number), 0.06) for number in range(400)]
    plain = sum(one == Habits() for one in habits)
    assert 250 < plain < 370


def test_a_colour_change_is_over_when_the_picture_is_finished():
    process = a_process()
    changed = apply_habits(process, Habits(hue_shift=90))
    assert np.abs(compose(changed, 300).astype(int) - compose(process, 300)).max() > 50
    assert np.array_equal(compose(changed, 0), process.final)


def test_a_moved_sketch_moves_nothing_else():
    process = a_process()
    moved = apply_habits(process, Habits(sketch_shift=(0.1, 0.0), sketch_scale=1.1))
    assert not np.array_equal(moved.sketch, process.sketch)
    assert np.array_equal(moved.line, process.line)


def canvas(process: DrawingProcess, step: int, habits: Habits) -> np.ndarray:
    """One canvas of an artist, uint8 (H, W, 3)."""
    maps, moments = torch.from_numpy(process.to_maps())[None], moments_of([habits])
    found = compose_with_moments(maps, torch.tensor([step]), moments)[0]
    return ((found + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()


def test_without_habits_the_process_is_canonical():
    process = a_process()
    for step in (0, 300, 600, 900):
        assert np.array_equal(canvas(process, step, Habits()), compose(process, step))


def test_flip_check_and_hidden_lines_last_a_moment():
    process = a_process()
    flips, hides = Habits(flip_check_at=0.19), Habits(lines_hidden_at=0.53)
    assert np.array_equal(canvas(process, 800, flips), compose(process, 800)[:, ::-1])
    bare = compose(replace(process, line=np.zeros_like(process.line)), 450)
    assert np.array_equal(canvas(process, 450, hides), bare) and not np.array_equal(bare, compose(process, 450))
    for step in (850, 770, 600, 0):  # before and after
        assert np.array_equal(canvas(process, step, flips), compose(process, step))
    for step in (500, 430, 0):
        assert np.array_equal(canvas(process, step, hides), compose(process, step))


def test_moments_are_each_pictures_own():
    maps = torch.from_numpy(a_process().to_maps())[None].repeat(3, 1, 1, 1)
    moments = moments_of([Habits(), Habits(flip_check_at=0.5), Habits()])
    canvases = compose_with_moments(maps, torch.tensor([490, 490, 490]), moments)
    assert torch.equal(canvases[1], canvases[0].flip(-1)) and torch.equal(canvases[2], canvases[0])
    assert torch.equal(maps[0], maps[1])  # what the set holds is not written to


def test_impossible_habits_are_refused():
    with pytest.raises(ValueError, match="sketch_scale"):
        Habits(sketch_scale=5)
    with pytest.raises(ValueError, match="flip_check_at"):
        Habits(flip_check_at=2)
