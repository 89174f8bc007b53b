"""Figures of a model family on pictures that it never saw: its tags, its keyframes and its segments."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np
import torch

from paints_undo.pictures.tensors import pixels_to_tensor, tensor_to_pixels
from paints_undo.training.dataset import Pictures
from paints_undo.training.picture_vae import psnr
from paints_undo.training.process import INK_COLOUR, SKETCH_COLOUR, stage_of
from paints_undo.training.segment_clips import APP_STEPS, VIDEO_LENGTH, WHITE_CANVAS, draw_frames
from paints_undo.training.tagger import micro_f1, tag_targets

Draw = Callable[[np.ndarray, str, Sequence[int], int], np.ndarray]
"""(artwork uint8 (H, W, 3), prompt, operation steps, seed) -> keyframes uint8 (n, H, W, 3)."""

Fill = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Pictures uint8 (H, W, 3), the artwork first -> the frames between neighbours, uint8 (n - 1, 16, H, W, 3)."""

COMPARE: dict[str, Callable[[float, float], bool]] = {">=": operator.ge, "<=": operator.le, "<": operator.lt}
ENDS, BETWEEN = [0, -1], slice(1, -1)  # of a segment's frames
SEED = 12345
STILL = 0.25  # grey levels of mean change between frames below which no eye sees flicker
FLICKER = 3.0  # a change so many times the segment's median is a jump
DRAWN_STEPS = (0, 25, 50, 200, 300, 400, 600, 800, 900, 950, 999)
STAGE_STEPS = (400, 600, 800, 900, 950)  # one in the flats, one in the lines, three in the sketch
STAGE_EXAMPLES = {"sketch": (800, 900, 950), "line": (540, 600, 680), "flat": (320, 400, 460)}
COVERAGE_STEPS = (0, 200, 300, 400, 600, 800, 900, 950, 999)
COVERAGE_TOLERANCE = 0.005  # of the canvas: what noise alone may add from one keyframe to the next
LINE_TOLERANCE = 3  # pixels
INK_DARKNESS = 110  # a pixel of the lines is darker than this


GOALS = {
    "vae psnr all": ">= 26",
    "vae psnr sketch": ">= 24",
    "vae psnr line": ">= 24",
    "keyframes stage right": ">= 0.95",
    "keyframes line F1": ">= 0.7",
    "keyframes error over baseline, step 400": "<= 0.5",
    "keyframes colour never rises": ">= 0.95",
    "keyframes psnr step 0": ">= 24",
    "keyframes psnr step 25": ">= 24",
    "keyframes psnr step 50": ">= 24",
    "tagger micro-F1": ">= 0.8",
    "segments end psnr": ">= 24",
    "segments worst end psnr": ">= 24",
    "segments error over cross-fading": "< 1",
    "segments steady": ">= 1",
}
"""How a figure must compare with which limit."""


def is_reached(name: str, value: float) -> bool:
    """Whether a figure of GOALS is as good as it should be."""
    sign, limit = GOALS[name].split()
    return COMPARE[sign](value, float(limit))


def coverage(picture: np.ndarray) -> np.ndarray:
    """How much of a picture uint8 (H, W, 3) is sketched, inked and coloured: three shares of its area, float64.

    A pixel's distance from white points towards the sketch's colour, the ink's, or elsewhere: then it is coloured.
    """
    away = 255 - picture.reshape(-1, 3).astype(np.float64)
    amounts, errors = [], []
    for colour in (SKETCH_COLOUR, INK_COLOUR):
        towards = 255 - np.array(colour, np.float64)
        amount = (away @ towards / (towards @ towards)).clip(0, 1)
        amounts.append(amount)
        errors.append(np.linalg.norm(away - amount[:, None] * towards, axis=1))
    painted = np.linalg.norm(away, axis=1) > 30
    coloured = painted & (np.minimum(*errors) > 40)
    sketched = ~coloured & (errors[0] < errors[1])
    inked = ~coloured & ~sketched
    return np.array([(amounts[0] * sketched).mean(), (amounts[1] * inked).mean(), coloured.mean()])


def nearest_stage(drawn: np.ndarray, examples: Mapping[str, Sequence[np.ndarray]]) -> str:
    """The stage one of whose true canvases has most nearly the drawn picture's ink and colour."""
    found = coverage(drawn)
    distances = {
        stage: min(float(np.abs(coverage(canvas) - found).sum()) for canvas in canvases)
        for stage, canvases in examples.items()
    }
    return min(distances, key=distances.__getitem__)


