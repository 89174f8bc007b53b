"""Finished picture + label map -> DrawingProcess: the one recipe behind vector and raster art alike.

Regions (connected areas of one colour) become strokes, and these the planes of the process. Everything but the result
happens at the working size, twice the picture's, so that lines and edges come out smooth after halving. The sketch is
a function of the shapes, not of chance: a network can learn that; it cannot learn noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage
from scipy.ndimage import gaussian_filter1d
from skimage import measure

from paints_undo.training.process import DrawingProcess

MIN_AREA = 14  # pixels at the working size; anything smaller is anti-aliasing debris and joins its neighbour
INK_RADIUS = 0.022  # a dark region whose inscribed radius is below this share of the width is a pen line, not a fill
INK_DARKNESS = 70  # mean colour below which a region can be ink
LINE_CONTRAST = 16  # colour difference (largest channel, 0..255) that makes two neighbours worth a line
STRUCTURE_AREA = 0.012  # share of the picture from which a region belongs to the big shapes, not to the details
LONGEST_STROKE = 0.55  # of the width; a pen is lifted after that
SKETCHED_LENGTH = 0.16  # of the width; shorter contours are details that a sketch leaves out
SIMPLIFY = 0.018  # of the width: how far a construction stroke may leave the contour
OVERSHOOT = 0.02  # of the width: how far a construction stroke runs past its corner
SMOOTH = 0.014  # of the width: standard deviation of the smoothing along the second pass
FIXED_POINT = 3  # fractional bits of OpenCV's drawing coordinates
SHADED_AREA = 0.006  # share of the picture from which a region is worth a shadow
DARKEST = 60  # brightest channel below which a shadow would not show
REACH = 0.11  # depth of the shadow as a share of the root of the region's area
SHADOW_TINT = np.array([0.74, 0.68, 0.84], np.float32)  # shadows lean to violet
HIGHLIGHT = 0.30
PAPER = 250  # a region at least this bright in all channels needs no paint, so it takes no time either


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


def find_strokes(regions: Regions) -> list[np.ndarray]:
    """Contours of all regions cut into pen strokes, float32 (n, 2) of x, y at the working size, in working order.

    Stretches without a visible line are left out.
    """
    width = regions.index.shape[1]
    lines = line_mask(regions) | regions.ink[regions.index]
    visible = cv2.dilate(lines, np.ones((5, 5), np.uint8)) > 0
    strokes = []
    for number in np.argsort(regions.rank):
        mask = (regions.index == number).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            points = contour[:, 0]
            points = np.roll(points, -int(np.argmin(points[:, 1] + 0.3 * points[:, 0])), axis=0)
            for piece in _split_where_false(points, visible[points[:, 1], points[:, 0]]):
                count = max(1, round(len(piece) / (width * LONGEST_STROKE)))
                strokes += np.array_split(piece.astype(np.float32), count)
    return strokes


def draw_lines(regions: Regions, strokes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Line opacity and its reveal order, both float32 (H, W) in 0..1: borders at pen width, ink at its own."""
    pen = cv2.dilate(line_mask(regions), np.ones((3, 3), np.uint8)).astype(np.float32)
    opacity = np.maximum(cv2.GaussianBlur(pen, (0, 0), 0.7), regions.ink[regions.index])
    return opacity, _reveal_order(strokes, regions.index.shape, 4)


