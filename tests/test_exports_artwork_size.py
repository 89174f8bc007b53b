"""Frames at the artwork's size: exact at the end, clean at the start, without flicker between."""

import numpy as np
import pytest
from export_runs import make_source, picture
from measures import flicker, peak_signal_to_noise

from paints_undo.exports.artwork_size import ArtworkSizedFrames


@pytest.fixture(scope="module", params=["pad", "crop"])
def source(request, tmp_path_factory):
    return make_source(tmp_path_factory.mktemp("run"), artwork=picture(300, 420), fit=request.param)


@pytest.fixture(scope="module")
def frames(source):
    return list(source.finished_frames(source.size))


def test_frames_have_the_artworks_size_begin_blank_and_end_on_it_without_flicker(source, frames):
    assert len(frames) == len(source.frames) == 60
    assert {frame.shape for frame in frames} == {(420, 300, 3)} and frames[0].dtype == np.uint8
    assert (frames[0] > 250).all() and flicker(frames) < 0.05
    whole = source.finished_frames(source.size)
    *_, last = whole.chosen([3, 10, len(whole)])
    assert last is whole.artwork and np.array_equal(last, source.artwork)
    assert peak_signal_to_noise(frames[-1], source.artwork) > 35


def test_frames_do_not_depend_on_those_before_and_come_twice_as_the_same_array(source, frames):
    first, second = source.finished_frames(source.size).chosen([40, 40])
    assert first is second and np.abs(first.astype(int) - frames[40]).max() <= 2


def test_how_far_pixels_have_gone_over_only_grows(source):
    whole = source.finished_frames(source.sized(100))
    reached = [whole.reached(number) for number in (0, 20, 40, 59, 60)]
    assert all((b >= a).all() for a, b in zip(reached, reached[1:], strict=False))
    assert reached[0].mean() < 0.05 and (reached[-1] == 1).all()


def test_a_single_frame_and_a_shrunk_one(source):
    one = ArtworkSizedFrames(source.frames[-1:], source.finished_small, source.artwork, source.placement)
    assert [frame.shape for frame in one] == [(420, 300, 3)]
    assert [f.shape for f in source.finished_frames((30, 42)).chosen([0, 59])] == [(42, 30, 3)] * 2
