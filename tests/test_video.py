"""paints_undo.pictures.video: what goes in comes out, in a file that players and browsers open."""

from __future__ import annotations

import errno
import re
import subprocess
import weakref
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest

from paints_undo.errors import InputError
from paints_undo.pictures import video
from paints_undo.video import read_video, write_video  # where the documents have them


def gradients(count: int, height: int = 64, width: int = 96) -> np.ndarray:
    """A soft picture that moves a little from frame to frame, uint8 (count, height, width, 3)."""
    y, x = np.mgrid[:height, :width]
    return np.stack(
        [
            np.stack([120 + 100 * np.sin((x + 3 * t) / 31), 120 + 100 * np.cos(y / 23), 120 + 0 * x + t], -1)
            for t in range(count)
        ]
    ).astype(np.uint8)


def probe(path: Path) -> str:
    """What ffmpeg says about a file."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    return subprocess.run([ffmpeg, "-hide_banner", "-i", str(path)], capture_output=True, text=True).stderr


def test_round_trip_keeps_count_order_and_pixels(tmp_path):
    frames = gradients(24)
    write_video(frames, tmp_path / "a.mp4", 4)
    back = read_video(tmp_path / "a.mp4")
    assert back.shape == frames.shape and back.dtype == np.uint8
    assert np.abs(back.astype(int) - frames).mean() < 1.5


def test_solid_colours_survive(tmp_path):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128), (255, 255, 255), (0, 0, 0), (230, 120, 40)]
    frames = np.full((7, 64, 80, 3), np.array(colours, np.uint8)[:, None, None])
    write_video(frames, tmp_path / "a.mp4", 4)
    assert np.abs(read_video(tmp_path / "a.mp4").astype(int) - frames).max() <= 3


def test_format_is_what_every_player_takes(tmp_path):
    write_video(gradients(8, 320, 512), tmp_path / "a.mp4", 4)
    said = probe(tmp_path / "a.mp4")
    assert "h264" in said and "yuv420p(tv, bt709, progressive)" in said and "512x320" in said and "4 fps" in said
    assert "Duration: 00:00:02.00" in said


def colours_said(path: Path) -> set[str]:
    """What the decoder says of the colours of a file's frames, from the bitstream and the container."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(path), "-vf", "showinfo", "-f", "null", "-"]
    said = subprocess.run(command, capture_output=True, text=True).stderr
    return set(re.findall(r"color_range:\S+ color_space:\S+ color_primaries:\S+ color_trc:\S+", said))


@pytest.mark.parametrize("codec", video.CODECS)
def test_matrix_primaries_transfer_and_range_are_in_every_video(tmp_path, codec):
    path = tmp_path / f"a.{video.CODECS[codec][1]}"
    frames = gradients(3, 65, 96)  # odd, and small: players take small videos for old television
    if codec.endswith("alpha"):
        frames = np.concatenate([frames, np.full_like(frames[..., :1], 255)], -1)
    write_video(frames, path, 25, codec=codec)
    assert colours_said(path) == {"color_range:tv color_space:bt709 color_primaries:bt709 color_trc:bt709"}
    data = path.read_bytes()
    if path.suffix == ".mp4":  # 1 is BT.709 in each: primaries, transfer, matrix; then the flag of full range
        assert data.count(b"colr") == 1
        assert data[data.index(b"colr") :][4:15] == b"nclx" + bytes([0, 1, 0, 1, 0, 1, 0])
    else:  # the element Colour of Matroska: matrix, range, transfer, primaries
        colour = data[data.index(bytes.fromhex("55b0")) :][:64]
        assert all(bytes.fromhex(element) in colour for element in ("55b18101", "55b98101", "55ba8101", "55bb8101"))
    # and as the tags say, the colours are right
    back = read_video(path)[:, :65].astype(int)
    assert np.abs(back - frames[..., :3]).mean() < 2


