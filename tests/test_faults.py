"""Faults on purpose: each ends as its sentence, leaves nothing half-written, and the next job goes well."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine

from paints_undo import atomic
from paints_undo.errors import InputError, Sentence
from paints_undo.pictures import ffmpeg
from paints_undo.run import locks
from paints_undo.verification.verify import CONTRADICTED, RECORDED, verify
from paints_undo.web.engine import EngineOnUse
from paints_undo.web.studio import Studio

VISITOR = "a secret of one visitor"
SETTINGS = {"width": 64, "height": 64, "sampling_steps": 1, "video_sampling_steps": 1, "operation_steps": [400, 999]}
ARTWORK = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
KNOWS = f'case "$*" in *-encoders*) exec {ffmpeg.imageio_ffmpeg.get_ffmpeg_exe()} "$@";; esac'  # and then ...
FULL, BROKEN = "free some space there", "check that the folder is there or choose another one"
FORBIDDEN = "close programs that have it open, or choose a folder you may write to"


class Bench:
    """The app's worker with one run that is ready to be drawn."""

    def __init__(self, out: Path, patch: pytest.MonkeyPatch) -> None:
        self.engine, self.patch = FakeEngine(), patch
        self.studio = Studio(EngineOnUse(lambda: self.engine), out)
        self.run = self.studio.open(VISITOR, ARTWORK, SETTINGS)
        self.path = out / self.run
        self.kept: list[Any] = []

    def work(self, run: str = "") -> dict[str, Any]:
        """The view after "Generate Video" has ended."""
        self.studio.generate(VISITOR, run or self.run, "video")
        self.studio.wait(VISITOR, run or self.run)
        return self.studio.view(VISITOR, run or self.run)

    def fail(self, function: str, number: int, name: str, after: int = 0) -> None:
        """Let a system call of atomic writes fail for files of this name, after so many that go well."""
        real, seen = getattr(os, function), []

        def failing(target: Any, *arguments: Any, **options: Any) -> Any:
            place = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else str(target)
            if name in place:
                seen.append(place)
                if len(seen) > after:
                    raise OSError(number, os.strerror(number))
            return real(target, *arguments, **options)

        self.patch.setattr(atomic.os, function, failing)

    def fail_to_open(self, number: int, name: str) -> None:
        def failing(path: Any, *arguments: Any, **options: Any) -> Any:
            if name in str(path):
                raise OSError(number, os.strerror(number))
            return open(path, *arguments, **options)

        self.patch.setattr(atomic, "open", failing, raising=False)

    def ffmpeg(self, script: str) -> None:
        """Another program in the place of ffmpeg."""
        program = self.path.parent / "ffmpeg.sh"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        self.patch.setattr(ffmpeg, "SILENCE", 1.0)
        self.patch.setattr(ffmpeg.imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(program))

    def raise_at(self, stage: str, error: BaseException) -> None:
        self.do_at(stage, _raising(error))

    def do_at(self, stage: str, what: Callable[[], Any]) -> None:
        """Something that happens to the machine when a stage begins; once, unless it is an error."""
        real, done = self.engine._work, []

        def work(at: str, *arguments: Any) -> None:
            if at == stage and not done:
                done.append(what())
            real(at, *arguments)

        self.patch.setattr(self.engine, "_work", work)

    def hold(self) -> None:
        """Another process at work in the folder."""
        lock = locks.FolderLock(self.path).held()
        lock.__enter__()
        self.kept.append(lock)

    def no_ffmpeg(self) -> None:
        def none() -> str:
            raise RuntimeError("No ffmpeg exe could be found.")

        self.patch.setattr(ffmpeg.imageio_ffmpeg, "get_ffmpeg_exe", none)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path / "out", monkeypatch)
    yield made
    for lock in made.kept:
        lock.__exit__(None, None, None)


