"""Phases told from the pictures, and what is new in each."""

import numpy as np
from export_runs import at_step, make_source, picture

from paints_undo.exports.curves import measure
from paints_undo.exports.papers import size_within
from paints_undo.exports.phases import BLANK, phases, phases_of, what_is_new
from paints_undo.pictures.fit import crop_to


def test_blank_lines_colours_finished():
    finished = crop_to(picture(), 96, 120)
    frames = [at_step(finished, moment) for moment in (0, 0.5, 0.8)] + [finished]
    told = phases(frames, measure(frames, finished))
    assert [phase.name for phase in told] == [BLANK, "line art", "colours", "finished artwork"]
    assert told[0].changed == 0 and told[2].changed > 0.4
    assert "lines" in told[1].words and "%" in told[2].words


def test_a_step_that_changes_little_says_so_and_a_run_has_a_phase_for_each_keyframe(tmp_path):
    finished = crop_to(picture(), 96, 120)
    told = phases([finished, finished, finished], measure([finished] * 3, finished))
    assert told[1].words == "Little changes: what is there is refined." and "first strokes" in told[0].words
    told = phases_of(make_source(tmp_path))
    assert len(told) == 4 and told[-1].name == "finished artwork"


def test_what_is_new_is_where_the_pictures_differ():
    before = np.full((60, 60, 3), 255, np.uint8)
    after = before.copy()
    after[20:40, 20:40] = (200, 30, 30)
    new = what_is_new(before, after)
    assert new[25:35, 25:35].all() and not new[:15].any() and not what_is_new(after, after).any()


def test_a_picture_fits_into_its_place():
    assert size_within(picture(120, 150), 60, 60) == (48, 60)
    assert size_within(picture(120, 150), 1200, 300) == (240, 300)
