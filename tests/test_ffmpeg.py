"""ffmpeg missing, forbidden, silent, or done with nothing: one sentence, nothing left, and then all goes on.

Each is a real program in the place that IMAGEIO_FFMPEG_EXE names.
"""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from paints_undo.doctor import examination as doctor
from paints_undo.doctor.findings import Report
from paints_undo.errors import InputError
from paints_undo.pictures import ffmpeg
from paints_undo.pictures.video import read_video, video_frames, write_video
from paints_undo.training.own_timelapses import load_timelapses

FRAMES = np.random.default_rng(0).integers(0, 256, (12, 64, 96, 3), dtype=np.uint8)
REAL = imageio_ffmpeg.get_ffmpeg_exe()
KNOWS = f'case "$*" in *-encoders*) exec {REAL} "$@";; esac'  # says what it encodes; and then ...
READS = f'case "$*" in *framecrc*|*ppm*) exec {REAL} "$@";; esac'
LAST = "for last; do :; done"
HANGS = (
    "did nothing for 1 seconds and was ended; try again, or let IMAGEIO_FFMPEG_EXE name an ffmpeg program, or unset it"
)
UNPLAYABLE = r"wrote no playable video \({} of 12 frames\); let IMAGEIO_FFMPEG_EXE name an ffmpeg program, or unset it"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")

SLOWLY = """
import sys, time
while data := sys.stdin.buffer.read(18432):
    time.sleep(0.25)
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
"""  # a frame of 96 x 64 pixels at a time
PROGRAMS = {  # what is in its place -> the sentence after "ffmpeg (IMAGEIO_FFMPEG_EXE) "
    "sleeps": ("sleep 1000", HANGS),
    "sleeps when it encodes": (f"{KNOWS}\nsleep 1000", HANGS),
    "sleeps on the way": (f"{KNOWS}\nhead -c 30000 >/dev/null\nsleep 1000", HANGS),
    "sleeps at the end": (f"{KNOWS}\ncat >/dev/null\nsleep 1000", HANGS),
    "closes its ears and sleeps": (f"{KNOWS}\nexec <&-\nsleep 1000", HANGS),
    "leaves a sleeping child": (f"{KNOWS}\nsleep 1000 &\nexit 0", f"ended before|{HANGS}"),
    "ends well at once": ("exit 0", "does not say what it encodes; let IMAGEIO_FFMPEG_EXE name an ffmpeg program"),
    "lacks a library": (
        "echo 'ffmpeg: libx264.so.164: cannot open shared object file' >&2; exit 127",
        "does not say what it encodes but 'ffmpeg: libx264.so.164: cannot open shared object file'; let",
    ),
    "writes garbage": ("head -c 3000000 /dev/urandom", "does not say what it encodes; let"),
    "ends well without reading": (f"{KNOWS}\nexit 0", f"ended before it was done; let|{UNPLAYABLE.format(0)}"),
    "ends well and writes nothing": (f"{KNOWS}\n{READS}\ncat >/dev/null", UNPLAYABLE.format(0)),
    "writes garbage into the video": (
        f"{KNOWS}\n{READS}\n{LAST}\ncat >/dev/null\nhead -c 9999 /dev/urandom >$last",
        UNPLAYABLE.format(0),
    ),
    "writes half of the video": (
        f"{KNOWS}\n{READS}\n{LAST}\n{REAL} \"$@\"\nsize=$(wc -c <$last)\ntruncate -s $((size / 2)) $last",
        UNPLAYABLE.format(r"\d"),
    ),
    "leaves frames out": (
        f"{KNOWS}\n{READS}\nhead -c 184320 | {REAL} \"$@\"",
        UNPLAYABLE.format("10"),
    ),
}  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "programs" / "ffmpeg.sh"
    program.parent.mkdir()
    monkeypatch.setenv(ffmpeg.VARIABLE, str(program))
    monkeypatch.setattr(ffmpeg, "SILENCE", 1.0)
    return program


