"""Flat settings go to options and back, and a change of them spares what is drawn."""

from __future__ import annotations

import dataclasses
import json

import pytest

from paints_undo.errors import InputError
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.run.timeline import Timeline, settings_fingerprint
from paints_undo.web.recipes import changes_of, other_seeds
from paints_undo.web.settings import agreeing, changed, flat, following

START = UndoOptions(KeyframeOptions(operation_steps=(400, 800), seed=5), SegmentOptions(seed=10))
TIMELINE = Timeline.of(START.keyframes, START.segments)


def follow(timeline: Timeline = TIMELINE, drawn: bool = True, **changes) -> Timeline:
    return following(timeline, START, changed(START, changes), lambda keyframe: drawn)


def test_every_option_has_one_flat_name():
    values = flat(START)
    fields = [*dataclasses.fields(KeyframeOptions), *dataclasses.fields(SegmentOptions)]
    whole_run = {"fps", "fit", "mark", "seconds", "route"}
    assert values.keys() >= whole_run and len(values) == len(fields) + len(whole_run)
    assert json.loads(json.dumps(values)) == values
    assert (values["seed"], values["video_seed"], values["frame_stride"], values["fps"]) == (5, 10, 3, 4)
    assert changed(UndoOptions(), values) == START
    marked = changed(START, {"mark": True})
    assert marked.mark and changed(UndoOptions(), flat(marked)) == marked
    with pytest.raises(InputError, match="mark is 'yes'"):
        changed(START, {"mark": "yes"})


def test_what_is_not_named_stays():
    after = changed(START, {"video_prompt": "1boy", "fps": 9})
    assert after == dataclasses.replace(START, segments=SegmentOptions("1boy", 10), fps=9)
    with pytest.raises(InputError, match="there is no setting 'sampling'; use prompt, "):
        changed(START, {"sampling": 1})


def test_other_operation_steps_keep_the_shared_keyframes():
    edited = TIMELINE.changed(800, seed=77)
    after = follow(edited, operation_steps=[600, 800, 999])
    assert [(k.step, k.seed, k.segment_seed) for k in after.keyframes] == [(600, 5, 13), (800, 77, 12), (999, 5, 15)]
    assert follow(edited, prompt="x") == edited


def test_other_seeds():
    locked = TIMELINE.changed(400, locked=True)
    assert [k.seed for k in follow(locked, seed=9).keyframes] == [5, 9]
    assert follow(video_seed=2**32 - 1).segment_seeds == [2**32 - 1, 0, 1]


def test_a_locked_keyframe_remembers_what_it_was_drawn_with():
    locked, present = TIMELINE.changed(400, locked=True), settings_fingerprint(START)
    assert follow(locked, prompt="x").keyframe(400).drawn_with == present
    assert follow(locked, drawn=False, prompt="x").keyframe(400).drawn_with == ""
    assert follow(locked, fps=2).keyframe(400).drawn_with == ""


def test_agreeing():
    assert agreeing(START, TIMELINE.with_keyframe(600, 1)).keyframes.operation_steps == (400, 600, 800)


@pytest.mark.parametrize(("own", "draft"), [(50, 12), (4, 1), (2, 1), (1, 1)])
def test_a_draft_takes_a_quarter_of_the_steps_of_the_family_and_at_least_one(own, draft):
    family = changed(UndoOptions(), {"sampling_steps": own, "video_sampling_steps": max(1, own // 2)})
    assert changes_of("draft", family) == {"sampling_steps": draft, "video_sampling_steps": max(1, own // 2 // 4)}


def test_other_seeds_begin_anew_after_the_largest():
    assert other_seeds(2**32 - 2) == [2**32 - 1, 0, 1]
