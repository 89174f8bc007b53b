"""Jobs on a run: what is checked before, what is kept after, and what is not done twice."""

from __future__ import annotations

import numpy as np
import pytest
from fake_engine import FakeEngine

from paints_undo.errors import InputError
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.run.timeline import Timeline
from paints_undo.web.history import Entry, History, message
from paints_undo.web.playable import PlayableRun
from paints_undo.web.work import WORK, frame_files, start, subject_as_tagged


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def entry(tmp_path, engine) -> Entry:
    drawing = KeyframeOptions(operation_steps=(400, 800), width=64, height=64, sampling_steps=2)
    options = UndoOptions(drawing, SegmentOptions(sampling_steps=2))
    timeline, history = Timeline.of(options.keyframes, options.segments), History(tmp_path)
    picture = np.full((64, 64, 3), 200, np.uint8)
    run = PlayableRun.create(history.new_folder(), engine.settings_of(options), timeline, picture)
    return history.add("visitor-one-secret", run, "", None, message("opened"))


def done(engine: FakeEngine, entry: Entry, name: str) -> None:
    start(engine, entry, name)
    assert entry.job.wait(30)


@pytest.mark.parametrize(
    ("name", "said"), [("prompt", "prompt_written"), ("keyframes", "keyframes_ready"), ("video", "video_ready")]
)
def test_each_job_ends_with_its_message(engine, entry, name, said):
    assert name in WORK
    done(engine, entry, name)
    assert entry["message"]["key"] == said and entry["wanted"] is None
    assert entry["state"] == ("finished" if name == "video" else "idle")


def test_the_preview_of_the_job_before_is_gone_when_the_next_one_starts(engine, entry):
    entry.preview.path.write_bytes(b"what was drawn before")
    done(engine, entry, "prompt")  # which draws nothing
    assert not entry.preview.path.exists()


def test_while_it_runs_the_card_says_what_is_wanted(engine, entry):
    engine.seconds_per_step = 0.05
    start(engine, entry, "keyframes")
    assert entry["wanted"] == "keyframes"
    with pytest.raises(InputError, match="this picture is being drawn"):
        start(engine, entry, "video")
    entry.job.cancel()
    assert entry.job.wait(5) and entry["wanted"] is None and entry["state"] == "cancelled"


def test_frame_files_follow_the_video(engine, entry):
    with pytest.raises(InputError, match="this run has no video yet"):
        frame_files(entry)
    done(engine, entry, "video")
    files = frame_files(entry)
    assert len(files) == 45 and read_picture(files[0]).shape == (64, 64, 3), "square as the artwork"
    written = files[0].stat().st_mtime_ns
    assert frame_files(entry)[0].stat().st_mtime_ns == written
    entry.run.segment_file(0).unlink()
    done(engine, entry, "video")  # what is gone is drawn again
    assert engine.segments_drawn == [0, 1, 2, 0]
    assert frame_files(entry)[0].stat().st_mtime_ns > written


def test_a_failure_names_no_folder(engine, entry):
    engine.fail_with = OSError(f"Cannot write {entry.path}/keyframes: no space left")
    done(engine, entry, "keyframes")
    assert entry["message"]["key"] == "failed"
    assert str(entry.path.parent) not in str(entry["message"])


def test_the_video_is_told_whom_the_tagger_saw_and_ones_own_words_stay() -> None:
    usual = "1girl, masterpiece, best quality"
    assert subject_as_tagged(usual, "cat, no humans", usual) == "masterpiece, best quality"
    assert subject_as_tagged("masterpiece, best quality", "1boy, hat", usual) == "1boy, masterpiece, best quality"
    assert subject_as_tagged(usual, "1girl, solo", usual) == usual
    assert subject_as_tagged("1girl, wind", "1boy", usual) == "1girl, wind"
