"""The ledger knows what was begun and how it ended, whoever wrote it and however that one ended."""

import json

import pytest
from batch_pictures import items

from paints_undo.batch.ledger import BEGUN, DIED, DONE, FAILED, STOPPED, Ledger
from paints_undo.batch.store import open_store
from paints_undo.errors import InputError


def ledger(folder):
    return Ledger(open_store(str(folder)))


def test_processes_see_each_other(tmp_path):
    first, second = ledger(tmp_path / "out"), ledger(tmp_path / "out")
    (item,) = items(tmp_path, 1)
    first.note(item, BEGUN)
    first.note(item, DONE, seconds=1.5)
    assert not second.history(item.key).done
    second.refresh()
    second.refresh()
    history = second.history(item.key)
    assert history.done and history.begun == 1 and history.row["seconds"] == 1.5


def test_attempts_are_failures_and_ends_that_nobody_wrote(tmp_path):
    (item,) = items(tmp_path, 1)
    expected = {(BEGUN,): 1, (BEGUN, BEGUN): 2, (BEGUN, STOPPED): 0, (BEGUN, FAILED): 1, (BEGUN, DIED, BEGUN): 2}
    for number, (states, attempts) in enumerate(expected.items()):
        for state in states:
            ledger(tmp_path / str(number)).note(item, state)
        assert ledger(tmp_path / str(number)).history(item.key).attempts == attempts


def test_failures_can_be_forgotten_and_what_is_done_stays_so(tmp_path):
    first, second = items(tmp_path, 2)
    book = ledger(tmp_path / "out")
    book.note(first, FAILED, final=True)
    book.note(second, DONE)
    book.forget_failures()
    assert not book.history(first.key).final and book.history(first.key).attempts == 0
    assert book.history(second.key).done


def test_torn_and_damaged_lines_are_left_out(tmp_path, caplog):
    (item,) = items(tmp_path, 1)
    book = ledger(tmp_path)
    book.note(item, BEGUN)
    (file,) = (tmp_path / "batch" / "ledger").iterdir()
    file.write_bytes(file.read_bytes() + b'nonsense\n{"key": "' + item.key.encode())
    again = ledger(tmp_path)
    assert again.history(item.key).begun == 1 and len(caplog.records) == 1
    again.note(item, DONE)
    assert ledger(tmp_path).history(item.key).done


def test_other_folders_are_refused(tmp_path):
    ledger(tmp_path / "a")
    file = tmp_path / "a" / "batch" / "format.json"
    file.write_text(json.dumps({"format": 99}))
    with pytest.raises(InputError, match="has format 99 and this version works with format 1"):
        ledger(tmp_path / "a")
    file.write_text("{")
    with pytest.raises(InputError, match="damaged"):
        ledger(tmp_path / "a")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(InputError, match="folder of one run"):
        ledger(tmp_path / "run")