def draw_sketch(regions: Regions, strokes: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sketch opacity and its reveal order, both float32 (H, W) in 0..1: guides, construction strokes, second pass."""
    width = regions.index.shape[1]
    long_enough = [stroke for stroke in strokes if len(stroke) > width * SKETCHED_LENGTH] or strokes
    guides = _guides(regions)
    construction = [line for stroke in long_enough for line in _construction(stroke, width)]
    second = [_smooth(stroke, width) for stroke in long_enough]
    opacity: np.ndarray = np.zeros(regions.index.shape, np.float32)
    for lines, strength in ((guides, 0.45), (construction, 0.50), (second, 0.70)):
        drawn = np.zeros(regions.index.shape, np.uint8)
        cv2.polylines(drawn, [_fixed(line) for line in lines], False, 255, 2, cv2.LINE_AA, FIXED_POINT)
        opacity = opacity + strength * (drawn / np.float32(255)) * (1 - opacity)
    # Guides are fainter than what is drawn over them: where both meet, the later and stronger stroke sets the time.
    return opacity, _reveal_order(guides + construction + second, regions.index.shape, 3, yielding=len(guides))


def _split_where_false(points: np.ndarray, keep: np.ndarray) -> list[np.ndarray]:
    """Runs of points where `keep` holds, without runs too short to be a stroke."""
    cuts = np.flatnonzero(np.diff(keep.astype(np.int8))) + 1
    runs = zip(np.split(points, cuts), np.split(keep, cuts), strict=True)
    return [run for run, wanted in runs if wanted[:1].all() and len(run) >= 6]


def _construction(points: np.ndarray, width: int) -> list[np.ndarray]:
    """Straight strokes along the contour, each running a little past its corners."""
    corners = cv2.approxPolyDP(points[:, None], SIMPLIFY * width, False)[:, 0]
    lines = []
    for begin, end in zip(corners[:-1], corners[1:], strict=True):
        length = float(np.hypot(*(end - begin)))
        past = (end - begin) / max(length, 1) * min(OVERSHOOT * width, 0.3 * length)
        lines.append(np.stack([begin - past, end + past]))
    return lines


def _smooth(points: np.ndarray, width: int) -> np.ndarray:
    """The contour as a quick hand draws it: rounder than it is, with its ends kept."""
    soft = gaussian_filter1d(points, SMOOTH * width, axis=0, mode="nearest")
    return soft[:: max(1, len(soft) // 40)]


def _guides(regions: Regions) -> list[np.ndarray]:
    """An ellipse around the biggest shape and a cross through it, as construction drawings of heads have."""
    candidates = np.flatnonzero(~regions.background & ~regions.ink & (regions.area > 0.03 * regions.index.size))
    if not len(candidates):
        return []
    biggest = candidates[np.argmax(regions.area[candidates])]
    rows, columns = np.nonzero(regions.index == biggest)
    x, y = regions.centre[biggest]
    half_width, half_height = 1.9 * columns.std(), 1.9 * rows.std()  # a filled ellipse's half axis is 2 std
    angle = np.linspace(-np.pi / 2, 1.5 * np.pi, 48)
    ellipse = np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], axis=1)
    upright = np.array([[x, y - half_height * 1.1], [x, y + half_height * 1.1]])
    level = np.array([[x - half_width * 1.1, y], [x + half_width * 1.1, y]])
    return [ellipse, upright, level]


def _reveal_order(lines: list[np.ndarray], shape: tuple[int, int], thickness: int, yielding: int = 0) -> np.ndarray:
    """When each pixel is reached if the lines are drawn one after another: float32 (H, W) 0..1, spread everywhere.

    Where strokes cross, the earliest counts; the first `yielding` lines give way to all others.
    """
    order = np.full(shape, 2, np.float32)
    lengths = np.array([max(1.0, float(np.hypot(*np.diff(line, axis=0).T).sum())) for line in lines] or [1.0])
    ends = np.cumsum(lengths) / lengths.sum()
    timed = list(zip(lines, ends - lengths / lengths.sum(), ends, strict=False))
    for line, begin, end in timed[:yielding] + timed[yielding:][::-1]:
        pieces = min(12, max(1, round((end - begin) * 250)))
        for number in reversed(range(pieces)):
            part = _part(line, number / pieces, (number + 1) / pieces)
            when = begin + (end - begin) * number / pieces
            cv2.polylines(order, [_fixed(part)], False, float(when), thickness, cv2.LINE_8, FIXED_POINT)
    return spread(np.minimum(order, 1), order <= 1)


def _part(line: np.ndarray, begin: float, end: float) -> np.ndarray:
    """The stretch of a polyline between two fractions of its number of segments."""
    at = np.arange(len(line))
    last = len(line) - 1
    wanted = np.unique(np.concatenate([[begin * last], at[(at > begin * last) & (at < end * last)], [end * last]]))
    return np.stack([np.interp(wanted, at, line[:, axis]) for axis in (0, 1)], axis=1)


def _fixed(line: np.ndarray) -> np.ndarray:
    return np.round(np.asarray(line) * (1 << FIXED_POINT)).astype(np.int32)


def cel_shade(final: np.ndarray, regions: Regions, light: int) -> np.ndarray:
    """`final` (uint8 (H, W, 3)) with a hard-edged shadow and a soft highlight in every big region.

    `light` is -1 for light from the left, 1 from the right. A shadow is what a copy of the region, moved away from
    the light, does not cover.
    """
    if light not in (-1, 1):
        raise ValueError(f"light must be -1 (from the left) or 1 (from the right), got {light}")
    size = regions.index.shape[1]
    shadow = np.zeros(regions.index.shape, np.float32)
    highlight = np.zeros(regions.index.shape, np.float32)
    at_the_sides = np.isin(np.arange(len(regions.area)), regions.index[:, [0, -1]])  # hills and skies
    wanted = ~regions.background & ~at_the_sides & (regions.area >= SHADED_AREA * regions.index.size)
    for number in np.flatnonzero(wanted & (regions.colour.max(axis=1) >= DARKEST)):
        mask = (regions.index == number).astype(np.uint8)
        solid = ndimage.binary_fill_holes(mask).astype(np.uint8)  # or the eyes would cast shadows into the face
        reach = max(2.0, REACH * float(regions.area[number]) ** 0.5)
        shadow += mask * (1 - _moved(solid, light * reach, -0.8 * reach))
        core = mask * (cv2.distanceTransform(solid, cv2.DIST_L2, 3) > 0.35 * reach).astype(np.float32)
        lit = _moved(solid, -1.7 * light * reach, 1.7 * reach)
        highlight += core * (1 - cv2.GaussianBlur(lit, (0, 0), 0.5 * reach))
    shadow = cv2.GaussianBlur(shadow, (0, 0), size / 300).clip(0, 1)[..., None]
    highlight = cv2.GaussianBlur((highlight > 0.75).astype(np.float32), (0, 0), size / 250)[..., None] * HIGHLIGHT
    shaded = final * (1 - shadow * (1 - SHADOW_TINT))
    return (shaded + (255 - shaded) * highlight).clip(0, 255).astype(np.uint8)


def _moved(mask: np.ndarray, right: float, down: float) -> np.ndarray:
    matrix = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(mask, matrix, mask.shape[::-1]).astype(np.float32)


def build_process(final: np.ndarray, labels: np.ndarray, light: int = 0) -> DrawingProcess:
    """The drawing process of a picture given at the working size.

    `final` is uint8 (2H, 2W, 3) and `labels` int (2H, 2W); the maps of the result have half that size, H and W.
    `light` -1 or 1 adds cel shading lit from the left or the right to the finished picture, 0 leaves it as it is.
    Raises ValueError for odd sizes and for pictures without any shape.
    """
    height, width = final.shape[:2]
    if height % 2 or width % 2:
        raise ValueError(f"the working size must be even in both directions, got {width} x {height}; scale by 2")
    regions = find_regions(final, labels)
    if light:
        final = cel_shade(final, regions, light)
    strokes = find_strokes(regions)
    sketch, sketch_order = draw_sketch(regions, strokes)
    line, line_order = draw_lines(regions, strokes)
    flat_order, shade_order = _fill_orders(regions)
    return DrawingProcess(
        final=_halve(final),
        flat=_halve(regions.colour[regions.index].astype(np.uint8)),
        sketch=_to_bytes(_halve(sketch)),
        line=_to_bytes(_halve(line)),
        sketch_order=_to_bytes(sketch_order[::2, ::2]),
        line_order=_to_bytes(line_order[::2, ::2]),
        flat_order=_to_bytes(flat_order[::2, ::2]),
        shade_order=_to_bytes(_halve(shade_order)),
    )


def _fill_orders(regions: Regions) -> tuple[np.ndarray, np.ndarray]:
    """When each pixel gets its flat colour and its shading, float32 (H, W) in 0..1.

    Regions follow one another in working order, each for a time that grows with the root of its area; inside a
    region the brush sweeps down in diagonal bands (flat) or in one soft movement (shading).
    """
    paper = regions.colour.min(axis=1) >= PAPER
    effort = np.where(paper, 1e-3, np.sqrt(regions.area))
    in_order = effort[np.argsort(regions.rank)]
    begins = (np.cumsum(in_order) / effort.sum() - in_order / effort.sum()).astype(np.float32)
    begin, share = begins[regions.rank], (effort / effort.sum()).astype(np.float32)

    places: np.ndarray = np.indices(regions.index.shape, np.float32)
    rows, columns = places[0], places[1]
    height, width = regions.index.shape
    wave = 0.012 * height * np.sin(columns * (12 / width))
    flat = _sweep(rows + 0.5 * columns + wave, regions.index)
    flat = 0.7 * np.round(flat * 6) / 6 + 0.3 * flat
    shade = _sweep(rows - 0.4 * columns, regions.index)
    return tuple(begin[regions.index] + share[regions.index] * sweep for sweep in (flat, shade))


def _sweep(front: np.ndarray, index: np.ndarray) -> np.ndarray:
    """`front` rescaled to 0..1 inside every region."""
    front, numbers = front.astype(np.float32), np.arange(index.max() + 1)
    lowest, highest = ndimage.minimum(front, index, numbers), ndimage.maximum(front, index, numbers)
    return (front - lowest[index]) / np.maximum(highest - lowest, 1e-6)[index]


def _halve(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (picture.shape[1] // 2, picture.shape[0] // 2), interpolation=cv2.INTER_AREA)


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values * 255), 0, 255).astype(np.uint8)