SH = pytest.mark.skipif(sys.platform != "linux", reason="needs a shell and /proc")
FAULTS: dict[str, tuple[Callable[[Bench], Any], str]] = {
    "disk full while a keyframe is synced": (lambda b: b.fail("fsync", errno.ENOSPC, "0400-"), FULL),
    "disk full at the second segment": (lambda b: b.fail("fsync", errno.ENOSPC, ".npz", after=1), FULL),
    "disk full while the video is synced": (lambda b: b.fail("fsync", errno.ENOSPC, ".mp4"), FULL),
    "disk full when a keyframe gets its name": (lambda b: b.fail("replace", errno.ENOSPC, "0999-"), FULL),
    "disk full when a piece is noted": (lambda b: b.fail("replace", errno.ENOSPC, "run.json", after=2), FULL),
    "disk full when the run is marked finished": (lambda b: b.fail("replace", errno.ENOSPC, "run.json", after=6), FULL),
    "disk full when a temporary is made": (lambda b: b.fail_to_open(errno.ENOSPC, "0400-"), FULL),
    "input/output error of a keyframe": (lambda b: b.fail("fsync", errno.EIO, "0400-"), BROKEN),
    "input/output error of the video": (lambda b: b.fail("replace", errno.EIO, ".mp4"), BROKEN),
    "input/output error of the folder": (lambda b: b.fail("fsync", errno.EIO, "/keyframes"), BROKEN),
    "network drive gone": (lambda b: b.fail("fsync", errno.ESTALE, ".npz"), "stale file handle; " + BROKEN),
    "read-only drive": (lambda b: b.fail_to_open(errno.EROFS, "0400-"), FORBIDDEN),
    "permission taken away": (lambda b: b.fail("replace", errno.EACCES, ".npz"), FORBIDDEN),
    "file in use by another program": (lambda b: b.fail("replace", errno.EPERM, ".mp4"), FORBIDDEN),
    "too many open files": (lambda b: b.fail_to_open(errno.EMFILE, ".npz"), "too many open files"),
    "folder of segments is a file": (
        lambda b: b.do_at("keyframes", lambda: (b.path / "segments").write_text("")),
        r"Cannot make segments in the folder runs/.*: file exists; " + BROKEN,
    ),
    "artwork torn": (
        lambda b: (b.path / "artwork.png").write_bytes((b.path / "artwork.png").read_bytes()[:3000]),
        r"artwork\.png",
    ),
    "artwork gone": (lambda b: (b.path / "artwork.png").unlink(), r"artwork\.png"),
    "out of memory in the keyframes": (
        lambda b: b.raise_at("keyframes", MemoryError("the device has too little memory; use smaller pictures")),
        "the device has too little memory; use smaller pictures",
    ),
    "not a number": (lambda b: b.raise_at("segments", FloatingPointError("1 of 12 values is no number")), "1 of 12"),
    "lock refused": (
        lambda b: b.patch.setattr(locks.FileLock, "acquire", _raising(PermissionError(errno.EACCES, "denied"))),
        FORBIDDEN,
    ),
    "another process at work in the folder": (Bench.hold, "is being worked on by another process; wait until it is"),
    "ffmpeg is gone": (Bench.no_ffmpeg, r"ffmpeg does not start \(it is not there\); let .*"),
    "ffmpeg must not be started": (
        lambda b: (b.ffmpeg("exit 0"), (b.path.parent / "ffmpeg.sh").chmod(0)),
        r"ffmpeg does not start \(permission denied\); let .*",
    ),
    "ffmpeg fails at once": (
        lambda b: b.ffmpeg(f"{KNOWS}; echo 'Unknown encoder' >&2; exit 1"),
        "ffmpeg says 'Unknown encoder'; check the folder and its free space",
    ),
    "ffmpeg fails on the way": (
        lambda b: b.ffmpeg(f"{KNOWS}; head -c 5000 >/dev/null; echo 'No space left on device' >&2; exit 1"),
        "ffmpeg says 'No space left on device'; check the folder and its free space",
    ),
    "ffmpeg is killed": (
        lambda b: b.ffmpeg(f"{KNOWS}; head -c 99 >/dev/null; kill -9 $$"),
        r"ended from outside \(signal 9\)",
    ),
    "ffmpeg hangs": (lambda b: b.ffmpeg(f"{KNOWS}; sleep 1000"), "ffmpeg did nothing for 1 seconds and was ended; try"),
    "ffmpeg ends well without a video": (
        lambda b: b.ffmpeg(f"{KNOWS}; cat >/dev/null"),
        r"ffmpeg wrote no playable video \(0 of \d+ frames\); let IMAGEIO_FFMPEG_EXE name an ffmpeg program",
    ),
}  # fmt: skip


