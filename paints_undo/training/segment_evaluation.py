"""How good the segments are on held-out pictures: ends, error in between against cross-fading, flicker; and strips."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from paints_undo.pictures.tensors import tensor_to_pixels
from paints_undo.training.dataset import Pictures
from paints_undo.training.segment_clips import APP_STEPS, VIDEO_LENGTH, WHITE_CANVAS, draw_frames

Fill = Callable[[Sequence[np.ndarray]], np.ndarray]
"""Pictures uint8 (H, W, 3), the artwork first -> the frames between neighbours, uint8 (n - 1, 16, H, W, 3)."""

STILL = 0.25  # grey levels of mean change between frames below which no eye sees flicker
FLICKER = 3.0  # a change so many times the segment's median is a jump


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


def error_between(drawn: np.ndarray, wanted: np.ndarray) -> float:
    """Mean absolute error in grey levels (0..255) of all frames but the two ends; both uint8 (16, H, W, 3)."""
    return float(np.abs(drawn[1:-1].astype(np.float32) - wanted[1:-1]).mean())


def end_psnr(drawn: np.ndarray, wanted: np.ndarray) -> float:
    """The worse of the first and the last frame, in decibels."""
    errors = [np.square(drawn[i].astype(np.float32) - wanted[i]).mean() for i in (0, -1)]
    return float(10 * np.log10(255**2 / max(*errors, 1e-6)))


def largest_jump(segment: np.ndarray) -> float:
    """The largest change from frame to frame as a multiple of the segment's median change.

    Changes are mean absolute differences in grey levels; a median below STILL counts as STILL.
    """
    changes = np.abs(np.diff(segment.astype(np.float32), axis=0)).mean((1, 2, 3))
    return float(changes.max() / max(np.median(changes), STILL))


def evaluate_segments(fill: Fill, data: Pictures, count: int = 8) -> dict[str, dict[str, float]]:
    """Figures for each of the app's segments ("0-400", ...) and for "all", means over `count` held-out pictures.

    `end_psnr` and `worst_end_psnr` in decibels; `error` and `cross_fade_error` in grey levels (not for the segment to
    the white canvas, for which nothing is the truth); `better` the share of segments with less error than cross-fading;
    `steady` the share without a change above FLICKER times the median, `truly_steady` the same of the true frames.
    """
    found: dict[str, list[dict[str, float]]] = {}
    for picture in range(min(count, len(data))):
        wanted = true_segments(data, picture)
        drawn = fill(keyframes_of(wanted))
        for number, (begin, end) in enumerate(zip(APP_STEPS, APP_STEPS[1:], strict=False)):
            name = f"{begin}-{'white' if end == WHITE_CANVAS else end}"
            found.setdefault(name, []).append(figures_of(drawn[number], wanted[number], end != WHITE_CANVAS))
    found["all"] = [figures for some in list(found.values()) for figures in some]
    return {name: summary(some) for name, some in found.items()}


def figures_of(drawn: np.ndarray, wanted: np.ndarray, is_true_between: bool) -> dict[str, float]:
    """The figures of one segment, uint8 (16, H, W, 3)."""
    figures = {
        "end_psnr": end_psnr(drawn, wanted),
        "steady": float(largest_jump(drawn) <= FLICKER),
        "truly_steady": float(largest_jump(wanted) <= FLICKER),
    }
    if is_true_between:
        error, baseline = error_between(drawn, wanted), error_between(cross_faded(wanted), wanted)
        figures |= {"error": error, "cross_fade_error": baseline, "better": float(error < baseline)}
    return figures


def summary(some: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means of all figures, over those segments that have them, and the worst end."""
    names = dict.fromkeys(name for figures in some for name in figures)
    means = {name: float(np.mean([f[name] for f in some if name in f])) for name in names}
    return {**means, "worst_end_psnr": min(figures["end_psnr"] for figures in some)}
