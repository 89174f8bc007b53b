"""Every video decoded and counted; the transparent one, and the PNG files."""

import io
import json
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image
from test_video import probe

from paints_undo.exports import videos
from paints_undo.exports.formats import export
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import Pacing, schedule
from paints_undo.pictures.video import read_video
from paints_undo.provenance.metadata import read_record

OPTIONS = ExportOptions(Pacing(fps=12, seconds=3, hold_start=0.25, hold_end=1))


@pytest.mark.parametrize(
    ("write", "name"),
    [(videos.write_h264, "a.mp4"), (videos.write_av1, "a.mp4"), (videos.write_webm, "a.webm")],
    ids=["h264", "av1", "webm"],
)
def test_a_video_has_all_frames_and_ends_on_the_artwork(source, tmp_path, write, name):
    write(source, tmp_path / name, OPTIONS)
    frames = read_video(tmp_path / name)
    assert frames.shape == (36, 150, 120, 3)
    assert frames[0].mean() > 250
    assert np.abs(frames[-1].astype(int) - source.artwork).mean() < 4
    if name.endswith("mp4"):
        assert read_record(tmp_path / name) == source.described("timelapse")
    else:
        assert b"Paints-UNDO" in (tmp_path / name).read_bytes()


@pytest.mark.parametrize("name", ["mp4", "webm-alpha"])
def test_a_film_for_people_is_smooth_without_a_choice(source, tmp_path, name):
    """25 frames a second, each unlike the one before, in the length of the run's video."""
    path = export(source, name, tmp_path)[name]
    frames = read_video(path)
    seconds = (len(frames) - 50) / 25  # the hold at the end
    live = len(schedule(source.change, Pacing(4), 4)) - 1
    assert seconds == pytest.approx(live / 4 + 0.5, abs=0.1)
    assert " 25 fps" in probe(path)
    assert np.abs(frames[-1].astype(int) - source.artwork).mean() < 4 or name == "webm-alpha"


@pytest.mark.parametrize("fps", [1, 4, 60])
def test_chosen_frames_a_second_are_obeyed_exactly(source, tmp_path, fps):
    path = export(source, "mp4", tmp_path, ExportOptions(Pacing(fps, hold_start=0, hold_end=1)))["mp4"]
    drawn = len(schedule(source.change, Pacing(fps, hold_start=0, hold_end=1), 4)) - 1
    assert len(read_video(path)) == drawn + fps and f" {fps} fps" in probe(path)


def test_a_drawn_frame_leads_over_to_the_next_and_is_shown_as_it_is(source):
    white, grey, black = (np.full((2, 2, 3), value, np.uint8) for value in (255, 100, 0))
    pairs = [(white, 4), (grey, 4), (black, 3)]
    smooth = ExportOptions(Pacing(hold_start=0.08))  # two frames
    levels = [int(frame[0, 0, 0]) for frame in videos.in_time(pairs, smooth, source)]
    assert levels == [255, 255, 255, 178, 100, 75, 50, 25, 0, 0, 0]
    chosen = ExportOptions(Pacing(25, hold_start=0.08))
    levels = [int(frame[0, 0, 0]) for frame in videos.in_time(pairs, chosen, source)]
    assert levels == [255] * 4 + [100] * 4 + [0] * 3
    assert [int(frame[0, 0, 0]) for frame in videos.in_time([(black, 2)], smooth, source)] == [0, 0]


def test_transparency_gives_the_picture_back_on_white(source, tmp_path):
    layer = videos.on_transparency(source.artwork).astype(float)
    share = layer[..., 3:] / 255
    back = layer[..., :3] * share + 255 * (1 - share)
    assert np.abs(back - source.artwork).max() <= 2
    assert (videos.on_transparency(np.full((2, 2, 3), 255, np.uint8))[..., 3] == 0).all()
    covered = videos.on_transparency(source.artwork, np.ones(source.artwork.shape[:2], np.float32))
    assert np.array_equal(covered[..., :3], source.artwork) and (covered[..., 3] == 255).all()
    videos.write_transparent_webm(source, tmp_path / "a.webm", OPTIONS)
    assert len(read_video(tmp_path / "a.webm")) == 36
    assert b"\x53\xc0\x81\x01" in (tmp_path / "a.webm").read_bytes()  # AlphaMode of Matroska is 1


def test_png_files_are_exact_and_timed(source, tmp_path):
    videos.write_png_frames(source, tmp_path / "a.zip", OPTIONS)
    shown = schedule(source.change, OPTIONS.pacing, source.fps)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        timing = json.loads(archive.read("frames.json"))
        assert timing["fps"] == 12 and [f["video_frames"] for f in timing["frames"]] == [n for _, n in shown]
        last = archive.read(timing["frames"][-1]["file"])
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(last))), source.artwork)
        assert json.loads(archive.read("record.json"))["piece"] == "frame"
        (tmp_path / "one.png").write_bytes(last)
    assert read_record(tmp_path / "one.png") == source.described("frame")


def test_huge_artworks_become_videos_that_players_show(source):
    huge = replace(source, artwork=np.broadcast_to(np.uint8(0), (7000, 9000, 3)))
    width, height = videos.video_size(huge, ExportOptions())
    assert height < width <= 4096 and width * height <= videos.MOST_PIXELS
    assert width / height == pytest.approx(9 / 7, rel=0.01)


@pytest.mark.parametrize(
    ("name", "size", "seconds"),
    [("instagram", (1080, 1350), 15), ("reel", (1080, 1920), 30), ("youtube", (1920, 1080), 60)],
)
def test_a_film_for_a_place_has_its_frame_and_length_and_all_of_the_artwork(
    source, tmp_path, monkeypatch, name, size, seconds
):
    frames = read_video(export(source, name, tmp_path, ExportOptions(Pacing(fps=1, seconds=3, hold_end=1)))[name])
    assert frames.shape == (3, *size[::-1], 3)
    height, width = source.artwork.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = round(width * scale), round(height * scale)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    place, last = np.s_[top : top + inner[1], left : left + inner[0]], frames[-1]
    shown = cv2.resize(last[place], (width, height), interpolation=cv2.INTER_AREA)
    assert np.abs(shown.astype(int) - source.artwork).mean() < 6
    last[place] = videos.BOARD
    assert np.abs(last.astype(int) - videos.BOARD).mean() < 2
    monkeypatch.setitem(videos.POSTS, name, replace(videos.POSTS[name], width=64, height=64))
    videos.write_post(source, tmp_path / "a.mp4", ExportOptions(Pacing(fps=1)), place=name)
    assert len(read_video(tmp_path / "a.mp4")) == seconds  # as long as people look, unless a length is chosen
