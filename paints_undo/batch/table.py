"""The run table: one row for every input, as JSON lines and as Parquet."""

import io
import json
import logging
from collections.abc import Iterable
from typing import Any

from paints_undo.batch.items import printable
from paints_undo.batch.ledger import DIED, STOPPED, History
from paints_undo.batch.manifest import Found
from paints_undo.batch.store import Store

log = logging.getLogger(__name__)

COLUMNS = {
    "key": str,
    "artwork": str,
    "state": str,  # done, failed, waiting, begun, duplicate or rejected
    "folder": str,
    "reason": str,
    "attempts": int,
    "seconds": float,
    "prompt": str,
    "time": float,  # of the last change, seconds since 1970
    "where": str,  # host and process
}


def rows_of(histories: dict[str, History], found: Found) -> list[dict[str, Any]]:
    """A row for everything that any process has worked on, and for each of our own inputs beside it."""
    rows = [row_of(history) for history in histories.values() if history.row]
    begun = {row["key"] for row in rows}
    for item in found.items:
        if item.key not in begun:
            rows.append({"key": item.key, "artwork": item.artwork, "state": "waiting", "folder": item.folder})
    for path, item in found.duplicates:
        rows.append({"key": item.key, "artwork": path, "state": "duplicate", "folder": item.folder})
    rows += [{"artwork": what, "state": "rejected", "reason": reason} for what, reason in found.rejected]
    rows = [{name: plain(row.get(name)) for name in COLUMNS} for row in rows]
    return sorted(rows, key=lambda row: (row["artwork"], row["key"] or ""))


def row_of(history: History) -> dict[str, Any]:
    row = history.row or {"state": STOPPED}
    state = {STOPPED: "waiting", DIED: "failed"}.get(row["state"], row["state"])
    return {**row, "state": state, "attempts": history.begun}


def plain(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value


def write_table(store: Store, rows: Iterable[dict[str, Any]]) -> None:
    """runs.jsonl, and runs.parquet where pyarrow is installed."""
    rows = list(rows)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    store.write("runs.jsonl", lines.encode())
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        log.info("no runs.parquet: that needs pyarrow (pip install 'paints-undo[cluster]')")
        return
    kinds = {str: pyarrow.string(), int: pyarrow.int32(), float: pyarrow.float64()}
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in COLUMNS.items()])
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), buffer, compression="zstd")
    store.write("runs.parquet", buffer.getvalue())