def line_f1(drawn: np.ndarray, wanted: np.ndarray) -> float:
    """Agreement of the dark lines of two pictures uint8 (H, W, 3), 0..1, LINE_TOLERANCE pixels being forgiven."""
    lines = [(picture.max(axis=2) < INK_DARKNESS).astype(np.uint8) for picture in (drawn, wanted)]
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * LINE_TOLERANCE + 1,) * 2)
    near = [cv2.dilate(mask, around) for mask in lines]
    precision = (lines[0] & near[1]).sum() / max(1, lines[0].sum())
    recall = (lines[1] & near[0]).sum() / max(1, lines[1].sum())
    return float(2 * precision * recall / max(precision + recall, 1e-9))


def mean_error(drawn: np.ndarray, wanted: np.ndarray) -> float:
    """Mean absolute difference of uint8 pictures, 0..255."""
    return float(np.abs(drawn.astype(np.float32) - wanted).mean())


def worst_psnr(drawn: np.ndarray, wanted: np.ndarray) -> float:
    """The least peak signal-to-noise ratio of uint8 pictures ([n,] H, W, 3) in decibels."""
    return float(psnr(pixels_to_tensor(drawn), pixels_to_tensor(wanted)).min())


def evaluate_keyframes(draw: Draw, data: Pictures, indices: Sequence[int]) -> dict[str, float]:
    """The figures of stage 1, means over these pictures.

    "error over baseline" is the mean absolute error divided by that of the better of two answers that need no
    network: white paper, and the artwork itself.
    """
    rows = [_figures_of(draw, data, index) for index in indices]
    figures = {name: float(np.mean([row[name] for row in rows])) for name in rows[0] if "baseline" not in name}
    for step in STAGE_STEPS:
        best = min(np.mean([row[f"baseline {kind} {step}"] for row in rows]) for kind in ("white", "artwork"))
        figures[f"error over baseline, step {step}"] = figures[f"error step {step}"] / float(best)
    return figures


def _figures_of(draw: Draw, data: Pictures, index: int) -> dict[str, float]:
    artwork = _canvas(data, index, 0)
    prompt = ", ".join(data.tags[index])
    drawn = dict(zip(DRAWN_STEPS, draw(artwork, prompt, DRAWN_STEPS, SEED), strict=True))
    again = dict(zip((400, 800), draw(artwork, prompt, (400, 800), SEED + 1), strict=True))
    true = {step: _canvas(data, index, step) for step in DRAWN_STEPS}
    examples = {stage: [_canvas(data, index, step) for step in steps] for stage, steps in STAGE_EXAMPLES.items()}
    colours = [coverage(drawn[step])[2] for step in COVERAGE_STEPS]
    falling = [later <= earlier + COVERAGE_TOLERANCE for earlier, later in zip(colours, colours[1:], strict=False)]
    figures = {
        "stage right": np.mean([nearest_stage(drawn[step], examples) == stage_of(step) for step in STAGE_STEPS]),
        "line F1": line_f1(drawn[600], true[600]),
        "colour never rises": np.mean(falling),
        "change between seeds": np.mean([mean_error(again[step], drawn[step]) for step in again]),
        "change between steps": mean_error(drawn[400], drawn[800]),
    }
    for step in (0, 25, 50):
        figures[f"psnr step {step}"] = worst_psnr(drawn[step], artwork)
    for step in STAGE_STEPS:
        figures[f"error step {step}"] = mean_error(drawn[step], true[step])
        figures[f"baseline white {step}"] = mean_error(np.full_like(artwork, 255), true[step])
        figures[f"baseline artwork {step}"] = mean_error(artwork, true[step])
    return {name: float(value) for name, value in figures.items()}


def evaluate_tagger(
    tag: Callable[[np.ndarray], Sequence[str]], known: Sequence[str], data: Pictures, indices: Sequence[int]
) -> float:
    """Micro-F1 of the tags that `tag` gives to the finished pictures, over those tags that it knows at all."""
    answers = tag_targets([tag(_canvas(data, index, 0)) for index in indices], known)
    return micro_f1(answers, tag_targets([data.tags[index] for index in indices], known))


