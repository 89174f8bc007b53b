"""Finished runs without networks, for tests of what is made from them: a picture that is sketched, inked and filled."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from paints_undo.exports.source import Source
from paints_undo.options import KeyframeOptions, UndoOptions
from paints_undo.pictures.fit import Fit, crop_to
from paints_undo.run.folder import RunFolder
from paints_undo.run.timeline import Timeline
from paints_undo.strokes_engine import Strokes

KEYFRAME_SIZE = VIDEO_SIZE = (64, 64)  # width, height
STEPS = (400, 800, 950)


@cache
def picture(width: int = 120, height: int = 150) -> np.ndarray:
    """A face in a circle, with grain that no small frame can show."""
    canvas = np.full((height, width, 3), (205, 225, 240), np.uint8)
    centre, unit = (width // 2, height // 2), min(width, height)
    cv2.circle(canvas, centre, unit // 3, (240, 200, 120), -1, cv2.LINE_AA)
    cv2.circle(canvas, centre, unit // 3, (40, 30, 35), max(2, unit // 40), cv2.LINE_AA)
    for side in (-1, 1):
        eye = (centre[0] + side * unit // 9, centre[1] - unit // 16)
        cv2.circle(canvas, eye, unit // 18, (30, 60, 150), -1, cv2.LINE_AA)
    grain = np.random.default_rng(0).integers(-4, 5, (height, width, 1))
    return (canvas.astype(int) + grain).clip(0, 255).astype(np.uint8)


def at_step(finished: np.ndarray, done: float) -> np.ndarray:
    """The picture, uint8 (h, w, 3), when this share of the work is done: outlines from above, then colour likewise."""
    grey = cv2.cvtColor(finished, cv2.COLOR_RGB2GRAY)
    lines = np.where(cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((7, 7))) > 30, 40, 255).astype(np.uint8)
    rows = np.arange(len(finished))[:, None, None] / len(finished)
    inked = np.where(rows < done * 2, np.repeat(lines[..., None], 3, 2), 255)
    return np.where(rows < done * 2 - 1, finished, inked).astype(np.uint8)


def make_run(
    folder: Path, artwork: np.ndarray | None = None, fit: str = "pad", steps: tuple[int, ...] = STEPS, **options
) -> Path:
    """A finished run of an artwork in `folder`; the folder."""
    artwork = picture() if artwork is None else artwork
    drawing = KeyframeOptions(operation_steps=steps, width=KEYFRAME_SIZE[0], height=KEYFRAME_SIZE[1])
    chosen = UndoOptions(drawing, fit=fit, tag=False, **options)
    timeline = Timeline.of(chosen.keyframes, chosen.segments)
    settings = {"options": chosen.to_settings(), "models": {"name": "mini", "revision": "test"}}
    run = RunFolder.create(folder, settings, timeline, artwork)
    seen = Fit.of(chosen, artwork.shape).keyframe(artwork)
    places = [0, *steps, 1000]
    with run.held():
        for place, step in enumerate(steps):
            run.keep_keyframe(place, at_step(seen, 1 - step / 1000))
        for place, (begin, end) in enumerate(itertools.pairwise(places)):
            moments = 1 - np.linspace(begin, end, 16) / 1000
            frames = np.stack([at_step(crop_to(seen, *VIDEO_SIZE), moment) for moment in moments])
            run.keep_segment(place, np.clip(frames.astype(int) - 2, 0, 255).astype(np.uint8))
        run.finish()
    return folder


def make_stroke_run(folder: Path, artwork: np.ndarray | None = None, **options) -> Path:
    """The same of a run that was drawn in strokes."""
    engine, artwork = Strokes(), picture() if artwork is None else artwork
    chosen = replace(engine.default_options, **options)
    run = RunFolder.create(folder, engine.settings_of(chosen), Timeline.of(chosen.keyframes, chosen.segments), artwork)
    with run.held():
        run.keep_process(engine.process_of(artwork, chosen))
        run.finish()
    return folder


def make_source(folder: Path, **more) -> Source:
    """What exports start from, of a run as above."""
    return Source.of_run(make_run(folder / "girl", **more))
