"""Small pictures beside a run: finished frames in the order of the time-lapse, a thumbnail, and a thrifty preview."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from paints_undo.options import KeyframeOptions, UndoOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.progress import Progress
from paints_undo.provenance.metadata import read_record
from paints_undo.run.timeline import Keyframe, Timeline
from paints_undo.web.playable import LivePreview, PlayableRun, jpeg

TIMELINE = Timeline((Keyframe(400, 2, 3),), 1)
ARTWORK = np.full((64, 800, 3), 200, np.uint8)


@pytest.fixture
def run(tmp_path) -> PlayableRun:
    return PlayableRun.create(tmp_path / "run", {"options": UndoOptions(fit="crop").to_settings()}, TIMELINE, ARTWORK)


def test_frames_of_a_segment(run):
    frames = np.stack([np.full((32, 40, 3), 10 * i, np.uint8) for i in range(16)])
    assert run.previews_of("artwork-0400-a1") == []
    run.save_segment("artwork-0400-a1", frames)
    shown = [round(read_picture(path).mean() / 10) for path in run.previews_of("artwork-0400-a1")]
    assert shown == list(range(14, -1, -1))  # from the keyframe to the artwork, the keyframe itself left out
    assert isinstance(PlayableRun.open(run.path), PlayableRun)


def test_previews_can_be_made_later(run):
    run.save_segment("a-b", np.zeros((16, 32, 40, 3), np.uint8))
    for path in run.preview_folder("a-b").iterdir():
        path.unlink()
    run.preview_folder("a-b").rmdir()
    run.make_playable("a-b")
    run.make_playable("b-c")  # not drawn: nothing to show
    assert len(run.previews_of("a-b")) == 15 and run.previews_of("b-c") == []


def test_nobody_sees_a_margin(tmp_path):
    options = UndoOptions(KeyframeOptions(width=64, height=64)).to_settings()
    run = PlayableRun.create(tmp_path / "wide", {"options": options}, TIMELINE, np.zeros((100, 200, 3), np.uint8))
    keyframe = np.full((64, 64, 3), 255, np.uint8)
    keyframe[16:48] = 9
    exact = run.save_keyframe("0400-1", keyframe)
    shown = run.shown_keyframe("0400-1")
    assert np.array_equal(read_picture(exact), keyframe) and (read_picture(shown) == keyframe[16:48]).all()
    assert read_record(shown) == read_record(exact)
    own = run.save_keyframe("0600-own-1", np.full((40, 90, 3), 5, np.uint8))
    assert run.shown_keyframe("0600-own-1") == own, "a picture of one's own is shown as it was given"
    run.save_segment("artwork-0400-a1", np.repeat(keyframe[None], 16, 0))
    small = [read_picture(path) for path in run.previews_of("artwork-0400-a1")]
    assert {picture.shape for picture in small} == {(32, 64, 3)} and np.mean(small) < 12


def test_frames_are_shown_with_the_mark_where_the_video_has_it(run):
    run.save_segment("a-b", np.full((16, 64, 64, 3), 255, np.uint8))
    run.change(UndoOptions(fit="crop", mark=True), TIMELINE)
    assert run.previews_of("a-b") == [], "those without it are not shown"
    run.make_playable("a-b")
    frames = [read_picture(path).astype(int) for path in run.previews_of("a-b")]
    assert len(frames) == 15 and all(np.ptp(frame[32:, 32:]) > 60 for frame in frames)
    run.change(UndoOptions(fit="crop"), TIMELINE)
    assert len(run.previews_of("a-b")) == 15 and np.ptp(read_picture(run.previews_of("a-b")[0])) < 5


def test_thumbnail(run):
    run.make_thumbnail(ARTWORK)
    with Image.open(run.thumbnail) as small:
        assert small.size == (320, 26)


def test_jpeg_keeps_colours():
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:, :16], picture[:, 16:] = (255, 0, 0), (0, 0, 255)
    assert np.abs(read_picture(jpeg(picture)).astype(int) - picture).mean() < 4


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_preview_is_seldom_enough_to_cost_one_percent(tmp_path):
    clock = Clock()
    preview, costs, drawn = LivePreview(tmp_path / "preview.jpg", clock), 0.001, []

    def draw() -> np.ndarray:
        clock.now += costs
        drawn.append(clock.now)
        return np.zeros((40, 32, 3), np.uint8)

    progress = Progress("keyframes", "sampling", 1, 9, draw)
    began = clock.now
    while clock.now < began + 10:
        preview.show(progress)
        clock.now += 0.01
    assert 30 <= len(drawn) <= 41  # four a second
    assert read_picture(preview.path).shape == (40, 32, 3)

    drawn.clear()
    costs, began = 0.05, clock.now + 10
    clock.now = began
    while clock.now < began + 100:
        preview.show(progress)
        clock.now += 0.01
    assert len(drawn) * costs <= 0.0101 * 100 + costs

    assert not preview.show(Progress("keyframes", "decoding", 1, 9))
    preview.clear()
    preview.clear()
    assert list(tmp_path.iterdir()) == []


def test_a_preview_that_cannot_be_written_is_left_out(tmp_path, caplog):
    preview = LivePreview(tmp_path / "gone" / "preview.jpg")
    preview.show(Progress("keyframes", "sampling", 1, 9, lambda: np.zeros((40, 32, 3), np.uint8)))
    assert "the live preview cannot be written" in caplog.text
