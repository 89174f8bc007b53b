"""Whose a run is, what is kept of it between two starts, and what does not belong into the history."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paints_undo.errors import InputError
from paints_undo.run.timeline import Keyframe, Timeline
from paints_undo.web.history import CARD, Entry, History, message, owner_of
from paints_undo.web.playable import PlayableRun

ME = "visitor-one-secret"
ARTWORK = np.full((64, 64, 3), 200, np.uint8)


def add(history: History, title: str = "cat") -> Entry:
    run = PlayableRun.create(history.new_folder(), {}, Timeline((Keyframe(400, 2, 3),), 1), ARTWORK)
    return history.add(ME, run, title, None, message("opened"))


def test_it_is_there_after_a_restart_newest_first(tmp_path):
    history = History(tmp_path)
    entries = [add(history, title=title) for title in "abc"]
    entries[0].note(wanted="video")
    entries[1].note(wanted="keyframes", message=message("paused"))
    again = History(tmp_path)
    assert [entry["title"] for entry in again.entries(ME)] == ["c", "b", "a"]
    assert [entry["message"]["key"] for entry in again.entries(ME)] == ["opened", "paused", "unfinished"]
    assert again.entry(ME, entries[0].id)["wanted"] == "video"
    assert again.entry(ME, entries[0].id).version > entries[0].version


@pytest.mark.parametrize("title", ["girl\udcff", "\ud800"])  # of a file's name, and of a form
def test_a_title_that_is_no_text_has_a_sign_in_its_place(tmp_path, title):
    add(History(tmp_path), title=title)
    (kept,) = History(tmp_path).entries(ME)
    assert kept["title"] == title[:-1] + "\ufffd"
    assert json.dumps(kept["title"], ensure_ascii=False).encode("utf-8")  # as a page needs it


@pytest.mark.parametrize("card", [b"", b"[1]", b'{"owner": 1}', b"\xff", b"[" * 100_000])
def test_a_broken_card_is_left_out(tmp_path, card, caplog):
    entry, whole = add(history := History(tmp_path)), add(history)
    (entry.path / CARD).write_bytes(card)
    assert [kept.id for kept in History(tmp_path).entries(ME)] == [whole.id]
    assert "left out of the history" in caplog.text


def test_folders_of_others_are_not_touched(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / CARD).write_text(json.dumps({"owner": owner_of(ME)}))
    assert History(tmp_path).entries(ME) == [] and History(tmp_path / "none").entries(ME) == []
    assert (tmp_path / "photos" / CARD).exists()


def test_deleting(tmp_path):
    history = History(tmp_path)
    entry = add(history)
    history.delete(entry)
    assert list(tmp_path.iterdir()) == [] and history.entries(ME) == []
    with pytest.raises(InputError, match="this run is not there"):
        _ = entry.run
    entry.note(state="failed")  # a job that ends late brings nothing back
    assert list(tmp_path.iterdir()) == []


def test_names_are_not_to_be_guessed(tmp_path: Path):
    names = {History(tmp_path).new_folder().name for _ in range(50)}
    assert len(names) == 50 and all(len(name.rpartition("-")[2]) == 16 for name in names)
