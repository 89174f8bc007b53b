"""A folder that vouches for its files, and that is noticed when it is renamed, moved or deleted under a run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from batch_pictures import QUICK, quick_family, write_pictures

from paints_undo.atomic import written_atomically
from paints_undo.cli import main
from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.pictures import video
from paints_undo.run import folder as runs
from paints_undo.run.folder import RunFolder
from paints_undo.run.record import write_run_record
from paints_undo.run.recorded_folder import MovedFolder
from paints_undo.run.timeline import Keyframe, Timeline
from paints_undo.verification.verify import RECORDED, verify

TIMELINE = Timeline((Keyframe(400, 2, 3),), 1)
PICTURE = np.random.default_rng(0).integers(0, 256, (64, 48, 3), dtype=np.uint8)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "out" / "run", {}, TIMELINE, PICTURE)


def test_no_file_has_its_name_before_its_digest_is_kept(run, monkeypatch):
    """A write cut short between the two leaves nothing that has to be trusted, and nothing that is lost."""
    monkeypatch.setattr("paints_undo.run.recorded_folder.write_atomically", lambda *_: os._exit(9))
    child = os.fork()
    if child == 0:
        run.save_keyframe("0400-1", 255 - PICTURE)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    monkeypatch.undo()
    again = RunFolder.open(run.path)
    assert (
        list(again.digests or ()) == ["artwork.png", "keyframes/0400-1.png"] and again.keyframe_named("0400-1") is None
    )
    again.save_keyframe("0400-1", 255 - PICTURE)
    kept = again.keyframe_named("0400-1")
    assert kept is not None and np.array_equal(kept, 255 - PICTURE)


def test_what_another_process_kept_meanwhile_is_known(run):
    late = RunFolder.open(run.path)
    with run.held(), pytest.raises(InputError, match="another process"):
        late.change(UndoOptions(fps=5), TIMELINE)
    run.save_keyframe("0400-1", PICTURE)
    run.finish()
    with late.held():
        assert late.finished and late.keyframe_named("0400-1") is not None
        late.save_keyframe("0999-1", PICTURE)
    assert set(RunFolder.open(run.path).digests or ()) == {
        "artwork.png",
        "keyframes/0400-1.png",
        "keyframes/0999-1.png",
    }


def test_the_same_picture_again_is_not_written_again(run):
    path = run.save_keyframe("0400-own-a1", PICTURE)
    before = path.stat().st_mtime_ns
    run.change(UndoOptions(fps=5), TIMELINE)  # which would change the record in the file
    assert run.save_keyframe("0400-own-a1", PICTURE) == path and path.stat().st_mtime_ns == before


WRITES: dict[str, Callable[[RunFolder], object]] = {
    "keyframe": lambda run: run.save_keyframe("0400-1", PICTURE),
    "segment": lambda run: run.save_segment("0000-0400-a1", PICTURE[None]),
    "video": lambda run: run.save_timelapse(PICTURE[None], 4),
    "frames": lambda run: run.save_frames([PICTURE]),
    "end": lambda run: run.finish(),
    "settings": lambda run: run.change(UndoOptions(), TIMELINE),
}


def deleted(run: Path) -> None:
    shutil.rmtree(run)


def renamed(run: Path) -> None:
    run.rename(run.with_name("elsewhere"))


def out_renamed(run: Path) -> None:
    run.parent.rename(run.parent.with_name("elsewhere"))


def replaced(run: Path) -> None:
    """Another program began a run of the same name after the folder was renamed."""
    renamed(run)
    RunFolder.create(run, {}, TIMELINE, PICTURE)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("happens", [deleted, renamed, out_renamed, replaced])
def test_nothing_is_written_where_the_folder_was(run, write, happens):
    with run.held():
        happens(run.path)
        before = sorted(run.path.parents[1].rglob("*"))
        with pytest.raises(OSError) as caught:
            WRITES[write](run)
    assert str(caught.value) == (
        f"The run folder {run.path} was renamed, moved or deleted while the run was at work; nothing more is "
        "written: give it its name back, or choose another one, and start the same command again."
    )
    after = [path for path in sorted(run.path.parents[1].rglob("*")) if path.name != ".lock"]
    assert after == [path for path in before if path.name != ".lock"]


@pytest.mark.parametrize("happens", [deleted, renamed, out_renamed])
def test_the_artwork_of_a_folder_that_is_gone_is_not_said_to_be_missing(run, happens):
    happens(run.path)
    with pytest.raises(MovedFolder, match="was renamed, moved or deleted while the run was at work"):
        _ = run.artwork


def test_renamed_while_the_video_is_written(run, monkeypatch):
    """ffmpeg's own file moves along, and there is nothing to give a name to."""

    def renaming(*arguments):
        with written_atomically(run.timelapse_file) as temporary:
            temporary.write_bytes(b"half")
            renamed(run.path)

    monkeypatch.setattr("paints_undo.run.film_folder.write_video", renaming)
    with pytest.raises(MovedFolder, match="was renamed, moved or deleted"):
        run.save_timelapse(PICTURE[None], 4)
    assert not run.path.exists() and video.write_video is not renaming


