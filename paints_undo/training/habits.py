"""Human habits in small doses: what people do while they draw that the canonical process leaves out."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch

from paints_undo.training.process import LAST_STEP, LINE_PLANE, STAGES, DrawingProcess, compose_batch
from paints_undo.training.settings import Checked, within

HABIT_SHARE = 0.02  # of the training pictures in which each habit shows
WINDOW = 0.03  # drawing time that a flip check or a hidden layer lasts


@dataclass(frozen=True)
class Habits(Checked):
    """What one artist does with one picture; the defaults are the canonical process.

    `sketch_shift` (x, y) in shares of the width and `sketch_scale`: the sketch was moved and resized before inking.
    `hue_shift` in degrees: the flats have other hues until the shading brings the final ones (a colour change).
    `flip_check_at` and `lines_hidden_at`: drawing time 0..1 from which the canvas is mirrored, or the line layer is
    off, for a moment; None for never.
    """

    sketch_shift: tuple[float, float] = (0.0, 0.0)
    sketch_scale: float = within(1.0, 0.5, 2)
    hue_shift: float = 0.0
    flip_check_at: float | None = within(None, 0, 1)
    lines_hidden_at: float | None = within(None, 0, 1)


def draw_habits(seed: str, share: float = HABIT_SHARE) -> Habits:
    """The habits of one seed: each is there in `share` of the seeds, so most pictures have none."""
    chance = random.Random(f"habits {seed}")
    habits = Habits()
    if chance.random() < share:
        shift = chance.uniform(-0.04, 0.04), chance.uniform(-0.04, 0.04)
        habits = replace(habits, sketch_shift=shift, sketch_scale=chance.uniform(0.92, 1.08))
    if chance.random() < share:
        habits = replace(habits, hue_shift=chance.uniform(-60, 60))
    if chance.random() < share:
        habits = replace(habits, flip_check_at=chance.uniform(0, STAGES["line"][1]))
    if chance.random() < share:
        habits = replace(habits, lines_hidden_at=chance.uniform(*STAGES["flat"]))
    return habits


def apply_habits(process: DrawingProcess, habits: Habits) -> DrawingProcess:
    """The process with those habits that change the layers themselves: a moved sketch, other flat colours.

    The other two are moments in time, which `moments_of` and `compose_with_moments` bring to a batch of canvases.
    """
    if habits.sketch_shift != (0.0, 0.0) or habits.sketch_scale != 1:
        process = replace(
            process, sketch=_moved(process.sketch, habits, 0), sketch_order=_moved(process.sketch_order, habits, 255)
        )
    if habits.hue_shift:
        process = replace(process, flat=_hue_shifted(process.flat, habits.hue_shift))
    return process


def moments_of(habits: Sequence[Habits]) -> torch.Tensor:
    """When each picture's flip check and hidden lines begin, in drawing time: float32 (n, 2), NaN for never."""
    begins = [(one.flip_check_at, one.lines_hidden_at) for one in habits]
    return torch.tensor([[math.nan if at is None else at for at in pair] for pair in begins]).reshape(-1, 2)


def compose_with_moments(maps: torch.Tensor, steps: torch.Tensor, moments: torch.Tensor) -> torch.Tensor:
    """What compose_batch gives, with the moments (n, 2) at which a canvas is mirrored or its lines are off.

    Step 0 is still exactly the finished picture.
    """
    steps, moments = steps.to(maps.device), moments.to(maps.device)
    since = (1 - steps.float() / LAST_STEP)[:, None] - moments
    mirrored, hidden = ((since >= 0) & (since < WINDOW) & (steps > 0)[:, None]).unbind(1)
    if hidden.any():
        maps = maps.clone()
        maps[hidden, LINE_PLANE] = 0
    canvases = compose_batch(maps, steps)
    return torch.where(mirrored.view(-1, 1, 1, 1), canvases.flip(-1), canvases)


def _moved(layer: np.ndarray, habits: Habits, outside: int) -> np.ndarray:
    height, width = layer.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 0, habits.sketch_scale)
    matrix[:, 2] += np.array(habits.sketch_shift) * width
    return cv2.warpAffine(layer, matrix, (width, height), borderMode=cv2.BORDER_CONSTANT, borderValue=outside)


def _hue_shifted(picture: np.ndarray, degrees: float) -> np.ndarray:
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int32) + round(degrees / 2)) % 180  # OpenCV halves hues to fit a byte
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
