"""paints_undo.run.folder: a run folder keeps everything exactly, resumes, and refuses what is not its own."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from paints_undo import atomic
from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.provenance.metadata import read_description
from paints_undo.run.folder import RunFolder, package_versions
from paints_undo.run.locks import LOCK
from paints_undo.run.timeline import Keyframe, Timeline

SETTINGS = {
    "models": {"name": "released", "revision": "2184fb267be2c03bb106f9ba91b223d7dc94e4e3"},
    "keyframes": {"prompt": 'a "quoted" 絵\n', "operation_steps": (400, 999), "seed": 12345, "guidance_scale": 3.0},
    "segments": {"seed": 2**53 + 1, "guidance_scale": 0.1 + 0.2, "tiny": 5e-324},
    "device": "cpu",
    "dtype": "fp32",
    "save_frames": False,
    "tags": None,
}


TIMELINE = Timeline((Keyframe(400, 2, 3),), 1)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def artwork() -> np.ndarray:
    return noise(0, 64, 48, 3)


@pytest.fixture
def run(tmp_path, artwork) -> RunFolder:
    return RunFolder.create(tmp_path / "out" / "run", SETTINGS, TIMELINE, artwork)


def files(folder: Path) -> list[str]:
    """Everything but the empty file that the lock is on."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name != LOCK)


# What is kept


def test_new_folder_holds_the_record_and_the_artwork(run, artwork):
    assert files(run.path) == ["artwork.png", "run.json"]
    record = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    assert record["state"] == "running"
    assert record["artwork"] == {"sha256": hashlib.sha256(artwork.tobytes()).hexdigest(), "width": 48, "height": 64}
    assert record["packages"] == package_versions() and record["packages"]["numpy"] == np.__version__
    names = {"paints_undo", "torch", "diffusers", "transformers", "onnxruntime", "numpy", "opencv"}
    assert set(record["packages"]) == names and "not installed" not in record["packages"].values()
    assert np.array_equal(read_picture(run.path / "artwork.png"), artwork)


def test_settings_come_back_without_loss(run):
    again = RunFolder.open(run.path).settings
    assert again["keyframes"]["operation_steps"] == [400, 999]
    again["keyframes"]["operation_steps"] = tuple(again["keyframes"]["operation_steps"])
    assert again == SETTINGS
    assert [type(value) for value in again["segments"].values()] == [int, float, float]
    run.settings["keyframes"]["seed"] = 1
    assert run.settings["keyframes"]["seed"] == 12345, "what is given out is a copy"


def test_artwork_comes_back_and_another_picture_in_its_place_is_noticed(run, artwork):
    again = RunFolder.open(run.path)
    assert np.array_equal(again.artwork, artwork)
    (run.path / "artwork.png").write_bytes((run.save_keyframe("0001-1", 255 - artwork)).read_bytes())
    with pytest.raises(InputError, match="artwork.png is not the picture this run was started with"):
        _ = again.artwork


def test_keyframes_are_exact_and_named_by_step_and_seed(run):
    pictures = {
        "0000-1": noise(1, 64, 48, 3),
        "0400-1": noise(2, 64, 48, 3),
        "0400-own-a1": np.full((64, 48, 3), 255, np.uint8),
    }
    for step, picture in pictures.items():
        run.save_keyframe(step, picture)
    again = RunFolder.open(run.path)
    for step, picture in pictures.items():
        assert np.array_equal(again.keyframe_named(step), picture)  # type: ignore[arg-type]  # None equals none
    assert again.keyframe_named("0401-1") is None
    assert files(run.path / "keyframes") == ["0000-1.png", "0400-1.png", "0400-own-a1.png"]


def test_segments_are_exact_and_readable_without_this_program(run):
    frames = noise(3, 16, 64, 96, 3)
    assert run.segment_named("0000-0400-a1") is None
    path = run.save_segment("0000-0400-a1", frames)
    assert np.array_equal(RunFolder.open(run.path).segment_named("0000-0400-a1"), frames)  # type: ignore[arg-type]  # None equals none
    assert path == run.path / "segments" / "0000-0400-a1.npz"
    assert np.array_equal(np.load(path)["frames"], frames)
    smooth = np.repeat(np.linspace(0, 255, 96).astype(np.uint8), 3).reshape(1, 1, 96, 3).repeat(64, 1).repeat(16, 0)
    assert run.save_segment("0400-blank-b2", smooth).stat().st_size < smooth.size / 20


