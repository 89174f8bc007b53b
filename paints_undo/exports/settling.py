"""What the small frames tell about the large ones: true colours, steady pixels, and when each pixel is done.

A pixel is done with the last frame in which it differs from the finished picture by more than the eye would notice;
from then on its detail and colour come from the artwork.  Since that is one moment for each pixel, found once from all
frames, nothing can flicker between two sources.  Where a frame shows the artwork's outlines in other colours (line art,
flats), the share of the artwork's detail that it has is a local regression, as in the guided filter (He, Sun, Tang:
Guided Image Filtering, ECCV 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paints_undo.exports.curves import lab_of

NOTICEABLE = 9.0  # CIELAB distance under which a blurred pixel counts as done
NEARLY_WHITE = 0.4  # ... or this share of the finished colour's distance from white, where that is less
LEAST_DISTANCE = 2.5
LEFT_OUT = 0.6  # a last frame further from the finished colour than this share of its distance from white lacks it
INK = 8.0  # CIELAB distance from white of what counts as painted
STILL, MOVING = 3.0, 12.0  # grey levels: a change up to the first is decoder noise, from the second on the picture's
DETAIL_NOISE = 1.5  # standard deviation of L* below which the artwork has no detail to follow
EDGE_NOISE = 4.0  # the same for the moment at which a pixel is done


@dataclass(frozen=True)
class Settling:
    """About n small frames, first stroke first; h and w are theirs."""

    frames: np.ndarray  # uint8 (n, h, w, 3): colours matched, noise held still
    detail: np.ndarray  # uint8 (n, h, w): share of the artwork's detail that each pixel shows, 255 for all
    done: np.ndarray  # float32 (2, h, w): slope and intercept over the artwork's L*: the frame at which a pixel is done


def settle(frames: np.ndarray, finished: np.ndarray) -> Settling:
    """Compare frames uint8 (n, h, w, 3) with the finished picture of the same size, uint8 (h, w, 3)."""
    radius = 2 if max(finished.shape) < 200 else 4
    steady = hold_still(match_colours(frames, finished))
    target, reached = lab_of(finished), lab_of(steady[-1])
    light = target[..., 0]
    mean, variance = _mean_and_variance(light, radius)
    from_white = np.linalg.norm(target - (100, 0, 0), axis=-1)
    tolerance = np.clip(NEARLY_WHITE * cv2.GaussianBlur(from_white, (0, 0), 0.8), LEAST_DISTANCE, NOTICEABLE)
    done, painted = np.zeros(light.shape, np.float32), np.full(light.shape, len(frames), np.float32)
    detail = np.empty(frames.shape[:3], np.uint8)
    window = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    # A decoder never reaches the artwork itself: what looks like its last frame is done, too, unless that has only
    # left a pale colour out.
    left_out = _distance(reached, target) > LEFT_OUT * from_white
    for number, frame in enumerate(steady):
        lab = lab_of(frame)
        away = _distance(lab, target)
        away = np.where(left_out, away, np.minimum(away, _distance(lab, reached)))
        done[away > tolerance] = number + 1
        ink = cv2.dilate(np.linalg.norm(lab - (100, 0, 0), axis=-1).astype(np.float32), window)
        painted[(ink > INK) & (painted == len(frames))] = number
        together = _box(lab[..., 0] * light, radius) - _box(lab[..., 0], radius) * mean
        detail[number] = np.clip(together / (variance + DETAIL_NOISE**2), 0, 1) * 255
    moment = _with_neighbours(np.maximum(done, painted), painted == len(frames)).clip(0, len(frames) - 1)
    moment = cv2.medianBlur(moment, 5)
    slope = (_box(moment * light, radius) - _box(moment, radius) * mean) / (variance + EDGE_NOISE**2)
    intercept = _box(moment, radius) - slope * mean
    return Settling(steady, detail, np.stack([_box(slope, radius), _box(intercept, radius)]))


def match_colours(frames: np.ndarray, finished: np.ndarray) -> np.ndarray:
    """The frames with white as white, and the last one with the finished picture's contrast in each channel.

    A video decoder shifts brightness and colour by a little, the same in all frames.
    """
    white = np.median(frames[0].reshape(-1, 3), axis=0).clip(235, 255)
    seen, wanted = white - frames[-1].astype(np.float32), 255 - finished.astype(np.float32)
    alike = (np.minimum(seen, wanted) > 25).all(-1) & (np.abs(seen - wanted) < 40).all(-1)
    gains = np.median(wanted[alike] / seen[alike], axis=0) if alike.sum() > 50 else np.ones(3)
    common = np.clip(np.median(gains), 0.85, 1.15)
    gains = common * np.clip(gains / common, 0.96, 1.04)  # a stronger tint is the picture's, not the decoder's
    ink = (white - np.arange(256)[:, None]).clip(0) * gains
    ink = ink**3 / (ink**2 + 9)  # what is nearly white is canvas
    table = (255 - ink).clip(0, 255).round().astype(np.uint8)[:, None]
    return cv2.LUT(np.ascontiguousarray(frames).reshape(-1, frames.shape[2], 3), table).reshape(frames.shape)


def hold_still(frames: np.ndarray) -> np.ndarray:
    """The frames without the decoder's noise: a pixel keeps its value until its surroundings really change."""
    steady, shown = np.empty_like(frames), frames[0].astype(np.float32)
    for number, frame in enumerate(frames):
        change = frame - shown
        moved = cv2.GaussianBlur(np.abs(change).max(-1), (0, 0), 1.0)
        shown = shown + change * ((moved - STILL) / (MOVING - STILL)).clip(0, 1)[..., None]
        steady[number] = shown.round()
    return steady


def _distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return np.linalg.norm(cv2.GaussianBlur(first - second, (0, 0), 0.8), axis=-1)


def _box(values: np.ndarray, radius: int) -> np.ndarray:
    side = 2 * radius + 1
    return cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT)


def _mean_and_variance(values: np.ndarray, radius: int) -> tuple[np.ndarray, np.ndarray]:
    mean = _box(values, radius)
    return mean, (_box(values * values, radius) - mean * mean).clip(0)


def _with_neighbours(moment: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """The moments, where blank those of the nearest pixel that is not: bare canvas is done with what it surrounds."""
    if blank.all() or not blank.any():
        return moment
    labels = cv2.distanceTransformWithLabels(blank.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    known = np.zeros(labels.max() + 1, np.float32)
    known[labels[~blank]] = moment[~blank]
    return known[labels]
