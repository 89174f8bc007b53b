"""An edit changes the record, says what it did, and draws nothing."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fake_engine import FakeEngine

from paints_undo.errors import InputError
from paints_undo.options import KeyframeOptions, UndoOptions
from paints_undo.run.edits import LARGEST_RANDOM_SEED
from paints_undo.run.timeline import Timeline
from paints_undo.web import edits
from paints_undo.web.history import CARD, Entry, History, message
from paints_undo.web.playable import PlayableRun

ARTWORK = np.full((64, 64, 3), 200, np.uint8)


@pytest.fixture
def entry(tmp_path) -> Entry:
    options = UndoOptions(KeyframeOptions(operation_steps=(400, 800), width=64, height=64))
    timeline, history = Timeline.of(options.keyframes, options.segments), History(tmp_path)
    settings = FakeEngine().settings_of(options)
    run = PlayableRun.create(history.new_folder(), settings, timeline, ARTWORK)
    return history.add("visitor-one-secret", run, "", None, message("opened"))


def test_options_and_timeline_agree_and_are_kept(entry):
    edits.edit(entry, "add_keyframe", 600)
    assert entry.run.options.keyframes.operation_steps == (400, 600, 800)
    again = PlayableRun.open(entry.path)
    assert again.timeline == entry.run.timeline
    assert entry["message"] == {"key": "keyframe_added", "values": {"step": 600}}


def test_a_refused_edit_changes_nothing(entry):
    before, record = entry.version, (entry.path / "run.json").read_bytes()
    with pytest.raises(InputError):
        edits.edit(entry, "add_keyframe", 400)
    assert entry.version == before and (entry.path / "run.json").read_bytes() == record


def test_random_seeds_are_told(entry):
    edits.edit(entry, "reroll_keyframe", 400)
    seed = entry["message"]["values"]["seed"]
    assert entry.run.timeline.keyframe(400).seed == seed <= LARGEST_RANDOM_SEED
    edits.edit(entry, "reroll_all", 5)
    assert entry.run.options.keyframes.seed == 5
    edits.edit(entry, "redo_segment", 2)
    assert entry.run.timeline.segment_seeds[2] == entry["message"]["values"]["seed"]


def test_missing_and_ready_keyframes(entry):
    assert entry.run.missing_keyframes == [0, 1]
    edits.put_picture(entry, 800, 255 - ARTWORK)
    assert entry.run.missing_keyframes == [0]
    assert np.array_equal(edits.ready_keyframe(entry, 800), 255 - ARTWORK)
    with pytest.raises(InputError, match="the keyframe at operation step 400 is not drawn yet"):
        edits.ready_keyframe(entry, 400)


def test_a_lock_holds_against_ones_own_picture_too(entry):
    edits.edit(entry, "lock_keyframe", 800, True)
    with pytest.raises(InputError, match="is locked; unlock it first"):
        edits.put_picture(entry, 800, ARTWORK)
    assert not (entry.path / "keyframes").exists()


def test_without_own_pictures(entry):
    edits.put_picture(entry, 800, ARTWORK)
    edits.edit(entry, "lock_keyframe", 800, True)
    plain = edits.without_own_pictures(entry.run.timeline)
    assert all(keyframe.redrawable and not keyframe.locked for keyframe in plain.keyframes)


def test_edits_are_taken_back_and_done_again(entry):
    before = entry.run.timeline, entry.run.options
    edits.edit(entry, "reroll_keyframe", 800, seed=7)
    edits.edit(entry, "delete_keyframe", 400)
    after = entry.run.timeline, entry.run.options
    edits.take_back(entry)
    edits.take_back(entry)
    assert (entry.run.timeline, entry.run.options) == before and entry["message"]["key"] == "undone"
    with pytest.raises(InputError, match="nothing to undo"):
        edits.take_back(entry)
    edits.take_back(entry, again=True)
    edits.take_back(entry, again=True)
    assert (entry.run.timeline, entry.run.options) == after and entry["message"]["key"] == "redone"
    edits.take_back(entry)
    edits.edit(entry, "reroll_keyframe", 800, seed=8)  # another way: what was undone is no more
    with pytest.raises(InputError, match="nothing to undo"):
        edits.take_back(entry, again=True)
    kept = json.loads((entry.path / CARD).read_text())
    assert len(kept["done"]) == 2 and kept["undone"] == []


def test_only_so_many_edits_are_kept(entry, monkeypatch):
    monkeypatch.setattr(edits, "MOST_KEPT", 3)
    for seed in range(6):
        edits.edit(entry, "reroll_keyframe", 800, seed=seed)
    assert len(entry["done"]) == 3
