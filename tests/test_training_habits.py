import numpy as np
import pytest
from training_pictures import a_process

from paints_undo.training.habits import Habits, apply_habits, compose_with_habits, draw_habits
from paints_undo.training.process import compose


def test_without_habits_the_process_is_canonical():
    process = a_process()
    for step in (0, 300, 600, 900):
        assert np.array_equal(compose_with_habits(process, step, Habits()), compose(process, step))


def test_habits_are_rare_and_the_same_for_the_same_seed():
    habits = [draw_habits(str(number)) for number in range(400)]
    assert habits == [draw_habits(str(number)) for number in range(400)]
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


def test_flip_check_and_hidden_lines_last_a_moment():
    process = a_process()
    mirrored = compose_with_habits(process, 800, Habits(flip_check_at=0.19))
    assert np.array_equal(mirrored, compose(process, 800)[:, ::-1])
    assert np.array_equal(compose_with_habits(process, 600, Habits(flip_check_at=0.19)), compose(process, 600))
    hidden = compose_with_habits(process, 450, Habits(lines_hidden_at=0.53))
    assert hidden.mean() > compose(process, 450).mean()


def test_impossible_habits_are_refused():
    with pytest.raises(ValueError, match="sketch_scale"):
        Habits(sketch_scale=5)
    with pytest.raises(ValueError, match="flip_check_at"):
        Habits(flip_check_at=2)