def true_segments(data: Pictures, picture: int) -> np.ndarray:
    """What the app's segments of one picture should show, uint8 (7, 16, H, W, 3); the last one ends at white paper."""
    steps = torch.tensor(APP_STEPS, dtype=torch.float32)
    pictures = torch.full((len(steps) - 1,), picture)
    video = draw_frames(data, pictures, steps[:-1], steps[1:])  # (n, 3, 16, H, W)
    frames = tensor_to_pixels(video.transpose(1, 2).flatten(0, 1))
    return frames.reshape(len(pictures), VIDEO_LENGTH, *frames.shape[1:])


def keyframes_of(segments: np.ndarray) -> list[np.ndarray]:
    """The pictures at which neighbouring segments (n, 16, H, W, 3) meet, n + 1 of them."""
    return [*segments[:, 0], segments[-1, -1]]


def cross_faded(segment: np.ndarray) -> np.ndarray:
    """The plain fade from a segment's first frame to its last, uint8 (16, H, W, 3)."""
    share = np.linspace(0, 1, len(segment))[:, None, None, None]
    return np.round(segment[0] * (1 - share) + segment[-1] * share).astype(np.uint8)


def largest_jump(segment: np.ndarray) -> float:
    """The largest change from frame to frame as a multiple of the segment's median change.

    Changes are mean absolute differences in grey levels; a median below STILL counts as STILL.
    """
    changes = np.abs(np.diff(segment.astype(np.float32), axis=0)).mean((1, 2, 3))
    return float(changes.max() / max(np.median(changes), STILL))


def evaluate_segments(fill: Fill, data: Pictures, count: int = 8) -> dict[str, float]:
    """Figures of the app's segments, means over all segments of `count` held-out pictures that have the figure.

    `end_psnr` in decibels, and the worst of them, `worst_end_psnr`; `error` and `cross_fade_error` in grey levels (not
    for the segment to the white canvas, for which nothing is the truth); `better` the share of segments with less error
    than cross-fading; `steady` the share without a change above FLICKER times the median, `truly_steady` the same of
    the true frames.
    """
    found: list[dict[str, float]] = []
    for picture in range(min(count, len(data))):
        wanted = true_segments(data, picture)
        filled = zip(fill(keyframes_of(wanted)), wanted, APP_STEPS[1:], strict=True)
        found += [figures_of(drawn, true, end != WHITE_CANVAS) for drawn, true, end in filled]
    names = dict.fromkeys(name for figures in found for name in figures)
    means = {name: float(np.mean([figures[name] for figures in found if name in figures])) for name in names}
    return {**means, "worst_end_psnr": min(figures["end_psnr"] for figures in found)}


def figures_of(drawn: np.ndarray, wanted: np.ndarray, is_true_between: bool) -> dict[str, float]:
    """The figures of one segment, uint8 (16, H, W, 3)."""
    figures = {
        "end_psnr": worst_psnr(drawn[ENDS], wanted[ENDS]),
        "steady": float(largest_jump(drawn) <= FLICKER),
        "truly_steady": float(largest_jump(wanted) <= FLICKER),
    }
    if is_true_between:
        error = mean_error(drawn[BETWEEN], wanted[BETWEEN])
        baseline = mean_error(cross_faded(wanted)[BETWEEN], wanted[BETWEEN])
        figures |= {"error": error, "cross_fade_error": baseline, "better": float(error < baseline)}
    return figures


def _canvas(data: Pictures, index: int, step: int) -> np.ndarray:
    return tensor_to_pixels(data.canvases(torch.tensor([index]), torch.tensor([float(step)])))[0]


def as_table(figures: dict[str, dict[str, float]]) -> str:
    """Text: one line a figure, one column a set of pictures; the goal, and whether the first set reaches it.

    Whole numbers, such as how many pictures a figure rests on, stand without decimals.
    """
    sets = list(figures)
    names = list(dict.fromkeys(name for some in figures.values() for name in some))
    width = max(map(len, names), default=0)
    lines = [" " * width + "".join(f"  {some:>12}" for some in sets) + f"  {'goal':>8}"]
    for name in names:
        values = [figures[some].get(name) for some in sets]
        line = f"{name:<{width}}" + "".join(f"  {_shown(value):>12}" for value in values)
        if name in GOALS:
            line += f"  {GOALS[name]:>8}"
            if values[0] is not None:
                line += "  reached" if is_reached(name, values[0]) else "  missed"
        lines.append(line)
    return "\n".join(lines)


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"
