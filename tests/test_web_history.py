"""Whose a run is, what is kept of it between two starts, and what does not belong into the history."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paints_undo.errors import InputError
from paints_undo.run.timeline import Keyframe, Timeline
from paints_undo.web.history import CARD, History, Piece, message, owner_of
from paints_undo.web.playable import PlayableRun

ME, OTHER = "visitor-one-secret", "visitor-two-secret"
ARTWORK = np.full((64, 64, 3), 200, np.uint8)


def add(history: History, visitor: str = ME, title: str = "cat") -> Piece:
    run = PlayableRun.create(history.new_folder(), {}, Timeline((Keyframe(400, 2, 3),), 1), ARTWORK)
    return history.add(visitor, run, title, None, message("opened"))


def test_each_visitor_has_its_own(tmp_path):
    history = History(tmp_path)
    mine, others = add(history), add(history, OTHER)
    assert history.pieces(ME) == [mine] and history.piece(ME, mine.id) is mine
    with pytest.raises(InputError, match="this run is not there"):
        history.piece(ME, others.id)
    assert owner_of(ME) != owner_of(OTHER) and ME not in (mine.path / CARD).read_text()


def test_it_is_there_after_a_restart_newest_first(tmp_path):
    history = History(tmp_path)
    pieces = [add(history, title=title) for title in "abc"]
    pieces[0].note(wanted="video")
    pieces[1].note(wanted="keyframes", message=message("paused"))
    again = History(tmp_path)
    assert [piece["title"] for piece in again.pieces(ME)] == ["c", "b", "a"]
    assert [piece["message"]["key"] for piece in again.pieces(ME)] == ["opened", "paused", "unfinished"]
    assert again.piece(ME, pieces[0].id)["wanted"] == "video"
    assert again.piece(ME, pieces[0].id).version > pieces[0].version


@pytest.mark.parametrize("title", ["girl\udcff", "\ud800"])  # of a file's name, and of a form
def test_a_title_that_is_no_text_has_a_sign_in_its_place(tmp_path, title):
    add(History(tmp_path), title=title)
    (kept,) = History(tmp_path).pieces(ME)
    assert kept["title"] == title[:-1] + "\ufffd"
    assert json.dumps(kept["title"], ensure_ascii=False).encode("utf-8")  # as a page needs it


@pytest.mark.parametrize("card", [b"", b"[1]", b'{"owner": 1}', b"\xff", b"[" * 100_000])
def test_a_broken_card_is_left_out(tmp_path, card, caplog):
    piece, whole = add(history := History(tmp_path)), add(history)
    (piece.path / CARD).write_bytes(card)
    assert [kept.id for kept in History(tmp_path).pieces(ME)] == [whole.id]
    assert "left out of the history" in caplog.text


def test_folders_of_others_are_not_touched(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / CARD).write_text(json.dumps({"owner": owner_of(ME)}))
    assert History(tmp_path).pieces(ME) == [] and History(tmp_path / "none").pieces(ME) == []
    assert (tmp_path / "photos" / CARD).exists()


def test_deleting(tmp_path):
    history = History(tmp_path)
    piece = add(history)
    history.delete(piece)
    assert list(tmp_path.iterdir()) == [] and history.pieces(ME) == []
    with pytest.raises(InputError, match="this run is not there"):
        _ = piece.run
    piece.note(state="failed")  # a job that ends late brings nothing back
    assert list(tmp_path.iterdir()) == []


def test_names_are_not_to_be_guessed(tmp_path: Path):
    names = {History(tmp_path).new_folder().name for _ in range(50)}
    assert len(names) == 50 and all(len(name.rpartition("-")[2]) == 16 for name in names)


def test_a_change_changes_the_version(tmp_path):
    piece = add(History(tmp_path))
    before = piece.version
    piece.touch()
    assert piece.version > before