def _raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@SH
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_sentence_and_the_next_job_goes_well(bench: Bench, fault: str) -> None:
    inject, expected = FAULTS[fault]
    artwork = (bench.path / "artwork.png").read_bytes()
    inject(bench)
    view = bench.work()
    assert view["message"]["key"] == "failed", view["message"]
    sentence = Sentence.from_record(view["message"]["values"]["sentence"])
    assert re.search(expected, sentence), sentence
    assert "\n" not in sentence and "Traceback" not in sentence and "Errno" not in sentence
    assert str(bench.path.parent) not in sentence
    assert not list(bench.path.rglob("*.tmp"))
    assert not (bench.path / "timelapse.mp4").exists() or "run is marked finished" in fault or "of the folder" in fault
    others = [piece for piece in verify(bench.path).pieces if piece.file != "artwork.png"]
    assert all(piece.state == RECORDED for piece in others), others

    # another run of the same worker, with the fault over, and then this one again
    bench.patch.undo()
    for lock in bench.kept:
        lock.__exit__(None, None, None)
    bench.kept.clear()
    (bench.path / "artwork.png").write_bytes(artwork)
    if (bench.path / "segments").is_file():
        (bench.path / "segments").unlink()
    other = bench.studio.open(VISITOR, 255 - ARTWORK, SETTINGS)
    assert bench.work(other)["state"] == "finished"
    assert bench.work()["state"] == "finished" and verify(bench.path).state == RECORDED