def test_pieces_that_others_put_there_are_missing(tmp_path, artwork):
    run = RunFolder.create(tmp_path / "run", {"options": UndoOptions().to_settings()}, TIMELINE, artwork)
    assert run.missing_keyframes == [0] and run.missing_segments == [0, 1]
    run.save_keyframe(run.keyframe_names[0], noise(1, 64, 48, 3))
    paths = [run.save_segment(name, noise(len(name), 16, 64, 96, 3)) for name in run.segment_names]
    assert run.missing_keyframes == run.missing_segments == []
    run.keyframe_path(run.keyframe_names[0]).write_bytes((run.path / "artwork.png").read_bytes())
    paths[1].write_bytes(paths[0].read_bytes())
    assert run.missing_keyframes == [0] and run.missing_segments == [1]


def test_frames_are_numbered_from_zero_and_replace_earlier_ones(run):
    run.save_frames(noise(4, 5, 64, 48, 3))
    frames = noise(5, 3, 64, 48, 3)
    folder = run.save_frames(iter(frames))
    assert files(folder) == ["00000.png", "00001.png", "00002.png"]
    assert np.array_equal(read_picture(folder / "00002.png"), frames[2])


def test_interrupted_frames_leave_none(run):
    def failing():
        yield noise(6, 64, 48, 3)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.save_frames(failing())
    assert files(run.path) == ["artwork.png", "run.json"]
    assert [path.name for path in run.path.iterdir() if path.is_dir()] == []


# Resuming


def test_same_run_is_continued(run, artwork):
    run.save_keyframe("0400-1", noise(1, 64, 48, 3))
    run.save_segment("0000-0400-a1", noise(2, 16, 64, 48, 3))
    before = {name: (run.path / name).read_bytes() for name in files(run.path)}
    again = RunFolder.create(run.path, json.loads(json.dumps(SETTINGS)), TIMELINE, artwork.copy())
    assert np.array_equal(again.keyframe_named("0400-1"), noise(1, 64, 48, 3))  # type: ignore[arg-type]  # None equals none
    assert again.segment_named("0000-0400-a1") is not None
    assert {name: (run.path / name).read_bytes() for name in files(run.path)} == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": "cuda"}, "device is cpu there and cuda now"),
        ({"keyframes": {**SETTINGS["keyframes"], "seed": 7}}, r"keyframes\.seed is 12345 there and 7 now"),
        ({"save_frames": 0}, "save_frames is False there and 0 now"),
        ({"new": "x" * 99}, r"new is not set there and x{57}\.\.\. now"),
        ({"keyframes": 1, "segments": 1, "device": 1, "dtype": 1}, "and 1 more"),
    ],
)
def test_other_settings_are_refused_with_the_difference(run, artwork, change, message):
    before = (run.path / "run.json").read_bytes()
    with pytest.raises(InputError, match=message) as caught:
        RunFolder.create(run.path, {**SETTINGS, **change}, TIMELINE, artwork)
    assert str(run.path) in str(caught.value)
    assert "choose another output folder or delete this one" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (run.path / "run.json").read_bytes() == before


def test_other_artwork_is_refused(run, artwork):
    other = artwork.copy()
    other[0, 0, 0] ^= 1
    with pytest.raises(InputError, match="the artwork is another picture"):
        RunFolder.create(run.path, SETTINGS, TIMELINE, other)


def test_other_package_versions_are_continued_with_a_warning(run, artwork, caplog):
    record = json.loads((run.path / "run.json").read_text(encoding="utf-8"))
    record["packages"]["torch"] = "1.0"
    (run.path / "run.json").write_text(json.dumps(record), encoding="utf-8")
    RunFolder.create(run.path, SETTINGS, TIMELINE, artwork)
    assert "torch is 1.0 there" in caplog.text


def test_start_that_was_interrupted_before_run_json_is_taken_over(tmp_path, artwork):
    (tmp_path / "artwork.png").write_bytes(b"half")
    (tmp_path / ".run.json.0123abcd.tmp").write_bytes(b"{")
    run = RunFolder.create(tmp_path, SETTINGS, TIMELINE, artwork)
    assert files(tmp_path) == ["artwork.png", "run.json"]
    assert np.array_equal(run.artwork, artwork)


def test_folder_with_other_files_is_refused(tmp_path, artwork):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(InputError, match=r"belong to no run \(holiday.jpg\); choose an empty or a new folder"):
        RunFolder.create(tmp_path, SETTINGS, TIMELINE, artwork)
    assert files(tmp_path) == ["holiday.jpg"]


