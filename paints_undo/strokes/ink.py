"""The lines of a picture: where they run, how wide they are, and how much of each pixel is ink."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.spatial import cKDTree
from skimage.filters import apply_hysteresis_threshold
from skimage.morphology import remove_small_objects, skeletonize

TOP_HATS = (1 / 700, 1 / 400, 1 / 280)  # radii that lines have, of the longer side
FAINT, SURE = 13, 41  # grey levels by which a line is darker than what lies around it
OF_THE_STRONGEST = 0.46  # lower and lines come out twice as fat
RIM = 1 / 220  # within which a dark place ends, of the longer side
STEP, DARK = 50, 110  # grey levels between something dark that is outlined and what lies beside it, and its own at most
GAP = 1 / 40  # the longest gap that two line ends bridge, of the longer side


@dataclass
class Ink:
    """mask: bool (H, W).  alpha: uint8 (H, W).  clean: uint8 (H, W, 3), the colours under the lines.

    lines: each float32 (n, 2), x and y along the middle of a line.
    """

    mask: np.ndarray
    alpha: np.ndarray
    clean: np.ndarray
    lines: list[np.ndarray]


def ellipse(size: float) -> np.ndarray:
    """A round kernel of odd size."""
    odd = max(1, int(size)) | 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (odd, odd))


def nearest_place(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For every pixel the distance to the nearest pixel of a mask, and that pixel's flat index."""
    distance, labels = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    places = np.zeros(int(labels.max()) + 1, np.int64)
    places[labels[mask]] = np.flatnonzero(mask)
    return distance, places[labels]


def find_ink(artwork: np.ndarray, keep_whole: np.ndarray | None = None) -> Ink:
    """The ink of a picture, uint8 RGB. keep_whole: bool (H, W), places whose wide darks are ink too (eyes)."""
    side = max(artwork.shape[:2])
    light = cv2.cvtColor(artwork, cv2.COLOR_RGB2LAB)[..., 0]
    strength = np.zeros_like(light)
    for radius in TOP_HATS:
        closed = cv2.morphologyEx(light, cv2.MORPH_CLOSE, ellipse(2 * round(2.2 * radius * side) + 1))
        strength = np.maximum(strength, closed - light)
    near = cv2.dilate(strength, ellipse(side / 150))
    mask = apply_hysteresis_threshold(strength, FAINT, SURE) & (strength > OF_THE_STRONGEST * near)
    rim = _rims(light)
    mask = remove_small_objects(mask | (rim > 127), max_size=int((side / 110) ** 2), connectivity=2)
    if not mask.any():
        return Ink(mask, np.zeros_like(light), artwork.copy(), [])
    skeleton = skeletonize(mask)
    fat = cv2.dilate(mask.astype(np.uint8), ellipse(3 + 2 * round(side / 900))) > 0
    _, source = nearest_place(~fat)
    under = cv2.medianBlur(artwork.reshape(-1, 3)[source], max(3, int(side / 250) | 1))
    clean = np.where(fat[..., None], under, artwork)
    alpha = _matte(artwork, light, clean, fat, skeleton, keep_whole)
    alpha = np.maximum(alpha, np.where(fat, rim, np.uint8(0)))
    ink = Ink(mask, alpha, clean, trace(skeleton))
    _close_gaps(ink)
    return ink