def test_index_comes_first_so_that_playing_starts_while_loading(tmp_path):
    write_video(gradients(8), tmp_path / "a.mp4", 4)
    data = (tmp_path / "a.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize(("height", "width"), [(65, 97), (64, 97), (65, 96), (66, 130)])
def test_odd_sizes_are_padded_by_repeating_the_edge_and_none_is_rounded_to_16(tmp_path, height, width):
    frames = gradients(4, height, width)
    write_video(frames, tmp_path / "a.mp4", 4)
    back = read_video(tmp_path / "a.mp4").astype(int)
    assert back.shape == (4, height + height % 2, width + width % 2, 3)
    assert np.abs(back[:, :height, :width] - frames).mean() < 2
    assert np.abs(back[:, -1, -1] - frames[:, -1, -1]).max() < 16


def test_frames_are_streamed_not_collected(tmp_path):
    references = []

    def stream():
        for frame in gradients(20):
            frame = frame.copy()
            references.append(weakref.ref(frame))
            assert sum(reference() is not None for reference in references) <= 3
            yield frame

    write_video(stream(), tmp_path / "a.mp4", 4)
    assert len(read_video(tmp_path / "a.mp4")) == len(references) == 20


def test_one_frame_is_a_video_under_any_name(tmp_path):
    folder = tmp_path / "my pictures & 絵 %d"
    folder.mkdir()
    write_video(gradients(1), folder / "-time lapse.mp4", 60)
    assert len(read_video(folder / "-time lapse.mp4")) == 1


@pytest.mark.parametrize("fps", [0, 61, -4, 2.5, float("nan"), "4", None, True])
def test_bad_fps_names_value_and_range(tmp_path, fps):
    with pytest.raises(InputError, match="fps is .*; use a whole number from 1 to 60"):
        write_video(gradients(2), tmp_path / "a.mp4", fps)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([], "no frames"),
        ([np.zeros((8, 8, 3), np.float32)], "Frame 0 has shape .* float32"),
        ([np.zeros((8, 8), np.uint8)], "Frame 0 has shape"),
        ([np.zeros((64, 64, 3), np.uint8), np.zeros((64, 66, 3), np.uint8)], "Frame 1 is 66x64 .* first is 64x64"),
    ],
)
def test_bad_frames_are_refused_and_leave_nothing(tmp_path, frames, message):
    with pytest.raises(InputError, match=message):
        write_video(frames, tmp_path / "a.mp4", 4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [RuntimeError("stop"), OSError(errno.EIO, "the frames' own trouble")])
def test_exception_from_the_frames_passes_and_keeps_the_old_video(tmp_path, error):
    (tmp_path / "a.mp4").write_bytes(b"old")

    def failing():
        yield from gradients(3)
        raise error

    with pytest.raises(type(error)) as caught:
        write_video(failing(), tmp_path / "a.mp4", 4)
    assert caught.value is error
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.mp4"]
    assert (tmp_path / "a.mp4").read_bytes() == b"old"


def test_failing_ffmpeg_gives_its_last_line_and_no_file(tmp_path, monkeypatch):
    monkeypatch.setitem(video.CODECS, "h264", (["-c:v", "no_such_encoder"], "mp4"))
    monkeypatch.setattr(video, "encoders", lambda purpose: " no_such_encoder ")
    with pytest.raises(OSError, match=r"Cannot write the video .*a\.mp4: ffmpeg says .*; check the folder") as caught:
        write_video(gradients(4, 512, 512), tmp_path / "a.mp4", 4)
    assert str(caught.value).count("\n") == 0 and "Encoder not found" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("codec", "encoder"), [("av1", "libsvtav1"), ("vp9", "libvpx-vp9")])
def test_an_encoder_that_is_missing_is_one_sentence(tmp_path, monkeypatch, codec, encoder):
    monkeypatch.setattr(video, "encoders", lambda purpose: " libx264 ")
    with pytest.raises(InputError, match=f"cannot encode {codec} .no {encoder}.; choose another format"):
        write_video(gradients(2), tmp_path / "a.mp4", 4, codec=codec)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_codec_and_frames_without_transparency_are_refused(tmp_path):
    with pytest.raises(InputError, match="codec is 'h266'; use one of h264, av1"):
        write_video(gradients(2), tmp_path / "a.mp4", 4, codec="h266")
    with pytest.raises(InputError, match="give uint8 RGBA arrays"):
        write_video(gradients(2), tmp_path / "a.webm", 4, codec="vp9-alpha")


def test_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(OSError, match="Cannot write a.mp4 in the folder .*nowhere"):
        write_video(gradients(2), tmp_path / "nowhere" / "a.mp4", 4)


def test_reading_what_is_no_video_is_refused(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"not a video at all")
    with pytest.raises(InputError, match="Cannot read the video .*check that the file is a video"):
        read_video(tmp_path / "a.mp4")
    with pytest.raises(InputError, match="There is no video at"):
        read_video(tmp_path / "b.mp4")