def test_leftovers_of_a_killed_process_are_swept(run):
    run.save_keyframe("0400-1", noise(1, 64, 48, 3))
    run.save_segment("0000-0400-a1", noise(1, 2, 64, 48, 3))
    kept = files(run.path)
    for name in (".timelapse.mp4.00000000.tmp", "keyframes/.06.png.0000000a.tmp", "segments/.01.npz.0000000b.tmp"):
        (run.path / name).write_bytes(b"half")
    (run.path / ".frames.0000000c.tmp").mkdir()
    (run.path / ".frames.0000000c.tmp" / "00000.png").write_bytes(b"half")
    RunFolder.open(run.path)
    assert files(run.path) == kept


# Bad folders


def test_no_run_is_one_sentence(tmp_path):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(InputError, match="There is no run in .* give the folder of an earlier run"):
            RunFolder.open(folder)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_unwritable_disk_is_one_sentence_and_starts_nothing(tmp_path, artwork, monkeypatch, number):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, "replace", fail)
    with pytest.raises(OSError, match="Cannot write artwork.png in the folder .*; (free some|close programs)"):
        RunFolder.create(tmp_path / "run", SETTINGS, TIMELINE, artwork)
    assert files(tmp_path) == []


def test_file_in_the_place_of_the_folder_is_one_sentence(tmp_path, artwork):
    (tmp_path / "run").write_bytes(b"")
    with pytest.raises(OSError, match="Cannot make run in the folder .*file exists"):
        RunFolder.create(tmp_path / "run", SETTINGS, TIMELINE, artwork)


# Values that a program got wrong


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"a": {"b": float("nan")}}, r"settings\.a\.b is nan"),
        ({"a": [1, np.int64(3)]}, r"settings\.a\[1\] is .*int64"),
        ({"a": Path("x")}, r"settings\.a is"),
        ({1: 2}, "keys are strings"),
    ],
)
def test_settings_that_json_would_change_are_refused(tmp_path, artwork, settings, message):
    with pytest.raises(TypeError, match=message):
        RunFolder.create(tmp_path / "run", settings, TIMELINE, artwork)
    assert not (tmp_path / "run").exists()


def test_pictures_of_another_type_are_refused(run):
    with pytest.raises(TypeError, match="keyframe has shape .* float32; give a uint8 RGB array"):
        run.save_keyframe("0001-1", np.zeros((64, 48, 3), np.float32))
    with pytest.raises(TypeError, match="segment has shape"):
        run.save_segment("0400-blank-b2", noise(0, 64, 48, 3))


@pytest.mark.parametrize("name", ["", "../a", "a/b", "A", "a--b", "a.png", "绘"])
def test_names_of_pieces_are_plain(run, name):
    for ask in (run.keyframe_named, run.segment_named):
        with pytest.raises(ValueError, match="use small letters, digits and hyphens"):
            ask(name)


def test_what_a_runs_files_carry(run):
    run.save_keyframe("0400-1", noise(1, 64, 48, 3))
    run.save_frames([noise(2, 64, 48, 3)])
    for path, piece in (
        ("artwork.png", "artwork"),
        ("keyframes/0400-1.png", "keyframe"),
        ("frames/00000.png", "frame"),
    ):
        record = read_description(run.path / path)
        assert record["piece"] == piece and record["id"] == run.id and len(run.id) == 16
        assert record["settings"] == run.settings and record["timeline"] == run.timeline.to_record()
        assert str(run.path) not in json.dumps(record)


def test_changing_settings_and_timeline(run):
    assert not run.finished
    run.finish()
    assert RunFolder.open(run.path).finished and RunFolder.open(run.path).settings == run.settings
    other = TIMELINE.with_segment_seed(0, 9)
    run.change(UndoOptions(fps=9), other)
    again = RunFolder.open(run.path)
    assert (again.options.fps, again.timeline, again.finished) == (9, other, False)
    assert again.settings["device"] == "cpu", "the rest stays"
    assert again.artwork_size == (64, 48)


def test_a_copy_is_a_run_of_its_own(run, tmp_path):
    run.save_keyframe("0400-1", noise(1, 64, 48, 3))
    (run.path / ".x.0000000d.tmp").write_bytes(b"half")
    copy = run.copied_to(tmp_path / "copy")
    assert copy.id != run.id and copy.settings == run.settings
    assert np.array_equal(copy.keyframe_named("0400-1"), run.keyframe_named("0400-1"))
    assert files(copy.path) == ["artwork.png", "keyframes/0400-1.png", "run.json"]
    with pytest.raises(OSError, match="Cannot write"):
        run.copied_to(tmp_path / "copy")