@pytest.mark.parametrize(
    ("stage", "happens"), [("segments", deleted), ("segments", renamed), ("keyframes", out_renamed)]
)
def test_the_command_line_ends_with_one_sentence(tiny_family, tmp_path, capsys, monkeypatch, stage, happens):
    """A real run, and the folder goes while its networks are at work; the next picture makes no folder of that name."""
    pictures, family = write_pictures(tmp_path / "art", 2), quick_family(tiny_family, tmp_path / "family")
    out, done = tmp_path / "out", []

    def at_work(meter, progress):
        if progress.stage == stage and progress.done == 1 and not done:
            done.append(happens(next(out.iterdir())))

    monkeypatch.setattr("paints_undo.cli.Meter.__call__", at_work)
    names = [str(picture) for picture in pictures]
    flags = ["--models", str(family), "--device", "cpu", "--quiet", *QUICK, "--out", str(out)]
    status = main(["run", *names, *flags])
    said = capsys.readouterr().err.splitlines()
    assert done and "picture 000.png: The run folder" in said[0] and "was renamed, moved or deleted" in said[0]
    assert not any("Traceback" in line for line in said)
    if happens is out_renamed:
        assert status == 2 and len(said) == 2 and not out.exists()
        assert f"the folder {out} was renamed, moved or deleted meanwhile, and this picture is not begun" in said[1]
        out.with_name("elsewhere").rename(out)
    else:
        assert status == 1 and len(said) == 1
        assert [folder.name[:11] for folder in out.iterdir() if (folder / "timelapse.mp4").exists()] == ["picture-001"]
        if happens is renamed:
            (out / "elsewhere").rename(next(iter(out.glob("picture-000*")), out / name_of(out, names[0])))
    # with its name back, the same command goes on
    assert main(["run", *names, *flags]) == 0
    assert all(verify(folder).state == RECORDED for folder in out.iterdir())
    assert len(list(out.iterdir())) == 2


def name_of(out: Path, picture: str) -> str:
    return runs.run_folder_for(out, Path(picture).name).name


def test_a_batch_does_not_make_its_folder_anew(tiny_family, tmp_path, capsys, monkeypatch):
    pictures, family = write_pictures(tmp_path / "art", 2)[0].parent, quick_family(tiny_family, tmp_path / "family")
    out, real = tmp_path / "out", RunFolder.finish

    def finish(run):
        real(run)
        out.rename(tmp_path / "elsewhere")

    monkeypatch.setattr(RunFolder, "finish", finish)
    flags = ["--models", str(family), "--device", "cpu", "--quiet", *QUICK]
    assert main(["batch", str(pictures), "--out", str(out), *flags]) == 1
    assert f"The results folder {out} was renamed, moved or deleted meanwhile" in capsys.readouterr().err
    assert not out.exists()
    monkeypatch.undo()
    (tmp_path / "elsewhere").rename(out)
    assert main(["batch", str(pictures), "--out", str(out), *flags]) == 0


def test_a_record_that_cannot_be_read_is_not_a_folder_that_is_gone(run):
    write_run_record(run.path / "run.json", {"format": 2})
    with pytest.raises(ValueError, match="is damaged"):
        run.finish()
