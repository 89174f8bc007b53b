"""The studio at work: what happens to runs that are cancelled, paused, killed, fail, or belong to somebody else."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from running_app import until
from studio_desk import ARTWORK, ME, OTHER, StudioDesk, states

from paints_undo.errors import InputError, Sentence
from paints_undo.pictures.pixels import read_picture
from paints_undo.web.work import subject_as_tagged


@pytest.fixture
def desk(tmp_path) -> StudioDesk:
    return StudioDesk(tmp_path / "runs")


def test_cancel_and_continue(tmp_path):
    desk = StudioDesk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    run = desk.new(sampling_steps=2, video_sampling_steps=50)
    desk.generate(run, "video")
    until(lambda: "drawing" in states(desk.view(run), "segments"))
    view = desk.view(run)
    assert view["state"] == "running" and view["job"]["stage"] == "segments" and Path(view["preview"]).exists()
    assert read_picture(view["preview"]).shape == (80, 64, 3)
    desk.cancel(run)
    began = time.perf_counter()
    assert desk.wait(run, 5) and time.perf_counter() - began < 1
    view = desk.view(run)
    assert (view["state"], view["message"]["key"]) == ("cancelled", "cancelled")
    assert states(view, "keyframes") == ["ready"] * 3 and view["preview"] is None
    kept = states(view, "segments").count("ready")
    desk.set_settings(run, fps=7)
    desk.engine.segments_drawn = []
    desk.engine.seconds_per_step = 0
    assert desk.done("video", run)["state"] == "finished"
    assert len(desk.engine.segments_drawn) == 4 - kept
    assert desk.engine.keyframes_drawn == (400, 800, 999)


def test_pause_and_resume(tmp_path):
    desk = StudioDesk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    run, second = desk.new(sampling_steps=20), desk.new(sampling_steps=1)
    desk.generate(run, "keyframes")
    until(lambda: desk.engine.steps_done > 3)
    desk.pause(run)
    time.sleep(0.05)
    done = desk.engine.steps_done
    time.sleep(0.05)
    assert desk.engine.steps_done == done and desk.view(run)["state"] == "paused"
    desk.done("keyframes", second)  # the paused one makes way
    assert desk.wait(run, 5)
    view = desk.view(run)
    assert view["state"] == "paused" and view["message"]["key"] == "paused" and view["job"] is None
    assert [each["run"] for each in desk.unfinished()] == [run]
    desk.resume(run)
    assert desk.wait(run, 30) and states(desk.view(run), "keyframes") == ["ready"] * 3
    assert desk.unfinished() == []


def test_a_restart_finds_unfinished_runs(tmp_path):
    desk = StudioDesk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    run = desk.new(sampling_steps=1, video_sampling_steps=30)
    desk.generate(run, "video")
    until(lambda: states(desk.view(run), "segments").count("ready") > 0)
    frozen = tmp_path.with_name("after the crash")
    # The disk as a killed program would leave it; what is just being written may go while it is copied.
    shutil.copytree(tmp_path, frozen, ignore=shutil.ignore_patterns("*.tmp"))
    desk.cancel(run)
    assert desk.wait(run, 5)

    after = StudioDesk(frozen)
    view = after.view(run)
    assert (view["state"], view["message"]["key"], view["job"]) == ("paused", "unfinished", None)
    assert [each["run"] for each in after.unfinished()] == [run] and after.studio.unfinished(OTHER) == []
    kept = {s["index"]: s for s in view["segments"] if s["state"] == "ready"}
    files = {file: file.read_bytes() for file in frozen.rglob("*.npz")}
    assert after.engine.steps_done == 0  # offered, not started
    after.resume(run)
    assert after.wait(run, 30) and after.view(run)["state"] == "finished"
    assert after.engine.keyframes_drawn == ()
    assert sorted(after.engine.segments_drawn) == sorted({0, 1, 2, 3} - kept.keys())
    assert all(file.read_bytes() == content for file, content in files.items())


def test_visitors_do_not_see_each_other(desk):
    run = desk.finished()
    assert desk.studio.runs(OTHER) == []
    for ask in (
        lambda: desk.studio.view(OTHER, run),
        lambda: desk.studio.delete(OTHER, run),
        lambda: desk.studio.cancel(OTHER, run),
        lambda: desk.studio.generate(OTHER, run, "video"),
        lambda: desk.studio.view(ME, "../" + run),
        lambda: desk.studio.view(ME, None),
    ):
        with pytest.raises(InputError, match="this run is not there"):
            ask()
    for nobody in ("", None, 5, "x" * 500):
        with pytest.raises(InputError, match="this page has no secret"):
            desk.studio.view(nobody, run)
    assert ME not in "".join(file.read_text() for file in desk.out.rglob("*.json"))


# Bad input: one sentence, nothing lost, nothing computed


def test_nothing_is_edited_under_a_job(tmp_path):
    desk = StudioDesk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    run = desk.new(sampling_steps=50)
    desk.generate(run, "keyframes")
    second_tab = StudioDesk(tmp_path, engine=desk.engine)
    second_tab.studio = desk.studio
    for ask in (
        lambda: second_tab.redo_segment(run, 1),
        lambda: second_tab.reroll_keyframe(run, 400),
        lambda: second_tab.set_settings(run, fps=3),
        lambda: second_tab.replace_keyframe(run, 400, ARTWORK),
        lambda: second_tab.generate(run, "video"),
        lambda: second_tab.delete(run),
    ):
        with pytest.raises(InputError, match="this picture is being drawn"):
            ask()
    second_tab.cancel(run)
    assert desk.wait(run, 5) and desk.view(run)["state"] == "cancelled"


def test_a_folder_deleted_under_the_app(tmp_path):
    desk = StudioDesk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    run, other = desk.new(sampling_steps=50), desk.new(sampling_steps=1)
    desk.generate(run, "keyframes")
    until(lambda: desk.engine.steps_done > 2)
    (tmp_path / run).rename(tmp_path.with_name("gone"))
    done = desk.engine.steps_done
    view = desk.done("keyframes", other)
    assert states(view, "keyframes") == ["ready"] * 3 and desk.engine.steps_done <= done + 2 + 3
    with pytest.raises(InputError, match="this run is not there"):
        desk.view(run)
    assert [each["run"] for each in desk.runs()] == [other] and not (tmp_path / run).exists()


@pytest.mark.parametrize(
    ("error", "key", "sentence"),
    [
        (MemoryError("too little memory; make the pictures smaller"), "failed", "too little memory"),
        (OSError("Cannot write /srv/somewhere/keyframes: no space left"), "failed", "Cannot write keyframes: no space"),
        (ValueError("a fault"), "internal_error", None),
    ],
)
def test_a_failure_says_so_and_the_next_job_works(tmp_path, error, key, sentence):
    desk = StudioDesk(tmp_path, engine=FakeEngine(fail_with=error))
    run = desk.new()
    view = desk.done("keyframes", run)
    assert (view["state"], view["message"]["key"]) == ("failed", key)
    assert sentence is None or sentence in Sentence.from_record(view["message"]["values"]["sentence"])
    desk.engine.fail_with = None
    assert states(desk.done("keyframes", run), "keyframes") == ["ready"] * 3


def test_other_weights_do_not_mix(desk):
    run = desk.finished()
    desk.engine.settings_of = lambda options: {"options": {}, "models": {"name": "other", "revision": ""}}
    with pytest.raises(InputError, match="this run was made with the model family fake, and this program works with"):
        desk.generate(run, "video")


def test_one_visitor_cannot_fill_the_queue(tmp_path):
    desk = StudioDesk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    runs = [desk.new(sampling_steps=100) for _ in range(17)]
    for run in runs[:16]:
        desk.generate(run, "keyframes")
    assert desk.view(runs[3])["job"]["ahead"] == 3 and desk.view(runs[3])["state"] == "waiting"
    with pytest.raises(InputError, match="16 of your pictures"):
        desk.generate(runs[16], "keyframes")
    for run in reversed(runs[:16]):
        desk.cancel(run)
    assert all(desk.wait(run, 5) for run in runs)


# Figures


def test_a_view_is_quick(desk):
    run = desk.finished(operation_steps=[400, 600, 800, 900, 950, 999])
    assert len(desk.view(run)["frames"]) == 105
    began = time.perf_counter()
    for _ in range(20):
        desk.view(run)
    assert (time.perf_counter() - began) / 20 < 0.020


# What a job leaves


def test_the_preview_of_the_job_before_is_gone_when_the_next_one_starts(desk):
    run = desk.new()
    preview = desk.out / run / "preview.jpg"
    preview.write_bytes(b"what was drawn before")
    desk.done("prompt", run)  # which draws nothing
    assert not preview.exists()


def test_a_segment_that_is_gone_is_drawn_again_and_its_frames_are_written_anew(desk):
    run = desk.finished()
    written = desk.frame_files(run)[0].stat().st_mtime_ns
    kept = desk.studio._history.entry(ME, run).run
    kept.segment_path(kept.segment_names[0]).unlink()
    desk.done("video", run)
    assert desk.engine.segments_drawn == [0]
    assert desk.frame_files(run)[0].stat().st_mtime_ns > written


def test_the_video_is_told_whom_the_tagger_saw_and_ones_own_words_stay() -> None:
    usual = "1girl, masterpiece, best quality"
    assert subject_as_tagged(usual, "cat, no humans", usual) == "masterpiece, best quality"
    assert subject_as_tagged("masterpiece, best quality", "1boy, hat", usual) == "1boy, masterpiece, best quality"
    assert subject_as_tagged(usual, "1girl, solo", usual) == usual
    assert subject_as_tagged("1girl, wind", "1boy", usual) == "1girl, wind"
