"""paints_undo.atomic: files are whole or absent, and failures are one sentence."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paints_undo import atomic
from paints_undo.atomic import explained, sweep, temporary_for, write_atomically, written_atomically


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_write_creates_and_replaces(tmp_path):
    path = tmp_path / "a.bin"
    write_atomically(path, b"one")
    write_atomically(str(path), b"two")
    assert path.read_bytes() == b"two"
    assert names(tmp_path) == ["a.bin"]


def test_written_file_gets_ordinary_permissions(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    write_atomically(tmp_path / "atomic", b"")
    assert (tmp_path / "atomic").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_exception_in_the_block_passes_and_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), written_atomically(path) as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_data_reaches_the_disk_before_the_name_and_the_name_before_the_return(tmp_path, monkeypatch):
    calls = []
    real_fsync, real_replace = os.fsync, os.replace
    monkeypatch.setattr(atomic.os, "fsync", lambda fd: (calls.append("fsync"), real_fsync(fd))[1])
    monkeypatch.setattr(atomic.os, "replace", lambda a, b: (calls.append("replace"), real_replace(a, b))[1])
    write_atomically(tmp_path / "a", b"x")
    assert calls == ["fsync", "replace", "fsync"]


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EROFS, "choose a folder you may write to"),
        (errno.EACCES, "choose a folder you may write to"),
        (errno.EPERM, "choose a folder you may write to"),
        (errno.EIO, "choose another one"),
    ],
)
def test_failure_is_one_sentence_with_the_folder_and_the_remedy(tmp_path, monkeypatch, number, remedy):
    def fail(_descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, "fsync", fail)
    (tmp_path / "a.bin").write_bytes(b"old")
    with pytest.raises(OSError) as caught:
        write_atomically(tmp_path / "a.bin", b"new")
    message = str(caught.value)
    assert "a.bin" in message and str(tmp_path) in message and remedy in message
    assert message.endswith(".") and "\n" not in message and "Errno" not in message
    assert caught.value.errno == number
    assert (tmp_path / "a.bin").read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(OSError, match="Cannot write a.bin in the folder .*nowhere: no such file"):
        write_atomically(tmp_path / "nowhere" / "a.bin", b"")


def test_explained_leaves_other_exceptions_alone(tmp_path):
    with pytest.raises(ValueError, match="mine"), explained("write", tmp_path):
        raise ValueError("mine")


def test_sweep_removes_temporaries_and_nothing_else(tmp_path):
    (tmp_path / "kept.png").write_bytes(b"")
    (tmp_path / "notes.tmp").write_bytes(b"somebody's own")
    (tmp_path / f".kept.png.{os.getpid() + 1:x}-0123abcd.tmp").write_bytes(b"half")
    (tmp_path / ".kept.png.0123abcd.tmp").write_bytes(b"half, of an earlier version")
    folder = tmp_path / f".frames.{os.getpid() + 1:x}-0123abcd.tmp"
    folder.mkdir()
    (folder / "00000.png").write_bytes(b"")
    sweep(tmp_path)
    assert names(tmp_path) == ["kept.png", "notes.tmp"]
    sweep(tmp_path / "missing")


def test_sweep_spares_what_is_being_written(tmp_path):
    own, other = temporary_for(tmp_path / "a"), tmp_path / f".a.{os.getpid() + 1:x}-0123abcd.tmp"
    for file in (own, other):
        file.write_bytes(b"half")
    sweep(tmp_path, older_than_s=3600)
    assert own.exists() and other.exists()  # another process may be at it
    os.utime(other, (0, 0))
    os.utime(own, (0, 0))
    sweep(tmp_path, older_than_s=3600)
    assert own.exists() and not other.exists()


def named_by(process: int, path: Path, computer: str = "", mark: str = "0000") -> Path:
    """A temporary as another process would have named it."""
    return path.with_name(f".{path.name}.{process:x}-{computer or atomic._COMPUTER}{mark}-0123abcd.tmp")


@pytest.mark.skipif(os.name != "posix", reason="asks the system which processes live")
def test_without_a_lock_only_the_dead_are_swept(tmp_path):
    """The next export into a folder sweeps what a killed one left there, at once, and nothing of those at work."""
    living = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    of_dead = named_by(dead.pid, tmp_path / "a")
    of_earlier_container = named_by(os.getpid(), tmp_path / "a")  # the same number, another process
    spared = [
        named_by(living.pid, tmp_path / "a"),
        named_by(dead.pid, tmp_path / "a", computer="fffe"),  # of another computer on the same drive
        temporary_for(tmp_path / "a"),
        tmp_path / ".mine.tmp",
    ]
    for file in (of_dead, of_earlier_container, *spared):
        file.write_bytes(b"half")
    sweep(tmp_path, atomic.LONG_AGO)
    assert sorted(tmp_path.iterdir()) == sorted(spared)
    os.utime(spared[1], (0, 0))
    sweep(tmp_path, atomic.LONG_AGO)
    assert sorted(tmp_path.iterdir()) == sorted({*spared} - {spared[1]})
    living.communicate(b"\n")
    sweep(tmp_path, atomic.LONG_AGO)
    assert sorted(tmp_path.iterdir()) == sorted(spared[2:])


def test_temporaries_never_share_a_name(tmp_path):
    assert len({temporary_for(tmp_path / "a") for _ in range(50)}) == 50
