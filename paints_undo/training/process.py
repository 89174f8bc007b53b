"""One picture's drawing process: the canvas at any of the 1000 operation steps, composed from a few maps.

A picture becomes eight small maps once (see :mod:`paints_undo.training.layering`); every operation step is then a
handful of elementwise operations on them, so that training can draw any step of any picture on the fly, on a CPU or
a GPU, without storing a single frame.

The process is canonical: sketch, clean lines, flat colours, shadows, finish. A small network learns an average process,
and the less this process varies for one picture, the sharper the keyframes that few parameters can draw.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import torch

LAST_STEP = 999
"""Operation step of the first stroke; step 0 is the finished picture."""
STAGES = {
    "sketch": (0.0, 0.22),
    "line": (0.22, 0.50),
    "flat": (0.50, 0.74),
    "shadow": (0.74, 0.87),
    "finish": (0.87, 1.0),
}
"""Begin and end of each stage in drawing time, 0 (blank) to 1 (finished); drawing time is 1 - step / 999.

The default keyframes (steps 400, 600, 800, 900, 950, 999) then show half-filled flats, half-inked lines, and three
states of the sketch.
"""
SKETCH_COLOUR = (84, 104, 160)
INK_COLOUR = (32, 28, 34)
SKETCH_UNDER_LINES = 0.35  # what is left of the sketch's opacity once inking has begun in earnest
FIRST_STROKE = 0.04  # share of the sketch that step 999 already shows: "the first stroke", not an empty canvas
SOFT_BRUSH = 0.15  # width of the soft front in the shadow and finish stages, as a share of the stage
MAP_COUNT = 12  # planes of `DrawingProcess.to_maps`
LINE_PLANE = 7  # the one with the opacity of the lines
HABIT_SHARE = 0.02  # of the training pictures in which each habit shows
WINDOW = 0.03  # drawing time that a flip check or a hidden layer lasts


@dataclass(frozen=True)
class DrawingProcess:
    """The maps of one picture, all uint8 with the picture's height and width.

    `final` (H, W, 3) is the finished picture and `flat` (H, W, 3) its flat colours; `sketch` and `line` (H, W) are
    opacities; each order map (H, W) says when in its stage a pixel appears, 0 first to 255 last.
    """

    final: np.ndarray
    flat: np.ndarray
    sketch: np.ndarray
    line: np.ndarray
    sketch_order: np.ndarray
    line_order: np.ndarray
    flat_order: np.ndarray
    shade_order: np.ndarray

    def to_maps(self) -> np.ndarray:
        """All maps as one uint8 array (12, H, W): final, flat, sketch, line, then the four order maps."""
        planes = [np.moveaxis(self.final, -1, 0), np.moveaxis(self.flat, -1, 0)]
        planes += [getattr(self, field.name)[None] for field in fields(self)[2:]]
        return np.concatenate(planes)


def stage_of(operation_step: int) -> str:
    """The name of the stage that an operation step (0 to 999) falls into."""
    time = 1 - operation_step / LAST_STEP
    return next(name for name, (_, end) in STAGES.items() if time <= end)


def compose_batch(maps: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """The canvases of n pictures, each at its own operation step: float32 (n, 3, H, W) in -1..1.

    `maps` is uint8 (n, 12, H, W) as written by :meth:`DrawingProcess.to_maps`, `steps` (n,) holds 0 to 999 (fractions
    are allowed). Runs on whichever device the maps are on. Raises ValueError for steps outside that range.
    """
    if steps.numel() and (steps.min() < 0 or steps.max() > LAST_STEP):
        raise ValueError(f"operation steps must lie in 0 to {LAST_STEP}, got {steps.min()} to {steps.max()}")
    final, flat = maps[:, 0:3].float(), maps[:, 3:6].float()
    sketch, line, sketch_order, line_order, flat_order, shade_order = (maps[:, 6:].float() / 255).split(1, dim=1)
    time = (1 - steps.to(maps.device).float() / LAST_STEP).view(-1, 1, 1, 1)
    done = {name: ((time - begin) / (end - begin)).clamp(0, 1) for name, (begin, end) in STAGES.items()}

    filled = ((flat_order <= done["flat"]) & (done["flat"] > 0)).float()
    canvas = 255 + (flat - 255) * filled
    canvas = canvas + (torch.minimum(flat, final) - canvas) * _soft_front(shade_order, done["shadow"]) * filled

    drawn = (sketch_order <= FIRST_STROKE + (1 - FIRST_STROKE) * done["sketch"]).float()
    fading = (1 - (1 - SKETCH_UNDER_LINES) * (done["line"] * 3).clamp(max=1)) * (1 - done["flat"])
    canvas = _paint(canvas, SKETCH_COLOUR, sketch * drawn * fading)
    inked = ((line_order <= done["line"]) & (done["line"] > 0)).float()
    canvas = _paint(canvas, INK_COLOUR, line * inked)

    canvas = canvas + (final - canvas) * _soft_front(shade_order, done["finish"])
    return torch.where(time >= 1, final, canvas) / 127.5 - 1


def _paint(canvas: torch.Tensor, colour: tuple[int, int, int], opacity: torch.Tensor) -> torch.Tensor:
    return canvas + (canvas.new_tensor(colour).view(1, 3, 1, 1) - canvas) * opacity


def _soft_front(order: torch.Tensor, done: torch.Tensor) -> torch.Tensor:
    """Opacity 0..1 of a soft brush that has reached every pixel with `order` well below `done`."""
    return ((done * (1 + SOFT_BRUSH) - order) / SOFT_BRUSH).clamp(0, 1)


@dataclass(frozen=True)
class Habits:
    """What one artist does with one picture; the defaults are the canonical process.

    `sketch_shift` (x, y) in shares of the width and `sketch_scale`: the sketch was moved and resized before inking.
    `hue_shift` in degrees: the flats have other hues until the shading brings the final ones (a colour change).
    `flip_check_at` and `lines_hidden_at`: drawing time 0..1 from which the canvas is mirrored, or the line layer is
    off, for a moment; None for never.
    """

    sketch_shift: tuple[float, float] = (0.0, 0.0)
    sketch_scale: float = 1.0
    hue_shift: float = 0.0
    flip_check_at: float | None = None
    lines_hidden_at: float | None = None


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