def test_a_fault_of_the_program_itself_stays_in_the_log(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.raise_at("segments", RuntimeError("/secret/place"))
    view = bench.work()
    assert view["message"]["key"] == "internal_error" and "secret" not in str(view)
    assert "/secret/place" in caplog.text
    bench.patch.undo()
    assert bench.work()["state"] == "finished"


def test_a_folder_that_goes_away_ends_its_job_alone(bench: Bench) -> None:
    other = bench.studio.open(VISITOR, 255 - ARTWORK, SETTINGS)
    bench.do_at("segments", lambda: shutil.rmtree(bench.path))
    bench.studio.generate(VISITOR, bench.run, "video")
    assert bench.work(other)["state"] == "finished"
    with pytest.raises(InputError, match="this run is not there"):
        bench.studio.view(VISITOR, bench.run)


@pytest.mark.parametrize("piece", ["keyframes/*.png", "segments/*.npz", "timelapse.mp4", "frames/*.png"])
@pytest.mark.parametrize("damage", ["torn", "another of the run"])
def test_a_damaged_piece_is_made_again(bench: Bench, piece: str, damage: str) -> None:
    """By "Generate Video" on a run that is finished, and nothing else is; the command line: test_damaged_runs.py."""
    assert bench.work()["state"] == "finished"
    bench.studio.frame_files(VISITOR, bench.run)
    file, *more = sorted(bench.path.glob(piece))
    others = {path: path.stat().st_mtime_ns for path in bench.path.glob("*/*.*") if path.parent.name == "segments"}
    whole, another = file.read_bytes(), (more or [bench.path / "artwork.png"])[-1]
    file.write_bytes(whole[: len(whole) // 2] if damage == "torn" else another.read_bytes())
    assert verify(bench.path).state == CONTRADICTED
    drawn = len(bench.engine.segments_drawn)
    assert bench.work()["state"] == "finished"
    assert verify(bench.path).state == RECORDED and file.read_bytes() == whole
    kept = {path: path.stat().st_mtime_ns for path in others if path != file}
    assert kept == {path: at for path, at in others.items() if path != file}
    assert len(bench.engine.segments_drawn) - drawn == (file.parent.name == "segments")


def test_what_a_page_asks_for_again_and_again_reads_no_piece(bench: Bench) -> None:
    bench.work()
    bench.patch.setattr("paints_undo.run.recorded_folder.file_digest", _raising(AssertionError("a piece was read")))
    assert bench.studio.view(VISITOR, bench.run)["state"] == bench.studio.runs(VISITOR)[0]["state"] == "finished"
    bench.studio.version(VISITOR, bench.run)


def test_a_picture_of_ones_own_is_a_piece_as_any(bench: Bench) -> None:
    """Given through the page it is the run's; another one put into its place is not, and only it can be given again."""
    bench.work()
    own = np.random.default_rng(7).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    bench.studio.replace_keyframe(VISITOR, bench.run, 400, own)
    assert bench.work()["state"] == "finished" and verify(bench.path).state == RECORDED
    (file,) = bench.path.glob("keyframes/0400-own-*.png")
    file.write_bytes(next(bench.path.glob("keyframes/0999-*.png")).read_bytes())
    assert verify(bench.path).state == CONTRADICTED
    said = Sentence.from_record(bench.work()["message"]["values"]["sentence"])
    assert re.fullmatch(
        r"your picture for operation step 400 is gone or replaced \(keyframes/.*\); give it again", said
    )
    copy = bench.studio.duplicate(VISITOR, bench.run)
    with pytest.raises(InputError, match="not drawn yet"):
        bench.studio.branch(VISITOR, copy, 400)
    for run in (bench.run, copy):
        bench.studio.replace_keyframe(VISITOR, run, 400, own)
        assert bench.work(run)["state"] == "finished" and verify(bench.path.parent / run).state == RECORDED


def test_an_artwork_that_is_gone_comes_back_with_the_picture(bench: Bench) -> None:
    artwork = bench.path / "artwork.png"
    whole = artwork.read_bytes()
    artwork.unlink()
    bench.studio.open(VISITOR, 255 - ARTWORK, SETTINGS)
    bench.studio.open("a secret of another visitor", ARTWORK, SETTINGS)
    assert not artwork.exists()
    bench.studio.open(VISITOR, ARTWORK, SETTINGS)
    assert artwork.read_bytes() == whole and bench.work()["state"] == "finished"


@pytest.mark.parametrize("jump_s", [-(10**8), -86400, 86400, 10**9])
def test_a_clock_that_jumps_changes_nothing(bench: Bench, jump_s: float) -> None:
    """Neither the frames, nor the time left, nor the order of the history, nor what is taken for up to date."""
    before = bench.work()
    frames = [np.asarray(file) for file in bench.studio.frame_files(VISITOR, bench.run)]
    real, real_ns = time.time, time.time_ns
    bench.patch.setattr(time, "time", lambda: real() + jump_s)
    bench.patch.setattr(time, "time_ns", lambda: real_ns() + int(jump_s * 10**9))
    newer = bench.studio.open(VISITOR, 255 - ARTWORK, SETTINGS)
    assert bench.work(newer)["state"] == "finished"
    assert [run["run"] for run in bench.studio.runs(VISITOR)] == [newer, bench.run]
    # another video: frames of the old one are not taken for its own, whatever the clock says
    bench.studio.edit(VISITOR, bench.run, "redo_segment", 0, seed=77)
    view = bench.work()
    for file in [bench.path / "timelapse.mp4", *bench.path.glob("frames")]:
        os.utime(file, (real() - 10**6, real() - 10**6))
    again = bench.studio.frame_files(VISITOR, bench.run)
    assert len(again) == len(frames) and view["state"] == before["state"] == "finished"
    assert view["version"] != before["version"]
