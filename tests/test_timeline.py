"""Changes of a timeline touch what they say, and names follow the content."""

from dataclasses import replace
from typing import Any

import pytest

from paints_undo.errors import InputError
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.run.timeline import Keyframe, Timeline, keyframe_names, segment_names, settings_fingerprint

DRAWING = KeyframeOptions(operation_steps=(400, 800, 999), seed=5)
FILLING = SegmentOptions(seed=10)
OPTIONS = UndoOptions(DRAWING, FILLING)
START = Timeline.of(DRAWING, FILLING)
PRINT = settings_fingerprint(OPTIONS)


def with_drawing(**changes):
    return replace(OPTIONS, keyframes=replace(DRAWING, **changes))


def test_after_the_largest_seed_comes_0():
    timeline = Timeline.of(KeyframeOptions(operation_steps=(400, 800)), SegmentOptions(seed=2**32 - 2))
    assert timeline.segment_seeds == [2**32 - 2, 2**32 - 1, 0]
    assert timeline.with_keyframe(600, 1).keyframe(600).segment_seed == 0


def test_a_plain_run():
    assert START.segment_seeds == [10, 11, 12, 13]
    assert START.places == ["artwork", "0400", "0800", "0999", "blank"]
    assert keyframe_names(START, OPTIONS) == [f"0400-5-{PRINT}", f"0800-5-{PRINT}", f"0999-5-{PRINT}"]
    assert Timeline.from_record(START.to_record()) == START


def test_a_further_keyframe_leaves_the_other_segments_their_seeds():
    more = START.with_keyframe(600, 7)
    assert more.places == ["artwork", "0400", "0600", "0800", "0999", "blank"]
    assert more.segment_seeds == [10, 11, 14, 12, 13]
    assert more.without(600) == START
    with pytest.raises(InputError, match="there is a keyframe at operation step 600 already"):
        more.with_keyframe(600, 8)
    wrong: tuple[Any, ...] = (-1, 1000, 2.5, None)
    for step in wrong:
        with pytest.raises(InputError, match="operation step is"):
            START.with_keyframe(step, 1)


def test_one_keyframe_can_be_changed():
    rolled = START.changed(800, seed=6)
    assert keyframe_names(rolled, OPTIONS) == [f"0400-5-{PRINT}", f"0800-6-{PRINT}", f"0999-5-{PRINT}"]
    own = START.changed(800, own="ab" * 32)
    assert keyframe_names(own, OPTIONS)[1] == "0800-own-abababababab" and not own.keyframe(800).redrawable
    locked = START.changed(800, locked=True)
    with pytest.raises(InputError, match="the keyframe at operation step 800 is locked; unlock it first"):
        locked.changed(800, seed=6)
    assert [keyframe.seed for keyframe in locked.rerolled(9).keyframes] == [9, 5, 9]
    assert [keyframe.seed for keyframe in own.rerolled(9).keyframes] == [9, 5, 9]
    with pytest.raises(InputError, match="there is no keyframe at operation step 500; there are 400, 800, 999"):
        START.changed(500, seed=1)


def test_the_last_keyframe_stays():
    one = START.without(400).without(800)
    with pytest.raises(InputError, match="the last keyframe cannot be deleted"):
        one.without(999)


def test_too_many_keyframes():
    with pytest.raises(InputError, match="there are 33 keyframes; use at most 32"):
        Timeline(tuple(Keyframe(step, 1, 1) for step in range(33)), 1)
    with pytest.raises(InputError, match="operation step 5 is given 2 times"):
        Timeline((Keyframe(5, 1, 1), Keyframe(5, 2, 1)), 1)


def test_segments_have_their_own_seeds():
    assert START.with_segment_seed(0, 99).segment_seeds == [99, 11, 12, 13]
    assert START.with_segment_seed(3, 99).segment_seeds == [10, 11, 12, 99]
    with pytest.raises(InputError, match="there is no segment 4; there are 0 to 3"):
        START.with_segment_seed(4, 1)


def test_names_of_keyframes_follow_the_settings():
    assert settings_fingerprint(with_drawing(seed=6, operation_steps=(1,))) == PRINT
    for other in ({"prompt": "x"}, {"width": 256}, {"sampling_steps": 3}, {"long_prompt": True}):
        changed = with_drawing(**other)
        assert not set(keyframe_names(START, changed)) & set(keyframe_names(START, OPTIONS))
        # a locked one keeps what it was drawn with
        kept = START.changed(800, locked=True, drawn_with=PRINT)
        assert keyframe_names(kept, changed)[1] == keyframe_names(START, OPTIONS)[1]


def test_names_of_segments_follow_their_content():
    names = segment_names(START, OPTIONS)
    assert [name.rsplit("-", 1)[0] for name in names] == ["artwork-0400", "0400-0800", "0800-0999", "0999-blank"]
    assert segment_names(START, OPTIONS) == names
    # the first seed of the settings decides about the timeline's seeds, and only they count
    assert segment_names(START, replace(OPTIONS, segments=replace(FILLING, seed=77))) == names

    def changed(timeline=START, options=OPTIONS):
        others = segment_names(timeline, options)
        return [number for number, name in enumerate(others) if name != names[number]]

    assert changed(timeline=START.with_segment_seed(1, 99)) == [1]
    assert changed(timeline=START.changed(800, seed=6)) == [1, 2]
    assert changed(timeline=START.changed(800, own="ab" * 32)) == [1, 2]
    assert changed(options=with_drawing(prompt="x")) == [0, 1, 2, 3]
    assert changed(options=replace(OPTIONS, segments=replace(FILLING, sampling_steps=10))) == [0, 1, 2, 3]
    own = Timeline((Keyframe(400, 5, 11, own="ab" * 32),), 10)  # its picture is cut to the size
    for other in (with_drawing(width=1024), replace(OPTIONS, fit="crop")):
        assert not set(segment_names(own, other)) & set(segment_names(own, OPTIONS))


def test_names_follow_the_fit_and_those_of_the_first_runs_stay():
    cut = replace(OPTIONS, fit="crop")
    assert not set(keyframe_names(START, cut)) & set(keyframe_names(START, OPTIONS))
    assert keyframe_names(START, cut)[0] == "0400-5-08e5cd94"
    assert segment_names(START, cut)[0] == "artwork-0400-eb10a68e204e8322"


@pytest.mark.parametrize("field", [{"own": "../../x"}, {"own": 5}, {"drawn_with": "xyz"}, {"locked": "yes"}])
def test_what_a_record_may_not_hold(field):
    with pytest.raises(InputError, match="at operation step 400 is"):
        Keyframe(400, 1, 1, **field)


@pytest.mark.parametrize("record", [{}, {"keyframes": [{"step": 1}], "artwork_seed": 1}, {"keyframes": 3}])
def test_a_broken_record_is_one_sentence(record):
    with pytest.raises(InputError, match="this timeline is not of this version"):
        Timeline.from_record(record)
