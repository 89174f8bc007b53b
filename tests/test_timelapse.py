"""The order of a timelapse's pictures."""

from pathlib import Path

import numpy as np

from paints_undo.timelapse import Timelapse, join_timelapse, with_white_canvas


def test_join_timelapse():
    filled = np.arange(2 * 16, dtype=np.uint8).reshape(2, 16, 1, 1, 1).repeat(3, axis=-1)
    joined = join_timelapse(filled)[:, 0, 0, 0].tolist()
    assert joined == [*range(30, 15, -1), *range(14, -1, -1)]  # 31 and 15, the last of each pair, are dropped


def test_segments_lie_between_the_artwork_and_a_white_canvas():
    artwork, drawn = np.zeros((4, 6, 3), np.uint8), np.full((2, 4, 6, 3), 7, np.uint8)
    assert with_white_canvas(artwork, drawn)[:, 0, 0, 0].tolist() == [0, 7, 7, 255]


def test_where_the_video_is():
    pictures = np.zeros((1, 4, 6, 3), np.uint8)
    assert Timelapse("", pictures[0], pictures, pictures).video is None
    assert Timelapse("", pictures[0], pictures, pictures, Path("run")).video == Path("run/timelapse.mp4")
