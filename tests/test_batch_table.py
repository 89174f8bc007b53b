"""The run table has a row for everything, in both formats."""

import json

import pyarrow
import pyarrow.parquet
from batch_pictures import items

from paints_undo.batch.items import Found
from paints_undo.batch.ledger import BEGUN, COLUMNS, DIED, DONE, FAILED, STOPPED, Ledger, rows_of, write_table
from paints_undo.batch.store import open_store


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
