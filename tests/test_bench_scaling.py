"""Edits and many segments, measured with tiny networks."""

from dataclasses import replace

import numpy as np
import pytest

from paints_undo import InputError, KeyframeOptions, PaintsUndo, SegmentOptions, UndoOptions
from paints_undo.bench.scaling import edited, growing

OPTIONS = UndoOptions(
    KeyframeOptions(prompt="1girl", operation_steps=[400, 800, 999], width=96, height=64, sampling_steps=1),
    SegmentOptions(sampling_steps=1),
    tag=False,
)


@pytest.fixture
def engine(tiny_family):
    return PaintsUndo.load(tiny_family, device="cpu")


def test_an_edit_draws_two_segments(engine, monkeypatch):
    drawn, fill = [], engine.fill_pairs
    monkeypatch.setattr(engine, "fill_pairs", lambda *a: (drawn.append(len(a[3])), fill(*a)))
    measured = edited(engine, np.full((64, 96, 3), 90, np.uint8), OPTIONS)
    assert drawn == [4, 2] and measured["segments"] == 4
    assert measured["share"] == measured["again"] / measured["whole"] > 0


def test_every_call_fills_its_segments_anew(engine, monkeypatch):
    drawn, fill = [], engine.fill_segments
    monkeypatch.setattr(engine, "fill_segments", lambda *a: drawn.append(len(fill(*a))))
    measured = growing(engine, OPTIONS, [1, 2])
    assert drawn == [1, 1, 2] and [m["pairs"] for m in measured] == [1, 2]
    assert all(m["seconds"] > 0.01 for m in measured)


@pytest.mark.parametrize("counts", [[0], [3, -1]])
def test_no_pair_is_refused(engine, counts):
    with pytest.raises(InputError, match="use 1 or more"):
        growing(engine, OPTIONS, counts)


def test_two_steps_have_no_inner_keyframe(engine):
    few = replace(OPTIONS, keyframes=replace(OPTIONS.keyframes, operation_steps=[400, 999]))
    with pytest.raises(InputError, match="an inner keyframe needs 3 or more"):
        edited(engine, np.zeros((64, 96, 3), np.uint8), few)