def put(program: Path, script: str) -> None:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize("kind", PROGRAMS)
def test_a_program_that_is_no_ffmpeg_is_one_sentence_and_keeps_the_old_video(place, tmp_path, monkeypatch, kind):
    script, sentence = PROGRAMS[kind]
    put(place, script)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.mp4").write_bytes(b"old")
    began = time.monotonic()
    with pytest.raises(OSError) as caught:
        write_video(FRAMES, tmp_path / "out" / "a.mp4", 4)
    said = str(caught.value)
    assert re.fullmatch(rf"Cannot write the video .*a\.mp4: ffmpeg \(IMAGEIO_FFMPEG_EXE\) (?:{sentence}).*\.", said), (
        said
    )
    assert "\n" not in said and str(place) not in said
    assert time.monotonic() - began < 20
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["a.mp4"]
    assert (tmp_path / "out" / "a.mp4").read_bytes() == b"old"
    monkeypatch.delenv(ffmpeg.VARIABLE)  # and as soon as there is one again, all goes well
    write_video(FRAMES, tmp_path / "out" / "a.mp4", 4)
    assert video_frames(tmp_path / "out" / "a.mp4") == (12, "96x64")


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("missing", "no such file or directory"),
        ("folder", "permission denied"),
        ("text", "permission denied"),
        ("text that may be run", "exec format error"),
    ],
)
def test_what_does_not_start_is_one_sentence(place, tmp_path, what, reason):
    if what == "folder":
        place.mkdir()
    elif what != "missing":
        place.write_text("no program")
        place.chmod(0o755 if what.endswith("run") else 0o644)
    with pytest.raises(OSError) as caught:
        write_video(FRAMES, tmp_path / "a.mp4", 4)
    assert str(caught.value) == (
        f"Cannot write the video {tmp_path / 'a.mp4'}: ffmpeg (IMAGEIO_FFMPEG_EXE) does not start ({reason}); "
        "let IMAGEIO_FFMPEG_EXE name an ffmpeg program, or unset it."
    )


def test_an_empty_variable_is_none(place, tmp_path, monkeypatch):
    monkeypatch.setenv(ffmpeg.VARIABLE, "")
    write_video(FRAMES, tmp_path / "a.mp4", 4)
    assert len(read_video(tmp_path / "a.mp4")) == 12


def test_none_at_all_says_how_to_get_one(tmp_path, monkeypatch):
    def none() -> str:
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.delenv(ffmpeg.VARIABLE, raising=False)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", none)
    with pytest.raises(OSError) as caught:
        write_video(FRAMES, tmp_path / "a.mp4", 4)
    assert str(caught.value) == (
        f"Cannot write the video {tmp_path / 'a.mp4'}: ffmpeg does not start (it is not there); let IMAGEIO_FFMPEG_EXE "
        "name an ffmpeg program, or install it: pip install --force-reinstall imageio-ffmpeg."
    )


@pytest.mark.parametrize("script", ["sleep 1000", "exit 0", "head -c 3000 /dev/urandom", "exit 1", "kill -9 $$"])
def test_reading_tells_as_well(place, tmp_path, monkeypatch, caplog, script):
    """A video that is read back, and a person's own films that networks learn from."""
    with monkeypatch.context() as real:
        real.delenv(ffmpeg.VARIABLE)
        (tmp_path / "films").mkdir()
        write_video(FRAMES, tmp_path / "films" / "a.mp4", 4)
    put(place, script)
    with pytest.raises(InputError, match=r"^(Cannot read the video|.* holds no video frames).*\.$") as caught:
        read_video(tmp_path / "films" / "a.mp4")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="there is no usable time-lapse in .*a.mp4"):
        load_timelapses(tmp_path / "films", 32)


@pytest.mark.parametrize("script", ["sleep 1000", "exit 0", f"{KNOWS}\ncat >/dev/null"])
def test_the_doctor_writes_a_video_to_know(place, script):
    put(place, script)
    doctor.examine_tools(report := Report())
    assert not report.ready
    assert f"let IMAGEIO_FFMPEG_EXE name an ffmpeg program, not {place}, or unset it" in report.text()
    assert str(place) not in report.text(paths=False)


def test_a_slow_ffmpeg_and_slow_frames_are_waited_for(place, tmp_path, monkeypatch):
    """What is timed is silence, never the work."""
    put(place, f'case "$*" in *rawvideo*) {sys.executable} -c "$SLOWLY" | {REAL} "$@";; *) exec {REAL} "$@";; esac')
    monkeypatch.setenv("SLOWLY", SLOWLY)

    def frames():
        yield FRAMES[0]
        time.sleep(1.5)
        yield from FRAMES[1:]

    write_video(frames(), tmp_path / "a.mp4", 4)
    assert video_frames(tmp_path / "a.mp4") == (12, "96x64")
