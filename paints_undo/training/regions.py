"""Label map -> regions: connected areas of one colour, what is ink, and in which order they are worked on.

Everything here happens at the working size, twice the picture's, so that lines and edges come out smooth after
halving.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage
from skimage import measure

MIN_AREA = 14  # pixels at the working size; anything smaller is anti-aliasing debris and joins its neighbour
INK_RADIUS = 0.022  # a dark region whose inscribed radius is below this share of the width is a pen line, not a fill
INK_DARKNESS = 70  # mean colour below which a region can be ink
LINE_CONTRAST = 16  # colour difference (largest channel, 0..255) that makes two neighbours worth a line
STRUCTURE_AREA = 0.012  # share of the picture from which a region belongs to the big shapes, not to the details


@dataclass(frozen=True)
class Regions:
    """Connected regions of one picture at the working size.

    `index` int32 (H, W) numbers each pixel's region 0 to n-1; the other arrays have one row a region: `area` (pixels),
    `centre` (x, y), `colour` (median, 0..255), `ink`, `background` (bool) and `rank` (0 is worked on first).
    """

    index: np.ndarray
    area: np.ndarray
    centre: np.ndarray
    colour: np.ndarray
    ink: np.ndarray
    background: np.ndarray
    rank: np.ndarray


def find_regions(final: np.ndarray, labels: np.ndarray) -> Regions:
    """Regions of `final` (uint8 (H, W, 3)) from a label map (int (H, W), equal labels may form several regions).

    Raises ValueError when sizes differ or the picture is one single region, for there is nothing to draw then.
    """
    if final.shape[:2] != labels.shape:
        raise ValueError(f"the label map must have the picture's size {final.shape[:2]}, got {labels.shape}")
    index = _drop_specks(measure.label(labels, background=-1, connectivity=1) - 1)
    count = int(index.max()) + 1
    if count < 2:
        raise ValueError("the picture is one single region: there is no shape to draw; pass a picture with edges")
    area = np.bincount(index.ravel(), minlength=count)
    rows, columns = np.indices(index.shape)
    centre = np.stack([np.bincount(index.ravel(), axis.ravel()) / area for axis in (columns, rows)], axis=1)
    colour, radius = _colours_and_radii(final, index, count)
    ink = (colour.mean(axis=1) < INK_DARKNESS) & (radius < INK_RADIUS * index.shape[1])
    # a region that reaches the top edge, or the left and the right one
    top, left, right = (np.isin(np.arange(count), edge) for edge in (index[0], index[:, 0], index[:, -1]))
    background = top | (left & right)
    rank = _working_order(area / index.size, centre / index.shape[0], background)
    return Regions(index, area, centre, colour, ink, background, rank)


def line_mask(regions: Regions) -> np.ndarray:
    """Where two regions of clearly different colour meet and neither is ink: uint8 (H, W) of 0 and 1."""
    mask = np.zeros(regions.index.shape, np.uint8)
    for before, after in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        first, second = regions.index[before], regions.index[after]
        contrast = np.abs(regions.colour[first] - regions.colour[second]).max(axis=-1) > LINE_CONTRAST
        mask[before] |= (first != second) & contrast & ~regions.ink[first] & ~regions.ink[second]
    return mask


def spread(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """`values` with every pixel outside the bool mask `known` replaced by the nearest known pixel's value."""
    if known.all() or not known.any():
        return values
    _, nearest = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(nearest.max()) + 1, values.dtype)
    table[nearest[known]] = values[known]
    return np.where(known, values, table[nearest])


def _drop_specks(index: np.ndarray) -> np.ndarray:
    kept = np.bincount(index.ravel()) >= MIN_AREA
    renumbered = np.maximum(np.cumsum(kept) - 1, 0).astype(np.int32)
    return spread(renumbered[index], kept[index])


def _colours_and_radii(final: np.ndarray, index: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    kernel = np.ones((3, 3), np.uint8)
    inner = cv2.dilate(index.astype(np.float32), kernel) == cv2.erode(index.astype(np.float32), kernel)
    depth = cv2.distanceTransform(inner.astype(np.uint8), cv2.DIST_L2, 3)
    radius = np.asarray(ndimage.maximum(depth, index, np.arange(count)))
    colour = np.full((count, 3), 255, np.float32)
    for number, box in enumerate(ndimage.find_objects(index + 1)):
        mine = index[box] == number
        core = mine & inner[box]  # away from the border the colour is free of anti-aliasing
        colour[number] = np.median(final[box][core if core.sum() > 8 else mine], axis=0)
    return colour, radius


def _working_order(area: np.ndarray, centre: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Rank of each region: big shapes from top to bottom, then the background, then the details from top to bottom.

    Size enters only through this one threshold, so that the order can be guessed from a glance at the picture.
    """
    group = np.where(background, 1, np.where(area >= STRUCTURE_AREA, 0, 2))
    order = np.lexsort((centre[:, 1] + 0.25 * centre[:, 0], group))
    return np.argsort(order).astype(np.int32)
