"""Pieces of a run replaced, cut, emptied or deleted: `verify` names each, the same command makes again just that."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from batch_pictures import QUICK, quick_family
from PIL import Image

from paints_undo.cli import main
from paints_undo.exports.source import Source
from paints_undo.pictures.video import write_video
from paints_undo.run.folder import RunFolder

NOISE = np.random.default_rng(0)
STEPS = ["--operation-steps", "400", "999", "--save-frames"]  # after those of QUICK, which they replace


class Shop:
    """Two whole runs and one that was interrupted at its last segment, and the command line that made them."""

    def __init__(self, family: Path, folder: Path) -> None:
        self.family, self.folder = quick_family(family, folder / "family"), folder
        for name in ("girl", "other"):
            Image.fromarray(NOISE.integers(0, 255, (64, 96, 3), np.uint8)).save(folder / f"{name}.png")
        for name in ("girl", "other"):
            assert self.run(folder / "finished", name) == 0
        with pytest.MonkeyPatch.context() as patch:
            real, saved = RunFolder.save_segment, []

            def save(run: RunFolder, name: str, frames: np.ndarray) -> Path:
                saved.append(name)
                if len(saved) == 3:
                    raise KeyboardInterrupt
                return real(run, name, frames)

            patch.setattr(RunFolder, "save_segment", save)
            assert self.run(folder / "unfinished", "girl") == 130
        self.kept = self.digests("finished", folder)

    def run(self, out: Path, name: str) -> int:
        flags = ["--models", str(self.family), "--device", "cpu", "--quiet", *QUICK, *STEPS]
        return main(["run", str(self.folder / f"{name}.png"), "--out", str(out), *flags])

    @staticmethod
    def digests(which: str, folder: Path) -> dict[str, str]:
        return {name: sha256(path.read_bytes()).hexdigest() for name, path in pieces(folder / which / "girl").items()}


@pytest.fixture(scope="module")
def shop(tiny_family, tmp_path_factory):
    return Shop(tiny_family, tmp_path_factory.mktemp("shop"))


def pieces(run: Path) -> dict[str, Path]:
    """Every file of a run that verify looks at, by its place."""
    found = [path for path in run.rglob("*.*") if path.suffix in (".png", ".npz", ".mp4")]
    return {path.relative_to(run).as_posix(): path for path in found}


def first(run: Path, pattern: str) -> Path:
    return sorted(run.glob(pattern))[0]


def noise_like(piece: Path, _: object = None) -> None:
    """Another whole picture of the same size."""
    size = Image.open(piece).size
    Image.fromarray(NOISE.integers(0, 255, (*size[::-1], 3), np.uint8)).save(piece)


def another_video(piece: Path, _: object = None) -> None:
    write_video(NOISE.integers(0, 255, (4, 32, 48, 3), np.uint8), piece, 4)


def last_bytes(piece: Path, _: object) -> None:
    piece.write_bytes(piece.read_bytes()[:-40] + NOISE.bytes(40))


def of_another_run(piece: Path, other: Path) -> None:
    shutil.copy(other, piece)


def deleted(piece: Path, _: object) -> None:
    piece.unlink()


KEYFRAME, SEGMENT, FRAME, VIDEO = "keyframes/0400*", "segments/artwork*", "frames/00003.png", "timelapse.mp4"
# what is done to which piece, which the other run has as well
ATTACKS: dict[str, tuple[str, Callable[[Path, Path], object]]] = {
    "another picture": (KEYFRAME, noise_like),
    "keyframe of another run": (KEYFRAME, of_another_run),
    "keyframe emptied": (KEYFRAME, lambda piece, other: piece.write_bytes(b"")),
    "keyframe deleted": (KEYFRAME, deleted),
    "another segment of this run": (SEGMENT, lambda piece, other: shutil.copy(first(piece.parent, "0400*"), piece)),
    "segment of another run": (SEGMENT, of_another_run),
    "segment's last bytes": (SEGMENT, last_bytes),
    "segment deleted": (SEGMENT, deleted),
    "another artwork": ("artwork.png", noise_like),
    "artwork of another run": ("artwork.png", of_another_run),
    "artwork deleted": ("artwork.png", deleted),
    "another video": (VIDEO, another_video),
    "video of another run": (VIDEO, of_another_run),
    "video deleted": (VIDEO, deleted),
    "another frame": (FRAME, noise_like),
    "frame deleted": (FRAME, deleted),
}


def verified(run: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, str]]:
    """The exit status of `verify`, and what it says of each piece that is not sound."""
    capsys.readouterr()
    status = main(["verify", str(run), "--json"])
    found = json.loads(capsys.readouterr().out)[0]["pieces"]
    return status, {each["file"]: each["sentence"] for each in found if each["state"] != "recorded"}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_finished_run(shop, tmp_path, capsys, attack):
    pattern, attacked = ATTACKS[attack]
    run = shutil.copytree(shop.folder / "finished", tmp_path / "finished") / "girl"
    assert verified(run, capsys) == (0, {})
    piece = first(run, pattern)
    name = piece.relative_to(run).as_posix()
    attacked(piece, first(run.parent / "other", pattern))
    status, said = verified(run, capsys)
    assert status == 1 and said.keys() == {name}
    if "deleted" in attack:
        assert said[name] == "it is missing"
    main(["verify", str(run)])
    text = capsys.readouterr().out
    assert f"  {name}: {said[name]}" in text and "The same command makes again what is damaged, replaced or" in text

    before = {name: path.stat().st_mtime_ns for name, path in pieces(run).items()}
    assert shop.run(run.parent, "girl") == 0
    assert verified(run, capsys) == (0, {}) and RunFolder.open(run).finished
    assert shop.digests("finished", tmp_path) == shop.kept  # bit for bit what it was
    rewritten = {name for name, path in pieces(run).items() if before.get(name) != path.stat().st_mtime_ns}
    video = {file for file in shop.kept if file.startswith("frames/")}
    also = {"segments": video | {"timelapse.mp4"}, "timelapse.mp4": video, "frames": video}
    assert rewritten == {name} | also.get(name.partition("/")[0], set())
    assert not list(run.rglob("*.tmp"))


@pytest.mark.parametrize("attack", ["another picture", "segment of another run", "segment deleted", "artwork deleted"])
def test_an_unfinished_run(shop, tmp_path, capsys, attack):
    pattern, attacked = ATTACKS[attack]
    run = shutil.copytree(shop.folder / "unfinished", tmp_path / "finished") / "girl"
    shutil.copytree(shop.folder / "finished" / "other", run.parent / "other")
    assert verified(run, capsys) == (0, {})
    piece = first(run, pattern)
    attacked(piece, first(run.parent / "other", pattern))
    assert verified(run, capsys)[0] == 1 and verified(run, capsys)[1].keys() == {piece.relative_to(run).as_posix()}
    kept = {path: path.stat().st_mtime_ns for path in pieces(run).values() if path != piece}
    assert shop.run(run.parent, "girl") == 0
    assert verified(run, capsys) == (0, {}) and RunFolder.open(run).finished
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    # the id in every file is that of the run, so that only pixels can be compared
    made, whole = (Source.of_run(folder) for folder in (run, shop.folder / "finished" / "girl"))
    assert np.array_equal(made.frames, whole.frames) and np.array_equal(made.keyframes, whole.keyframes)


def test_a_foreign_video_in_an_unfinished_run(shop, tmp_path, capsys):
    run = shutil.copytree(shop.folder / "unfinished", tmp_path / "finished") / "girl"
    shutil.copy(shop.folder / "finished" / "other" / "timelapse.mp4", run)
    assert verified(run, capsys) == (1, {"timelapse.mp4": "it is of another run"})
    another_video(run / "timelapse.mp4")
    assert verified(run, capsys)[0] == 1
    assert shop.run(run.parent, "girl") == 0 and verified(run, capsys) == (0, {})


def test_a_run_without_digests(shop, tmp_path, capsys):
    """Of an earlier version: it opens, is verified with a word on that, gets its damaged pieces back, and stays so."""
    run = shutil.copytree(shop.folder / "finished", tmp_path / "finished") / "girl"
    record = json.loads((run / "run.json").read_text())
    del record["pieces"]
    (run / "run.json").write_text(json.dumps(record))
    assert main(["verify", str(run)]) == 0
    assert "Its version kept no digests of the pieces" in capsys.readouterr().out
    for pattern in ("keyframes/0400*", "segments/artwork*", "timelapse.mp4"):
        first(run, pattern).write_bytes(b"half")
    (run / "artwork.png").unlink()
    assert len(verified(run, capsys)[1]) == 4
    assert shop.run(run.parent, "girl") == 0 and verified(run, capsys) == (0, {})
    assert shop.digests("finished", tmp_path) == shop.kept
    assert main(["run", "--replay", str(run), "--models", str(shop.family), "--device", "cpu", "--out",
                 str(tmp_path / "again"), "--quiet"]) == 0  # fmt: skip


def test_an_artwork_that_is_gone_comes_back_from_the_same_picture_alone(shop, tmp_path, capsys):
    run = shutil.copytree(shop.folder / "finished", tmp_path / "finished") / "girl"
    (run / "artwork.png").unlink()
    shutil.copy(shop.folder / "other.png", tmp_path / "girl.png")
    flags = ["--models", str(shop.family), "--device", "cpu", "--quiet", *QUICK, *STEPS, "--out", str(run.parent)]
    assert main(["run", str(tmp_path / "girl.png"), *flags]) == 2
    assert "holds another run: the artwork is another picture" in capsys.readouterr().err
    assert not (run / "artwork.png").exists()
    Image.open(shop.folder / "girl.png").save(tmp_path / "girl.webp", lossless=True)  # the pixels count, not the file
    assert main(["run", str(tmp_path / "girl.webp"), *flags]) == 0
    assert shop.digests("finished", tmp_path) == shop.kept


def test_a_damaged_piece_is_exported_by_no_door(shop, tmp_path, capsys):
    run = shutil.copytree(shop.folder / "finished", tmp_path / "finished") / "girl"
    shutil.copy(first(run, "segments/0400*"), first(run, "segments/artwork*"))
    assert main(["export", str(run), "--as", "gif"]) == 2
    assert "has 2 of 3 segments; generate its video first" in capsys.readouterr().err
    copy = RunFolder.open(run).copied_to(tmp_path / "copy")
    assert verified(copy.path, capsys)[1].keys() == verified(run, capsys)[1].keys() != set()
