"""When each part of a picture was painted, as colours over the picture: early blue, late yellow."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from paints_undo.exports.curves import lab_of, painted
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.settling import hold_still, match_colours
from paints_undo.exports.source import Source, packed

MAP = cv2.COLORMAP_VIRIDIS  # equally spaced to the eye, also without colour vision
STRENGTH = 0.8  # of the colours over the grey picture
BAR_SHARE = 18  # the picture's height divided by this is the legend's
NEW = 12.0  # CIELAB distance of a change that counts as painting
SIDE = 1600  # pixels of the longer side, where the person chooses none


def write_heat_map(source: Source, path: Path, options: ExportOptions) -> None:
    """PNG: when each part of the picture was painted."""
    size = source.sized(options.longest_side or SIDE)
    frames, finished = source.measured()
    times = painting_times(hold_still(match_colours(frames, finished)))
    placement = source.fit.placement((frames.shape[2], frames.shape[1])).of_resized(source.size, size)
    (sx, sy), (ox, oy) = placement.scale, placement.offset
    matrix = np.array([[sx, 0, 0.5 * sx + ox - 0.5], [0, sy, 0.5 * sy + oy - 0.5]])
    enlarged = cv2.warpAffine(
        times, matrix, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    artwork = cv2.resize(source.artwork, size, interpolation=cv2.INTER_AREA)
    drawn = heat_map(_smooth(enlarged, 1 / sx), artwork)
    source.write(path, packed(drawn, "PNG", optimize=True), "heat map")


def painting_times(frames: np.ndarray) -> np.ndarray:
    """When each pixel of frames uint8 (n, h, w, 3) was painted: the mean moment of its changes, float32 (h, w) 0..1.

    NaN where nothing was painted at all.
    """
    before = lab_of(frames[0])
    weight = np.linalg.norm(before - (100, 0, 0), axis=-1) * painted(before)
    moments, weights = np.zeros_like(weight), weight.copy()
    for number, frame in enumerate(frames[1:], start=1):
        now = lab_of(frame)
        change = np.linalg.norm(now - before, axis=-1)
        # small steps add up until they count: a soft fade is painting, too
        counted = change > NEW
        before = np.where(counted[..., None], now, before)
        moments += np.where(counted, change * (number / max(1, len(frames) - 1)), 0)
        weights += np.where(counted, change, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weights > 0, moments / weights, np.nan).astype(np.float32)


def heat_map(times: np.ndarray, artwork: np.ndarray) -> np.ndarray:
    """The times (H, W) as colours over the grey artwork uint8 (H, W, 3) of the same size, with a legend below."""
    height, width = artwork.shape[:2]
    grey = cv2.cvtColor(cv2.cvtColor(artwork, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).astype(np.float32)
    known = np.isfinite(times)
    levels = (np.where(known, times, 0) * 255).round().clip(0, 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(levels, MAP), cv2.COLOR_BGR2RGB).astype(np.float32)
    shaded = colours * (0.45 + 0.55 * grey / 255)
    share = (STRENGTH * known.astype(np.float32))[..., None]
    picture = (255 - (255 - grey) * 0.5) * (1 - share) + shaded * share
    return np.concatenate([picture.round().astype(np.uint8), _legend(width, max(24, height // BAR_SHARE))])


def _smooth(times: np.ndarray, radius: float) -> np.ndarray:
    """Without the steps of the small pixels; NaN stays apart."""
    known = np.isfinite(times).astype(np.float32)
    spread, share = (
        cv2.GaussianBlur(plane, (0, 0), max(0.5, radius / 2)) for plane in (np.nan_to_num(times) * known, known)
    )
    return np.where(share > 0.5, spread / np.maximum(share, 1e-6), np.nan)


def _legend(width: int, height: int) -> np.ndarray:
    canvas = Image.new("RGB", (width, height), "white")
    font = ImageFont.load_default(max(9, height // 2))
    draw = ImageDraw.Draw(canvas)
    words, margin = ("first", "last"), height // 2
    left, right = (round(draw.textlength(word, font)) + 2 * margin for word in words)
    for word, x, anchor in ((words[0], margin, "lm"), (words[1], width - margin, "rm")):
        draw.text((x, height // 2), word, fill="#333", font=font, anchor=anchor)
    bar = max(1, width - left - right)
    ramp = np.linspace(0, 255, bar).round().astype(np.uint8)[None].repeat(max(1, height // 3), 0)
    colours = cv2.cvtColor(cv2.applyColorMap(ramp, MAP), cv2.COLOR_BGR2RGB)
    canvas.paste(Image.fromarray(colours), (left, height // 3))
    return np.asarray(canvas)
