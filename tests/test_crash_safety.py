"""kill -9 at any moment: the run goes on, what was finished stays as it is, and the frames are the same in the end."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pictures.video import read_video
from paints_undo.pipeline import PaintsUndo
from paints_undo.run.folder import RunFolder
from paints_undo.run.timeline import Timeline
from paints_undo.verification.verify import RECORDED, verify

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")

OPTIONS = UndoOptions(
    KeyframeOptions("1girl", operation_steps=(400, 999), width=32, height=32, sampling_steps=1, guidance_scale=1),
    SegmentOptions(sampling_steps=1, guidance_scale=1),
)
ARTWORK = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)


SHORT = replace(OPTIONS, keyframes=replace(OPTIONS.keyframes, operation_steps=(999,)))


def draw(engine: PaintsUndo, folder: Path, options: UndoOptions = OPTIONS) -> None:
    engine.forget()  # nothing but the folder may help
    engine.undo(ARTWORK, options, folder, save_frames=True)


def pieces(folder: Path) -> dict[str, str]:
    """Everything with its final name, and what is in it."""
    files = [*folder.glob("keyframes/*.png"), *folder.glob("segments/*.npz"), *folder.glob("artwork.png")]
    return {str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest() for file in files}


def pixels(folder: Path) -> tuple[np.ndarray, ...]:
    run = RunFolder.open(folder)
    keyframes = [k for f in sorted(folder.glob("keyframes/*.png")) if (k := run.keyframe_named(f.stem)) is not None]
    segments = [s for f in sorted(folder.glob("segments/*.npz")) if (s := run.segment_named(f.stem)) is not None]
    assert run.finished and len(keyframes) == 2 and len(segments) == 3
    return np.stack(keyframes), np.stack(segments), read_video(folder / "timelapse.mp4")


def killed_and_continued(engine: PaintsUndo, folder: Path, after_s: float, expected: tuple[np.ndarray, ...]) -> str:
    """What went wrong, if anything did."""
    child = os.fork()
    if child == 0:
        draw(engine, folder)
        os._exit(0)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    before = pieces(folder)
    draw(engine, folder)
    after = pieces(folder)
    if any(after.get(name) != digest for name, digest in before.items()):
        return "a finished piece changed"
    if not all(np.array_equal(*pair) for pair in zip(pixels(folder), expected, strict=True)):
        return "the frames differ"
    if list(folder.rglob("*.tmp")):
        return "a temporary file is left"
    return "" if verify(folder).state == RECORDED else verify(folder).text


def kill_again_and_again(family: str, out: str, times: int) -> None:
    """Runs in a process of its own, whose fork has no other threads; prints what it found as JSON."""
    engine = PaintsUndo.load(family, "cpu")
    draw(engine, Path(out, "warm"))
    began = time.monotonic()
    draw(engine, Path(out, "whole"))
    lasted_s, expected = time.monotonic() - began, pixels(Path(out, "whole"))
    dice, moments, wrong = random.Random(times), [], []
    for number in range(times):
        moments.append(dice.uniform(0, lasted_s))
        said = killed_and_continued(engine, Path(out, f"killed-{number}"), moments[-1], expected)
        wrong += [f"after {moments[-1]:.3f} s: {said}"] if said else []
    print(json.dumps({"lasted_s": lasted_s, "moments": moments, "wrong": wrong}))


def killed(family: Path, out: Path, times: int) -> dict:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    code = f"import test_crash_safety as t; t.kill_again_and_again({str(family)!r}, {str(out)!r}, {times})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=3000)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.timeout(900)  # much of it is waiting for a processor, where others use it too
def test_three_kills(tiny_family, tmp_path):
    found = killed(tiny_family, tmp_path, 3)
    assert found["wrong"] == [] and len(found["moments"]) == 3


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_fifty_kills(tiny_family, tmp_path):
    found = killed(tiny_family, tmp_path, 50)
    print(f"a run of {found['lasted_s']:.2f} s killed at {[round(moment, 2) for moment in sorted(found['moments'])]} s")
    assert found["wrong"] == [] and len(found["moments"]) == 50


def test_a_second_process_is_kept_out_and_harms_nothing(tiny_family, tmp_path):
    """One holds the folder; another that is given the same command ends with one sentence."""
    engine = PaintsUndo.load(tiny_family, "cpu")
    run = RunFolder.create(
        tmp_path / "run", engine.settings_of(OPTIONS), Timeline.of(OPTIONS.keyframes, OPTIONS.segments), ARTWORK
    )
    temporary = run.path / ".timelapse.mp4.0123abcd.tmp"
    code = (
        "import sys; from paints_undo.errors import InputError; from paints_undo.run.folder import RunFolder\n"
        "run = RunFolder.open(sys.argv[1])\n"
        "try:\n    run.held().__enter__()\nexcept InputError as error:\n    print(error)\n"
    )
    with run.held():
        temporary.write_bytes(b"half")
        said = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, check=True)
        assert "is being worked on by another process; wait until it is done" in said.stdout
        assert temporary.exists()  # what another process is writing is not swept
    said = subprocess.run([sys.executable, "-c", code, str(run.path)], capture_output=True, text=True, check=True)
    assert said.stdout == "" and not temporary.exists()


def many_runs(family: Path, out: Path, times: int) -> dict[str, list[int]]:
    """Runs in a row in one process, each checked and removed; memory and open files after each."""
    psutil = pytest.importorskip("psutil")
    process, engine = psutil.Process(), PaintsUndo.load(family, "cpu")
    grown: dict[str, list[int]] = {"memory": [], "files": []}
    for number in range(times):
        draw(engine, out / f"{number}", SHORT)
        assert verify(out / f"{number}").state == RECORDED
        shutil.rmtree(out / f"{number}")
        grown["memory"].append(process.memory_info().rss)
        grown["files"].append(process.num_fds())
    return grown


@pytest.mark.slow
def test_two_runs_in_a_row_leave_no_file_open(tiny_family, tmp_path):
    assert len(set(many_runs(tiny_family, tmp_path, 3)["files"][1:])) == 1


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_two_hundred_runs_in_a_row(tiny_family, tmp_path):
    grown = many_runs(tiny_family, tmp_path, 200)
    after_20, last = np.median(grown["memory"][15:25]), np.median(grown["memory"][-10:])
    print(f"200 of 200; memory {after_20 / 2**20:.0f} -> {last / 2**20:.0f} MiB, open files {grown['files'][20]} -> "
          f"{grown['files'][-1]}")  # fmt: skip
    assert last - after_20 < 32 * 2**20 and grown["files"][-1] <= grown["files"][20]