def _rims(light: np.ndarray) -> np.ndarray:
    """How much of each pixel is the outline of something dark, uint8 (H, W): what is drawn before it is filled."""
    side = max(light.shape)
    near = ellipse(2 * max(1, round(side * RIM)) + 1)
    highest, lowest = (how(light, near).astype(np.float32) for how in (cv2.dilate, cv2.erode))
    step = highest - lowest
    part = np.where((step > STEP) & (lowest < DARK), (highest - light) / np.maximum(step, 1), 0)
    inside = cv2.distanceTransform((part > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    return np.rint(255 * part * np.clip(_half_width(side) + 0.5 - inside, 0, 1)).astype(np.uint8)


def _half_width(side: int) -> float:
    """Of the widest lines, pixels: a dark fold is a shadow to paint, not a line."""
    return max(1.4, side / 330)


def _matte(
    artwork: np.ndarray,
    light: np.ndarray,
    clean: np.ndarray,
    fat: np.ndarray,
    skeleton: np.ndarray,
    keep_whole: np.ndarray | None,
) -> np.ndarray:
    """How much of each pixel is ink: the picture is ink over what is clean, and ink is as dark as its middle."""
    side = max(light.shape)
    distance, source = nearest_place(skeleton)
    dark = cv2.erode(light, np.ones((3, 3), np.uint8)).ravel()[source].astype(np.float32)
    around = cv2.GaussianBlur(cv2.cvtColor(clean, cv2.COLOR_RGB2LAB)[..., 0], (0, 0), 0.8).astype(np.float32)
    dark = np.minimum(dark, around - 20)
    alpha = np.clip((around - light) / (around - dark), 0, 1) * fat
    alpha = np.clip((alpha - 0.08) / 0.84, 0, 1)
    thin = np.clip(_half_width(side) + 0.7 - distance, 0, 1)  # wide places keep a thin line along their middle
    if keep_whole is not None:
        thin = np.maximum(thin, keep_whole)
    return np.round(alpha * thin * 255).astype(np.uint8)


def trace(skeleton: np.ndarray, shortest: int = 5) -> list[np.ndarray]:
    """Polylines, float32 (n, 2), along a skeleton: from its ends first, straight on at crossings."""
    padded = np.pad(skeleton, 1).astype(np.uint8)
    width = padded.shape[1]
    ring = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)
    neighbours = cv2.filter2D(padded, -1, ring, borderType=cv2.BORDER_CONSTANT) * padded
    alive = bytearray(padded.tobytes())
    around = [(x + y * width, y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y]
    lines = []
    for start in np.flatnonzero(neighbours == 1).tolist() + np.flatnonzero(padded).tolist():
        if not alive[start]:
            continue
        alive[start] = 0
        place, path, dy, dx = start, [start], 0.0, 0.0
        while True:
            ways = [
                (y * dy + x * dx - 0.1 * (y * y + x * x), place + o, y, x) for o, y, x in around if alive[place + o]
            ]
            if not ways:
                break
            ahead, place, y, x = max(ways)
            if len(path) > 8 and ahead < -0.5:  # never turn back sharply
                break
            dy, dx = 0.75 * dy + 0.25 * y, 0.75 * dx + 0.25 * x
            alive[place] = 0
            path.append(place)
        if len(path) >= shortest:
            flat = np.array(path)
            lines.append(np.stack([flat % width - 1, flat // width - 1], 1).astype(np.float32))
    return lines


def near_ends(lines: list[np.ndarray], back: int, gap: float) -> tuple[np.ndarray, ...]:
    """The ends of lines, (2n, 2), and which pairs of them are near each other.

    back: points of a line that tell the way it leads on.  The ways, (2n, 2); of each pair both numbers, the distance,
    and the cosines, (2, m), between each one's way and the way to the other.
    """
    ends = np.concatenate([[line[0], line[-1]] for line in lines])
    ways = np.concatenate(
        [[line[0] - line[min(len(line) - 1, back)], line[-1] - line[-back - 1 :][0]] for line in lines]
    )
    ways = ways / np.maximum(1e-6, np.hypot(*ways.T))[:, None]
    first, second = cKDTree(ends).query_pairs(gap, output_type="ndarray").T
    between = ends[second] - ends[first]
    length = np.hypot(*between.T)
    unit = between / np.maximum(length, 1e-6)[:, None]
    ahead = np.stack([(ways[first] * unit).sum(1), (ways[second] * -unit).sum(1)])
    return ends, ways, first, second, length, ahead


def _close_gaps(ink: Ink) -> None:
    """Join line ends that point at each other by a thin curve, in the matte and in the mask that parts regions."""
    lines = [line for line in ink.lines if len(line) >= 8]
    if len(lines) < 2:
        return
    side = max(ink.mask.shape)
    ends, ways, first, second, length, ahead = near_ends(lines, 9, side * GAP)
    facing = (ahead[0] > 0.72) & (ahead[1] > 0.72) & (length > 1.5)
    used: set[int] = set()
    bridge = np.zeros(ink.mask.shape, np.uint8)
    t = np.linspace(0, 1, 6)[:, None]
    for k in np.flatnonzero(facing)[np.argsort(length[facing], kind="stable")]:
        a, b = int(first[k]), int(second[k])
        if a in used or b in used:
            continue
        used |= {a, b}
        reach = length[k] * 0.35
        p, q = ends[a] + ways[a] * reach, ends[b] + ways[b] * reach
        curve = (1 - t) ** 3 * ends[a] + 3 * (1 - t) ** 2 * t * p + 3 * (1 - t) * t**2 * q + t**3 * ends[b]
        cv2.polylines(
            bridge, [np.round(curve * 16).astype(np.int32)], False, 255, max(1, round(side / 900)), cv2.LINE_AA, 4
        )
    # a bridge is ink where the picture is darker there at all; elsewhere it only parts regions
    ink.mask |= bridge > 100
