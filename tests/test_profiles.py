"""Profiles change what they say and nothing else."""

from dataclasses import replace

import pytest

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions, with_profile

OPTIONS = UndoOptions()


def test_exact_changes_nothing():
    assert with_profile(OPTIONS, "exact") is OPTIONS


def test_fast():
    fast = with_profile(OPTIONS, "fast")
    assert (fast.keyframes.sampling_steps, fast.segments.sampling_steps) == (25, 25)
    assert (fast.segments.guidance_interval, fast.segments.reuse_interval) == ((200, 800), 2)
    undone = replace(
        fast,
        keyframes=replace(fast.keyframes, sampling_steps=50),
        segments=replace(fast.segments, sampling_steps=50, guidance_interval=(0, 999), reuse_interval=1),
    )
    assert undone == OPTIONS
    assert UndoOptions.from_settings(fast.to_settings()) == fast


def test_one_step_stays_one():
    one = replace(OPTIONS, segments=replace(OPTIONS.segments, sampling_steps=1))
    assert with_profile(one, "fast").segments.sampling_steps == 1


def test_an_unknown_profile_is_refused():
    with pytest.raises(InputError, match="profile is 'turbo'; use one of exact, fast"):
        with_profile(OPTIONS, "turbo")
