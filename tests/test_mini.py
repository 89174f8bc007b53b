"""The shipped family draws: loose versions of the model card's figures, on the example pictures and with a clock."""

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from paints_undo import PaintsUndo
from paints_undo.family.choice import MINI_FOLDER, default_models, default_networks
from paints_undo.pictures.fit import crop_to
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.video import read_video
from paints_undo.run.folder import RunFolder

ROOT = Path(__file__).parent.parent
MIB = 2**20

# Stages by what is on the canvas, as fractions of all pixels.
PAPER = 235  # a pixel with every channel above this is still paper


def coverage(picture):
    """The part of the canvas that is no longer paper."""
    return float((picture.min(-1) < PAPER).mean())


def filled(picture):
    """The part of the canvas inside painted areas: what is left of the covered part when lines are taken away."""
    covered = (picture.min(-1) < PAPER).astype(np.uint8)
    return float(cv2.erode(covered, np.ones((7, 7), np.uint8)).mean())


def psnr(a, b):
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2)))


@pytest.fixture(scope="module")
def engine():
    return PaintsUndo.load("mini", device="cpu")


@pytest.fixture(scope="module")
def run(engine, tmp_path_factory):
    """A run with every default, and how long it took."""
    artwork = read_picture(ROOT / "paints_undo" / "examples" / "cat.png")
    began = time.monotonic()
    timelapse = engine.undo(artwork, out=tmp_path_factory.mktemp("runs") / "cat")
    return timelapse, time.monotonic() - began


def test_is_the_default_of_what_needs_networks(engine):
    assert engine.family.name == "mini"
    if engine.parts.device.type == "cpu":
        assert default_models() == "strokes" and default_networks() == "mini"


def test_size_on_disk():
    weights = [file for file in MINI_FOLDER.rglob("*") if file.suffix in (".safetensors", ".onnx")]
    assert len(weights) == 9 and sum(file.stat().st_size for file in weights) < 64 * MIB


def test_tags(engine):
    tags = engine.tag(ROOT / "paints_undo" / "examples" / "girl.png")
    assert "long hair" in tags.split(", ")


def test_the_canvas_empties_step_by_step(run):
    timelapse, _ = run
    areas = [filled(state) for state in (timelapse.artwork, *timelapse.keyframes)]
    assert all(later <= earlier + 0.03 for earlier, later in zip(areas, areas[1:], strict=False)), areas
    assert areas[0] > 0.5 and areas[-1] < 0.01, areas
    covered = [coverage(state) for state in timelapse.keyframes]
    assert covered[-1] < 0.1 < covered[0], covered


def test_the_lines_come_before_the_colours(run):
    timelapse, _ = run
    half_filled, lines = timelapse.keyframes[:2]  # operation steps 400 and 600
    assert filled(lines) < 0.2 * filled(half_filled)
    assert coverage(lines) > 0.1


def test_step_zero_keeps_the_artwork(engine):
    artwork = read_picture(ROOT / "paints_undo" / "examples" / "girl.png")
    options = replace(engine.default_options.keyframes, operation_steps=[0])
    drawn = engine.draw_keyframes(artwork, options)[0]
    assert psnr(drawn, crop_to(artwork, options.width, options.height)) > 16


def test_the_film_runs_from_paper_to_picture(run):
    timelapse, _ = run
    film = timelapse.frames
    assert len(film) == 7 * 15
    assert coverage(film[0]) < 0.1 and coverage(film[-1]) > 0.5 * coverage(timelapse.artwork)
    finished = crop_to(timelapse.artwork, film.shape[2], film.shape[1])
    assert psnr(film[-1], finished) > 16
    # no flicker: no change from frame to frame far beyond the usual one
    changes = np.abs(np.diff(film.astype(float), axis=0)).mean(axis=(1, 2, 3))
    assert changes.max() < 40


def test_run_folder_and_time(run):
    timelapse, seconds = run
    assert RunFolder.open(timelapse.folder).finished
    assert read_video(timelapse.folder / "timelapse.mp4").shape == timelapse.frames.shape
    assert seconds < 240  # the model card says how long it takes on an idle machine
