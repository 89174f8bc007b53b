"""What a page is told of a run while a job has it in hand."""

from __future__ import annotations

import time
from typing import Any
from unittest.mock import Mock

import pytest
from studio_desk import ME, StudioDesk

from paints_undo.options import with_prompt
from paints_undo.progress import Progress
from paints_undo.run.folder import RunFolder
from paints_undo.time_left import Outlook
from paints_undo.web.history import Entry, message
from paints_undo.web.jobs import Update
from paints_undo.web.playable import PlayableRun
from paints_undo.web.views import state_of, view_of


@pytest.fixture
def entry(tmp_path) -> Entry:
    desk = StudioDesk(tmp_path)
    return desk.studio._history.entry(ME, desk.new(operation_steps=[400, 800], prompt=""))


def at_work(entry: Entry, progress: Progress | None, **changes) -> None:
    fields: dict[str, Any] = {
        "number": 5,
        "ahead": 0,
        "elapsed_s": 2.34,
        "outlook": None,
        "paused": False,
        "cancelling": False,
    } | changes
    entry.job = Mock(ended=False, update=lambda: Update(progress=progress, **fields))


@pytest.mark.parametrize(("done", "states"), [(0, "dm"), (49, "dm"), (50, "md"), (100, "md")])
def test_which_keyframe_is_being_drawn(entry, done, states):
    entry.planned = [400, 800]
    at_work(entry, Progress("keyframes", "sampling", done, 100))
    assert "".join(keyframe["state"][0] for keyframe in view_of(entry)["keyframes"]) == states


@pytest.mark.parametrize("done", [0, 1])
def test_while_it_is_prepared_nothing_is_being_drawn(entry, done):
    entry.planned = [400, 800]
    at_work(entry, Progress("keyframes", "preparing", done, 1))
    assert "".join(keyframe["state"][0] for keyframe in view_of(entry)["keyframes"]) == "mm"


def test_which_segment_is_being_drawn(entry):
    entry.planned = [0, 2]
    at_work(
        entry, Progress("segments", "sampling", 60, 100), outlook=Outlook(0.41237, 12.345, 2.5, time.monotonic() - 1.5)
    )
    view = view_of(entry)
    assert [segment["state"] for segment in view["segments"]] == ["missing", "missing", "drawing"]
    assert [(s["from"], s["to"]) for s in view["segments"]][::2] == [("artwork", "0400"), ("0800", "blank")]
    outlook = view["job"].pop("outlook")
    assert outlook.pop("age_s") == pytest.approx(1.5, abs=0.4)
    assert outlook == {"share": 0.4124, "left_s": pytest.approx(12.345, abs=0.01), "next_s": 2.5}
    job = {"number": 5, "stage": "segments", "detail": "sampling", "done": 60, "total": 100, "ahead": 0}
    assert view["job"] == {**job, "elapsed_s": 2.3, "cancelling": False}
    assert view["version"] == entry.version


def test_what_is_said_is_there(entry, monkeypatch):
    """A page takes the prompt from the view that says it is written; the job may write it while the view is made."""

    def written_meanwhile(run):
        read = RunFolder.options.__get__(run)
        monkeypatch.undo()
        run.change(with_prompt(read, "1girl"), run.timeline)
        entry.note(message=message("prompt_written"))
        return read

    monkeypatch.setattr(PlayableRun, "options", property(written_meanwhile))
    torn = view_of(entry)
    assert torn["settings"]["prompt"] == "" and torn["message"]["key"] == "opened"
    assert view_of(entry)["settings"]["prompt"] == "1girl" and view_of(entry)["version"] > torn["version"]


def test_states(entry):
    assert state_of(entry) == "idle"
    for changes, state in (({"ahead": 2}, "waiting"), ({"paused": True}, "paused"), ({}, "running")):
        at_work(entry, None, **changes)
        assert state_of(entry) == state and view_of(entry)["job"]["stage"] == ""
    entry.job = None
    entry.note(wanted="video")
    assert state_of(entry) == "paused"
    entry.note(wanted=None, state="failed")
    assert state_of(entry) == "failed" and view_of(entry)["job"] is None
