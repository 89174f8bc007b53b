"""Run folders whose timeline was edited, or whose files are gone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from paints_undo import InputError, KeyframeOptions, PaintsUndo, SegmentOptions, UndoOptions
from paints_undo.run.draw import draw, draw_keyframes
from paints_undo.run.folder import RunFolder

OPTIONS = UndoOptions(
    KeyframeOptions(prompt="1girl", operation_steps=[400, 800, 999], width=96, height=64, sampling_steps=2),
    SegmentOptions(sampling_steps=2),
)


@pytest.fixture(scope="module")
def artwork():
    return np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)


@pytest.fixture(scope="module")
def done(tiny_family, artwork, tmp_path_factory):
    return PaintsUndo.load(tiny_family, device="cpu").undo(artwork, OPTIONS, tmp_path_factory.mktemp("out") / "run")


@pytest.fixture
def engine(tiny_family):
    """With nothing remembered: what is drawn here is drawn anew."""
    return PaintsUndo.load(tiny_family, device="cpu")


def decoded(told, stage):
    return {progress.total for progress in told if progress.stage == stage and progress.detail == "decoding"}


def test_an_edited_timeline_draws_what_it_lacks(engine, done):
    before = RunFolder.open(done.folder)
    timeline = before.timeline
    edited = timeline.with_keyframe(600, OPTIONS.keyframes.seed).changed(999, seed=7)
    before.change(before.options, edited)
    assert not RunFolder.open(done.folder).finished
    told = []
    after = draw(engine, before, told.append)
    assert after.keyframes.shape[0] == 4 and np.array_equal(after.keyframes[[0, 2]], done.keyframes[[0, 1]])
    assert decoded(told, "keyframes") == {2}
    # 400-600, 600-800, 800-999 and 999-blank are new, artwork-400 is not
    assert decoded(told, "segments") == {4}
    assert np.array_equal(after.frames[-15:], done.frames[-15:])
    before.change(before.options, timeline)
    told.clear()
    assert np.array_equal(draw(engine, before, told.append).frames, done.frames)
    assert {progress.stage for progress in told} == {"video"}


def test_a_picture_of_ones_own_cannot_be_drawn_again(engine, done, artwork):
    run = RunFolder.open(done.folder)
    timeline = run.timeline
    run.change(run.options, timeline.changed(800, own="0" * 16))
    with pytest.raises(InputError, match="your picture for operation step 800 is gone .*; give it again"):
        draw_keyframes(engine, run)
    run.change(run.options, timeline)


def test_options_of_a_run(done):
    assert RunFolder.open(done.folder).options == replace(OPTIONS, tag=OPTIONS.tag)


def test_a_record_without_options_is_named(done):
    run = RunFolder.open(done.folder)
    record = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps({**record, "settings": {}}))
    with pytest.raises(InputError, match="records no options; start a new run"):
        _ = RunFolder.open(run.path).options
