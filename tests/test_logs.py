"""What a run's log holds, and what it never holds."""

from __future__ import annotations

import getpass
import json
import logging
import platform
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from paints_undo import logs
from paints_undo.errors import Cancelled, InputError
from paints_undo.logs import FILE, LARGEST, configure, logged, run_log, without_private
from paints_undo.pipeline import PaintsUndo
from paints_undo.progress import Progress, ignore
from paints_undo.run.folder import RunFolder

LOGGER = logging.getLogger("paints_undo.somewhere")


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / FILE).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(autouse=True)
def levels() -> None:
    yield
    for name in logs.OURS:
        logging.getLogger(name).setLevel(logging.NOTSET)


class Engine:
    """Something with the two methods that a run goes through."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    @logged
    def finish(self, run: SimpleNamespace, on_progress=ignore) -> str:
        on_progress(Progress("keyframes", "sampling", 0, 2))
        self.finish_keyframes(run, on_progress)
        on_progress(Progress("segments", "sampling", 1, 2))
        LOGGER.warning("%s is damaged", run.path / "keyframes" / "0400.png")
        if self.error:
            raise self.error
        return "drawn"

    @logged
    def finish_keyframes(self, run: SimpleNamespace, on_progress=ignore) -> None:
        on_progress(Progress("keyframes", "sampling", 2, 2))


def run_in(folder: Path) -> SimpleNamespace:
    return SimpleNamespace(path=folder, packages={"torch": "2"}, settings={"device": "cpu", "options": {"prompt": "x"}})


def test_a_run_from_beginning_to_end(tmp_path: Path) -> None:
    seen = []
    assert Engine().finish(run_in(tmp_path), on_progress=seen.append) == "drawn" and len(seen) == 3
    found = lines(tmp_path)
    assert [line["message"] for line in found] == [
        "begins",
        "stage done",
        f"…/{tmp_path.name}/keyframes/0400.png is damaged",
        "stage done",
        "done",
    ]
    assert found[0]["device"] == "cpu" and found[0]["packages"] == {"torch": "2"} and found[0]["work"] == "finish"
    assert "options" not in found[0]
    assert [line["stage"] for line in found if "stage" in line] == ["keyframes", "segments"]
    assert all(set(line) >= {"time", "level", "part", "message"} for line in found)
    assert found[2]["level"] == "WARNING" and found[2]["part"] == "paints_undo.somewhere"


@pytest.mark.parametrize(
    ("error", "last"),
    [(Cancelled(), "cancelled"), (InputError("no /home/alice/x.png there"), "failed: no …/x.png there")],
)
def test_how_a_run_ended(tmp_path: Path, error: Exception, last: str) -> None:
    with pytest.raises(type(error)):
        Engine(error).finish(run_in(tmp_path))
    end = lines(tmp_path)[-1]
    assert end["message"] == last
    if isinstance(error, InputError):
        assert end["level"] == "ERROR" and end["error"] == "InputError"
        assert end["places"][-1].startswith("test_logs.py:")


def test_other_threads_have_their_own_log(tmp_path: Path) -> None:
    configure(verbose=False)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    barrier = threading.Barrier(2)

    def draw(name: str) -> None:
        with run_log(tmp_path / name):
            barrier.wait(10)
            LOGGER.info("drawn by %s", name)

    threads = [threading.Thread(target=draw, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    LOGGER.info("nobody's")
    for thread in threads:
        thread.join(10)
    assert [[line["message"] for line in lines(tmp_path / name)] for name in ("a", "b")] == [
        ["drawn by a"],
        ["drawn by b"],
    ]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/home/alice/pictures/cat.png is damaged", "…/cat.png is damaged"),
        (r"C:\Users\alice\cat.png is damaged", "…/cat.png is damaged"),
        ("'/srv/models/unet/model.safetensors' lacks a key", "'…/model.safetensors' lacks a key"),
        ("https://huggingface.co/a/b answers", "https://huggingface.co/a/b answers"),
        ("1/2 of 3/4", "1/2 of 3/4"),
        ("plan stage, 7.5 GiB", "plan stage, 7.5 GiB"),
    ],
)
def test_folders_are_left_out(tmp_path: Path, text: str, kept: str) -> None:
    assert without_private(text, tmp_path / "run") == kept


def test_names_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "alice.smith")
    monkeypatch.setattr(platform, "node", lambda: "alices-laptop")
    monkeypatch.setattr(Path, "home", lambda: Path("/home of/alice smith"))
    logs._names.cache_clear()
    text = f"/home of/alice smith/x by alice.smith on alices-laptop in {tmp_path} and {Path.cwd()}"
    clean = without_private(text, tmp_path / "run")
    logs._names.cache_clear()
    assert clean == "~/x by … on … in … and ."


def test_the_size_is_bounded(tmp_path: Path) -> None:
    with run_log(tmp_path) as log:
        for _ in range(300):
            log.note("x" * 50_000)
    files = list(tmp_path.iterdir())
    assert len(files) == 2 and all(file.stat().st_size <= LARGEST + 9_000 for file in files)


@pytest.mark.parametrize("broken", ["folder", "disk"])
def test_a_log_that_cannot_be_written_harms_nothing(
    tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "gone" if broken == "folder" else tmp_path
    if broken == "disk":

        def full(*arguments: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(logs._QuietFile, "shouldRollover", full)
    assert Engine().finish(run_in(folder)) == "drawn"
    assert capsys.readouterr().err.count("No space") == 0


@pytest.mark.parametrize("verbose", [False, True])
def test_the_terminal_is_quiet_unless_asked(verbose: bool) -> None:
    root = logging.getLogger()
    before = [(handler, handler.level) for handler in root.handlers]
    try:
        configure(verbose)
        assert all(handler.level == (logging.NOTSET if verbose else logging.WARNING) for handler in root.handlers)
        assert LOGGER.isEnabledFor(logging.INFO) and LOGGER.isEnabledFor(logging.DEBUG) == verbose
    finally:
        for handler, level in before:
            handler.setLevel(level)


def test_a_whole_run_leaves_nothing_private(tiny_family: Path, tmp_path: Path) -> None:
    engine = PaintsUndo.load(tiny_family, device="cpu")
    options = engine.default_options
    quick: dict[str, Any] = {"sampling_steps": 1}
    drawing = type(options.keyframes)(prompt="a secret wish", width=96, height=64, operation_steps=(500,), **quick)
    options = type(options)(drawing, type(options.segments)(**quick), tag=False)
    artwork = np.random.default_rng(0).integers(0, 255, (70, 90, 3), dtype=np.uint8)
    engine.undo(artwork, options, tmp_path / "run")
    text = (tmp_path / "run" / FILE).read_text(encoding="utf-8")
    assert "secret" not in text and str(tmp_path) not in text and "/" not in text.replace("…/", "")
    first, *_, last = lines(tmp_path / "run")
    assert first["models"]["name"] == "reference" and first["dtype"] == "float32" and last["message"] == "done"
    assert RunFolder.open(tmp_path / "run").finished
