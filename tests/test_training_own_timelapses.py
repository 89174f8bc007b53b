import cv2
import numpy as np
import pytest
import torch
from training_pictures import a_process, compose

from paints_undo.errors import InputError
from paints_undo.pictures.pixels import encode_png
from paints_undo.pictures.video import write_video
from paints_undo.training.own_timelapses import load_timelapses


def frames(count):
    process = a_process(64)
    return np.stack([compose(process, step) for step in np.linspace(999, 0, count).astype(int)])


def test_a_video_becomes_operation_steps(tmp_path):
    write_video(frames(20), tmp_path / "face.mp4", 5)
    (tmp_path / "face.txt").write_text("1girl, smile")
    data = load_timelapses(tmp_path, 32)
    assert len(data) == 1 and data.names == ["face"] and data.tags == [("1girl", "smile")]
    assert data.frames[0].shape == (20, 3, 32, 32)
    first, last = data.canvases(torch.tensor([0, 0]), torch.tensor([999.0, 0.0]))
    assert first.mean() > 0.85 and last.mean() < first.mean()
    assert torch.equal(data.finished(torch.tensor([0]))[0], last)


def test_a_folder_of_pictures_is_read_in_the_order_of_names(tmp_path):
    (tmp_path / "drawing").mkdir()
    for number, frame in enumerate(frames(9)):
        wide = cv2.copyMakeBorder(frame, 0, 0, 20, 20, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        (tmp_path / "drawing" / f"{number:03}.png").write_bytes(encode_png(wide))
    data = load_timelapses(tmp_path, 32)
    assert data.frames[0].shape == (9, 3, 32, 32)
    clips = data.clips(torch.tensor([0]), torch.tensor([900.0]), torch.tensor([0.0]))
    assert clips.shape == (1, 3, 16, 32, 32)
    assert clips[0, :, 0].mean() > clips[0, :, -1].mean()


def test_unusable_videos_are_left_out_and_named(tmp_path, caplog):
    write_video(frames(12), tmp_path / "good.mp4", 5)
    write_video(frames(3), tmp_path / "short.mp4", 5)
    (tmp_path / "broken.mp4").write_bytes(b"this is no video")
    assert load_timelapses(tmp_path, 32).names == ["good"]
    assert "short.mp4" in caplog.text and "broken.mp4" in caplog.text


def test_a_folder_without_timelapses_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="no usable time-lapse"):
        load_timelapses(tmp_path, 32)
    write_video(frames(3), tmp_path / "short.mp4", 5)
    with pytest.raises(InputError, match="3 frames"):
        load_timelapses(tmp_path, 32)
    with pytest.raises(InputError, match="no folder"):
        load_timelapses(tmp_path / "nowhere", 32)
