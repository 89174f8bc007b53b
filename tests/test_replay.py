"""A run drawn once more from its folder or its files: the same frames, edits and own pictures included."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from paints_undo.errors import InputError
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pipeline import PaintsUndo
from paints_undo.run.draw import draw
from paints_undo.run.folder import RunFolder
from paints_undo.run.replay import earlier_run, replay
from paints_undo.run.timeline import Timeline

OPTIONS = UndoOptions(
    KeyframeOptions("1girl", operation_steps=(999,), width=32, height=32, sampling_steps=1, guidance_scale=1),
    SegmentOptions(sampling_steps=1, guidance_scale=1),
    mark=True,
)
ARTWORK = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
OWN = np.random.default_rng(1).integers(0, 256, (32, 32, 3), dtype=np.uint8)


def frames(folder):
    return np.stack([np.asarray(Image.open(file)) for file in sorted((folder / "frames").iterdir())])


@pytest.fixture(scope="module")
def engine(tiny_family):
    return PaintsUndo.load(tiny_family, "cpu")


@pytest.fixture(scope="module")
def run(engine, tmp_path_factory):
    """A run whose timeline was edited: one keyframe with another seed."""
    folder = tmp_path_factory.mktemp("replay")
    Image.fromarray(ARTWORK).save(folder / "artwork.png")
    timeline = Timeline.of(OPTIONS.keyframes, OPTIONS.segments).changed(999, seed=5)
    run = RunFolder.create(folder / "run", engine.settings_of(OPTIONS), timeline, ARTWORK)
    draw(engine, run, save_frames=True)
    return run


def test_from_the_folder(engine, run, tmp_path):
    engine.forget()
    replay(engine, earlier_run(run.path), tmp_path / "again", save_frames=True)
    assert np.array_equal(frames(tmp_path / "again"), frames(run.path))
    assert RunFolder.open(tmp_path / "again").timeline == run.timeline


def test_every_file_tells_the_same_run(run):
    whole = earlier_run(run.path)
    for piece in (run.timelapse_file, next(run.path.glob("keyframes/*.png")), run.path / "frames" / "00000.png"):
        found = earlier_run(piece, run.path.parent / "artwork.png")
        assert (found.settings, found.timeline, found.packages) == (whole.settings, whole.timeline, whole.packages)
        assert np.array_equal(found.artwork, ARTWORK)


def test_own_pictures_come_along(engine, run, tmp_path):
    timeline = run.timeline.changed(999, own="ab" * 32)
    copy = run.copied_to(tmp_path / "copy")
    copy.change(copy.options, timeline)
    copy.keep_keyframe(0, OWN)
    draw(engine, copy)
    replay(engine, earlier_run(copy.path), tmp_path / "again", save_frames=True)
    assert np.array_equal(RunFolder.open(tmp_path / "again").keyframe_named("0999-own-abababababab"), OWN)  # type: ignore[arg-type]  # None equals none
    with pytest.raises(InputError, match="your picture for operation step 999 is gone"):
        replay(engine, earlier_run(copy.timelapse_file, copy.path / "artwork.png"), tmp_path / "from_file")


def test_what_cannot_be_replayed_is_one_sentence(run, tmp_path):
    Image.fromarray(255 - ARTWORK).save(tmp_path / "other.png")
    (tmp_path / "text.png").write_text("no picture")
    for source, artwork, said in (
        (run.timelapse_file, None, "give the artwork as well"),
        (run.timelapse_file, tmp_path / "other.png", "other.png is not the artwork that .* was made from"),
        (tmp_path / "other.png", None, "carries no record of a run"),
        (tmp_path / "text.png", None, "text.png cannot be replayed: this file is no PNG"),
        (tmp_path / "nowhere", None, "there is no file or run folder"),
        (run.path, tmp_path / "other.png", "has its artwork in it"),
    ):
        with pytest.raises(InputError, match=said):
            earlier_run(source, artwork)


def test_a_record_without_options(run):
    earlier = dataclasses.replace(earlier_run(run.path), settings={})
    with pytest.raises(InputError, match="holds no options"):
        _ = earlier.options
