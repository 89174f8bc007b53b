"""The ledger: what was begun and how it ended, whoever wrote it; who holds an item; and the run table of it all."""

import json

import pyarrow
import pyarrow.parquet
import pytest
from batch_pictures import items

from paints_undo.batch.items import Found
from paints_undo.batch.ledger import BEGUN, COLUMNS, DIED, DONE, FAILED, STOPPED, Leases, Ledger, rows_of, write_table
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


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("batch/format.json", '{"format": 99}', "has format 99 and this version works with format 1"),
        ("batch/format.json", "{", "damaged"),
        ("run.json", "{}", "folder of one run"),
    ],
)
def test_other_folders_are_refused(tmp_path, name, content, said):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=said):
        ledger(tmp_path)


def test_one_holder_at_a_time(tmp_path):
    first, second = Leases(tmp_path / "leases"), Leases(tmp_path / "leases")
    assert first.take("a" * 64) and not second.take("a" * 64) and second.take("b" * 64)
    first.give_back("a" * 64)
    assert second.take("a" * 64)
    second.give_back("a" * 64, done=True)
    second.give_back("b" * 64, done=True)
    assert not list((tmp_path / "leases").iterdir())
    second.give_back("c" * 64)  # what was never taken
    assert Leases(None).take("a") and Leases(None).take("a")  # a place without locks hands out everything
    Leases(None).give_back("a", done=True)


def test_every_input_has_its_row(tmp_path):
    store = open_store(str(tmp_path / "out"))
    ledger, some = Ledger(store), items(tmp_path / "art", 6)
    for item, state in zip(some, [DONE, FAILED, STOPPED, DIED, BEGUN], strict=False):
        ledger.note(item, BEGUN)
        if state != BEGUN:
            ledger.note(item, state, **({"reason": "too dark"} if state == FAILED else {}))
    found = Found(some, {}, [("b\udcff.png", some[0])], [("list.jsonl, line 731", "is no JSON")])
    write_table(store, rows_of(ledger.histories, found))
    rows = [json.loads(line) for line in (tmp_path / "out" / "runs.jsonl").read_text("utf-8").splitlines()]
    states = [row["state"] for row in sorted(rows, key=lambda row: row["artwork"]) if row["artwork"].startswith("/")]
    assert states == ["done", "failed", "waiting", "failed", "begun", "waiting"]
    others = {row["artwork"]: row["state"] for row in rows if not row["artwork"].startswith("/")}
    assert others == {"b\\udcff.png": "duplicate", "list.jsonl, line 731": "rejected"}
    assert {row["reason"] for row in rows if row["reason"]} == {"too dark", "is no JSON"}

    table = pyarrow.parquet.read_table(tmp_path / "out" / "runs.parquet")
    assert table.column_names == list(COLUMNS)
    assert table.schema.field("time").type == pyarrow.timestamp("ms", "UTC")
    read = table.to_pylist()
    for row in read:
        row["time"] = row["time"] and row["time"].timestamp()
    assert read == rows and len({row["time"] for row in rows}) > 1
