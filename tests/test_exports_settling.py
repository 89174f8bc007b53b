"""Colours, noise, and the moment at which a pixel is done."""

import cv2
import numpy as np
import pytest
from export_runs import at_step, picture

from paints_undo.exports.settling import hold_still, match_colours, settle
from paints_undo.pictures.fit import crop_to


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


def test_blank_canvas_shows_no_detail_and_the_finished_picture_all(film):
    settling = settle(*film)
    light = cv2.cvtColor(film[1], cv2.COLOR_RGB2GRAY)
    outlined = cv2.morphologyEx(light, cv2.MORPH_GRADIENT, np.ones((3, 3))) > 60
    assert settling.detail[0].max() == 0
    assert settling.detail[-1][outlined].mean() > 220
