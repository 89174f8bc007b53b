"""Frames at the artwork's size: true colours, no noise, exact at the end; and more of them in the widest jumps."""

import cv2
import numpy as np
import pytest
from export_runs import at_step, make_source, picture
from fake_engine import FakeEngine
from measures import flicker, peak_signal_to_noise

from paints_undo.errors import InputError
from paints_undo.exports.artwork_size import ArtworkSizedFrames
from paints_undo.exports.midpoints import with_midpoints
from paints_undo.exports.settling import hold_still, match_colours, settle
from paints_undo.options import SegmentOptions
from paints_undo.pictures.fit import crop_to


@pytest.fixture(scope="module", params=["pad", "crop"])
def source(request, tmp_path_factory):
    return make_source(tmp_path_factory.mktemp("run"), artwork=picture(300, 420), fit=request.param)


@pytest.fixture(scope="module")
def frames(source):
    return list(source.finished_frames(source.size).chosen(range(60)))


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
    assert [frame.shape for frame in one.chosen([0])] == [(420, 300, 3)]
    assert [f.shape for f in source.finished_frames((30, 42)).chosen([0, 59])] == [(42, 30, 3)] * 2


@pytest.fixture(scope="module")
def film():
    finished = crop_to(picture(), 64, 64)
    return np.stack([at_step(finished, moment) for moment in np.linspace(0, 1, 31)]), finished


def test_a_decoders_shift_is_taken_back(film):
    frames, finished = film
    shifted = (frames * 0.95 + np.array([4, 8, 2])).clip(0, 255).astype(np.uint8)
    matched = match_colours(shifted, finished)
    before = np.abs(shifted[-1].astype(int) - finished).mean()
    assert np.abs(matched[-1].astype(int) - finished).mean() < 0.5 * before
    assert (matched[0] == 255).all()  # the blank canvas is white again


def test_noise_stands_still_and_strokes_move(film):
    frames, _ = film
    noise = np.random.default_rng(1).integers(-2, 3, frames.shape)
    steady = hold_still((frames.astype(int) + noise).clip(0, 255).astype(np.uint8))
    changed = np.abs(np.diff(frames.astype(int), axis=0)).max(-1) > 30
    moves = np.abs(np.diff(steady.astype(int), axis=0)).max(-1)
    near = np.stack([cv2.dilate(c.astype(np.uint8), np.ones((9, 9))) for c in changed]) > 0
    assert (moves[~near] == 0).mean() > 0.97
    assert np.median(moves[changed]) > 45


def test_a_pixel_is_done_when_its_row_is_filled(film):
    frames, finished = film
    settling = settle(frames, finished)
    light = cv2.cvtColor(finished.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)[..., 0]
    moment = settling.done[0] * light + settling.done[1]
    upper, lower = moment[10:14, 20:44].mean(), moment[50:54, 20:44].mean()
    # row r of 64 is filled when 2 * t / 30 - 1 > r / 64
    assert upper == pytest.approx(30 * (1 + 12 / 64) / 2, abs=2.5)
    assert lower == pytest.approx(30 * (1 + 52 / 64) / 2, abs=2.5)


class Even(FakeEngine):
    """Segments that run evenly from the first picture to the last."""

    def fill_pairs(self, pictures, options, on_progress, wanted, seeds, keep):
        share = np.linspace(0, 1, 16)[:, None, None, None]
        for pair in wanted:
            keep(pair, (pictures[pair] * (1 - share) + pictures[pair + 1] * share).round().astype(np.uint8))


def flat_film(*values):
    return np.stack([np.full((40, 40, 3), value, np.uint8) for value in values])


def test_the_widest_jumps_are_filled_in_the_order_of_time():
    frames = with_midpoints(Even(), flat_film(250, 240, 90, 80, 20), SegmentOptions(), 2)
    levels = frames[:, 0, 0, 0].astype(int)
    assert len(levels) == 5 + 2 * 14
    assert list(levels) == sorted(levels, reverse=True)
    assert np.diff(levels).min() >= -11


def test_no_more_than_there_are():
    assert len(with_midpoints(Even(), flat_film(9, 8), SegmentOptions(), 100)) == 16


@pytest.mark.parametrize("count", [0, 101, 1.5])
def test_an_impossible_number(count):
    with pytest.raises(InputError, match="midpoints is"):
        with_midpoints(Even(), flat_film(9, 8), SegmentOptions(), count)
