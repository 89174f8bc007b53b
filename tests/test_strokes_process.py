"""A process is decided by picture, route and seed, is the same by every way to a canvas, and survives its file."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from awkward_pictures import AWKWARD, planned, scene
from strokes_figures import flattened

from paints_undo.errors import InputError
from paints_undo.strokes import process as process_module
from paints_undo.strokes.operations import LAYERS, TOTAL
from paints_undo.strokes.process import Process, plan_process

ROOT = Path(__file__).parent.parent
PICTURE = scene()
RECORDED = ROOT / "tests" / "data" / "strokes_scene.json"


@pytest.fixture(scope="module")
def process() -> Process:
    return planned("scene")


@pytest.fixture
def threads() -> Iterator[None]:
    before = cv2.getNumThreads()
    yield
    cv2.setNumThreads(before)


def digest_of(process: Process) -> str:
    """The digest of all that is kept of a process, and of some of its canvases."""
    found = hashlib.sha256(process.to_bytes())
    for canvas in process.canvases(range(0, TOTAL + 1, 97)):
        found.update(canvas.tobytes())
    return found.hexdigest()


def summary(process: Process) -> dict[str, dict[str, Any]]:
    """For each phase how many operations it has, and their layers and titles, in the order in which they come."""
    out: dict[str, dict[str, Any]] = {}
    for operation in process.operations:
        row = out.setdefault(operation.phase, {"count": 0, "layers": [], "titles": []})
        row["count"] += 1
        for name, value in (("layers", operation.layer), ("titles", operation.title)):
            if value not in row[name]:
                row[name].append(value)
    return out


def test_the_recorded_operations_of_one_picture_are_drawn_again(process: Process) -> None:
    """Counts may differ a little between builds of numpy and opencv; `python tests/test_strokes_process.py` records."""
    now, recorded = summary(process), json.loads(RECORDED.read_text(encoding="utf-8"))
    assert list(now) == list(recorded)
    for phase, row in recorded.items():
        assert now[phase]["layers"] == row["layers"], phase
        assert abs(now[phase]["count"] - row["count"]) <= 12, phase
        common = set(now[phase]["titles"]) & set(row["titles"])
        assert len(common) >= 0.8 * len(row["titles"]), phase


def test_the_same_picture_and_seed_are_the_same_bytes_on_any_number_of_threads(process: Process, threads: None) -> None:
    digests = set()
    for count in (1, 3):
        cv2.setNumThreads(count)
        digests.add(digest_of(plan_process(PICTURE)))
    assert digests == {digest_of(process)}


def test_another_seed_is_another_process(process: Process) -> None:
    other = planned("scene", 1)
    alike = sum(
        one.points.shape == two.points.shape and bool((one.points == two.points).all())
        for one, two in zip(process.operations, other.operations, strict=True)
    )
    assert alike < TOTAL / 3
    assert (other.canvas(TOTAL) == PICTURE).all()
    some = [np.abs(process.canvas(done).astype(int) - other.canvas(done)).mean() for done in (100, 200, 300)]
    assert min(some) > 0.5


def test_any_canvas_by_random_access_is_the_one_of_the_sequence(process: Process) -> None:
    dones = [*range(0, TOTAL, 53), 30.25, 77.5, 240.75, 512.5, 900.1, TOTAL]
    in_order = dict(zip(sorted(dones), process.canvases(sorted(dones)), strict=True))
    shuffled = [dones[k] for k in np.random.default_rng(5).permutation(len(dones))]
    fresh = Process(process.plan, PICTURE)
    for done in shuffled:
        assert (fresh.canvas(done) == in_order[done]).all(), done


def test_a_fraction_is_part_of_the_next_stroke_and_changes_nothing_else(process: Process) -> None:
    for number in (20, 160, 400, 700, 990):
        before, after = process.canvas(number), process.canvas(number + 1)
        half = process.canvas(number + 0.5)
        still = (before == after).all(2)
        assert (half[still] == before[still]).all()
        assert (process.canvas(number) == before).all()
    nearly = process.canvas(TOTAL - 1 + 0.999)
    assert np.abs(nearly.astype(int) - PICTURE).mean() <= np.abs(process.canvas(TOTAL - 1).astype(int) - PICTURE).mean()


def test_the_first_canvas_is_paper_and_beyond_either_end_is_nothing_more(process: Process) -> None:
    assert (process.canvas(0) == 255).all() and (process.canvas(-3) == 255).all()
    assert (process.canvas(TOTAL + 7) == PICTURE).all()


@pytest.mark.parametrize("done", [0, 60, 333, 640, 1000])
def test_the_layers_are_the_canvas_at_any_time(process: Process, done: int) -> None:
    layers = process.layers(done)
    assert list(layers) == ["paper", *LAYERS]
    assert (flattened(layers.values()) == process.canvas(done)).all()


@pytest.mark.parametrize(("height", "width"), [(512, 400), (300, 234), (128, 100)])
def test_at_another_size_it_is_as_exact(process: Process, height: int, width: int) -> None:
    other = process.at(height, width)
    assert other.size == (height, width)
    assert (other.canvas(TOTAL) == other.artwork).all()
    assert (flattened(other.layers().values()) == other.artwork).all()
    assert [operation.title for operation in other.operations[:900]] == [
        operation.title for operation in process.operations[:900]
    ]


def test_a_large_artwork_is_planned_small_and_drawn_at_its_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_module, "LONGEST_PLANNED", 200)
    large = scene(384, 300)
    process = plan_process(large)
    assert process.size == (384, 300) and json.loads(gzip.decompress(process.to_bytes()))["height"] == 200
    assert (process.canvas(TOTAL) == large).all()
    assert (flattened(process.layers().values()) == large).all()


def test_the_file_draws_the_very_same_canvases(process: Process, tmp_path: Path) -> None:
    path = tmp_path / "operations.json.gz"
    process.write(path)
    assert path.stat().st_size < 2_000_000
    again = Process.read(path, PICTURE)
    assert again.operations != () and again.plan.seed == process.plan.seed
    assert (again.plan.route, again.plan.reason) == (process.plan.route, process.plan.reason)
    for canvas, other in zip(process.canvases(range(0, 1001, 20)), again.canvases(range(0, 1001, 20)), strict=True):
        assert (canvas == other).all()
    assert again.to_bytes() == process.to_bytes()


def test_a_tiny_pictures_file_is_read_with_the_picture_itself(tmp_path: Path) -> None:
    icon, process, path = AWKWARD["icon"](), planned("icon"), tmp_path / "operations.json.gz"
    process.write(path)
    assert (Process.read(path, icon).canvas(500) == process.canvas(500)).all()


def changed(process: Process, **values: object) -> bytes:
    record = json.loads(gzip.decompress(process.to_bytes()))
    return gzip.compress(json.dumps({**record, **values}).encode())


CANNOT_BE_READ = "the operations in {path} cannot be read ({reason}); delete the file, and they are planned anew"


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: b"", None),
        (lambda p: b"not a gzip file", None),
        (lambda p: p.to_bytes()[: len(p.to_bytes()) // 2], None),
        (lambda p: p.to_bytes()[:-1], None),
        (lambda p: p.to_bytes()[:200] + b"\0\0\0\0" + p.to_bytes()[204:], None),
        (lambda p: gzip.compress(b"[1, 2"), None),
        (lambda p: gzip.compress(b"\xff\xfe"), None),
        (lambda p: changed(p, operations=[{"phase": "ink"}]), None),
        (lambda p: changed(p, operations=[]), None),
        (lambda p: changed(p, operations=7), None),
        (lambda p: changed(p, height=99), None),
        (lambda p: changed(p, matte="AAAA"), None),
        (lambda p: changed(p, owners={}), None),
        (lambda p: gzip.compress(b"[1, 2]"), "{path} holds no operations of a drawing"),
        (lambda p: changed(p, format="a song"), "{path} holds no operations of a drawing"),
        (
            lambda p: changed(p, version=99),
            "{path} is of version 99 of the operations' format, and this program reads 1",
        ),
        (lambda p: changed(p, artwork="0" * 64), "the operations in {path} are those of another artwork"),
    ],
)
def test_damaged_and_foreign_files_are_refused_by_name(process: Process, tmp_path: Path, make, sentence) -> None:
    path = tmp_path / "operations.json.gz"
    path.write_bytes(make(process))
    with pytest.raises(InputError) as refused:
        Process.read(path, PICTURE)
    if sentence is None:
        begin, end = CANNOT_BE_READ.format(path=path, reason="|").split("|")
        assert str(refused.value).startswith(begin) and str(refused.value).endswith(end)
        assert len(str(refused.value)) > len(begin + end)
    else:
        assert str(refused.value) == sentence.format(path=path)


def test_a_missing_file_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.json\.gz"):
        Process.read(tmp_path / "nowhere.json.gz", PICTURE)


if __name__ == "__main__":
    RECORDED.write_text(json.dumps(summary(plan_process(PICTURE)), indent=1) + "\n", encoding="utf-8")
