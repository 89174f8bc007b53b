"""What is in a picture: its lines, its areas, its face, what is figure and what is ground, and how to draw it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.strokes.face import Face, find_face
from paints_undo.strokes.ink import Ink, ellipse, find_ink
from paints_undo.strokes.regions import PAPER, Regions, find_regions
from paints_undo.strokes.tags import DRAWN, NOBODY, PAINTED, PEOPLE, leaning

ROUTES = ("illustration", "painting")
SPECK = 8  # grey levels darker than white: more is a mark on paper
BORDER = 0.74  # of the score between a painting and an illustration
TAGGED = 0.15  # of the score, where tags speak for one of them
SKIN, EYES, HAIR, THINGS, GROUND = range(5)  # what a flat shows, in the order in which it is painted
KINDS = ("skin", "eyes", "hair", "clothes and things", "background")
FACE, HEAD, FIGURE, BEHIND = range(4)  # where a place is, in the order in which it is drawn


@dataclass
class Findings:
    """artwork: uint8 (H, W, 3).  kinds: what each flat shows.  middles: float (n, 2), x and y of each flat.

    figure: bool (H, W).  zone: uint8 (H, W), FACE to BEHIND.
    """

    artwork: np.ndarray
    route: str
    reason: str
    ink: Ink
    regions: Regions
    face: Face | None
    kinds: np.ndarray
    middles: np.ndarray
    figure: np.ndarray
    zone: np.ndarray
    focus: np.ndarray

    @property
    def side(self) -> int:
        """The longer side, pixels."""
        return max(self.figure.shape)

    def zones_at(self, points: np.ndarray) -> np.ndarray:
        """The zone of each of some places, (n, 2)."""
        height, width = self.zone.shape
        x, y = np.clip(np.asarray(points).round().astype(int), 0, (width - 1, height - 1)).T
        return self.zone[y, x]


def look(artwork: np.ndarray, route: str = "auto", tags: str = "") -> Findings:
    """Everything that a plan needs to know of an artwork, uint8 RGB (H, W, 3). tags: what `telling` gives of them."""
    face = find_face(artwork, leaning(tags, PEOPLE, NOBODY))
    chosen, reason = decide(artwork, tags) if route == "auto" else (route, "chosen by hand")
    if chosen == "painting":
        ink = find_ink(artwork)
        ink = Ink(np.zeros_like(ink.mask), np.zeros_like(ink.alpha), artwork, ink.lines)
    else:
        ink = find_ink(artwork, None if face is None else _eyes(face, artwork.shape[:2]))
    regions = find_regions(artwork, ink, face)
    if chosen == "illustration" and ink.lines:
        _ink_on_paper(artwork, ink, regions)
    middles = _middles(regions.flats)
    ground = _ground(regions, middles, face)
    figure = ~ground[regions.flats]
    if figure.mean() < 0.04:
        figure[:] = True
    kinds = _kinds(regions, middles, ground, face)
    height, width = figure.shape
    focus = np.array([0.5 * width, 0.42 * height]) if face is None else face.middle
    zone = _zones(figure, face)
    return Findings(artwork, chosen, reason, ink, regions, face, kinds, middles, figure, zone, focus)


def _ink_on_paper(artwork: np.ndarray, ink: Ink, regions: Regions) -> None:
    """What is neither paper nor painted, where paper is left, is ink as well: hatching, dots, the edges of lines."""
    paper = regions.flat_colour.min(1)[regions.flats] >= PAPER
    dark = 255 - artwork.min(2)
    marks = np.where(paper & (dark > SPECK), dark, 0).astype(np.uint8)
    np.maximum(ink.alpha, marks, out=ink.alpha)


def _eyes(face: Face, shape: tuple[int, int]) -> np.ndarray:
    """Bool (H, W): around the eyes."""
    mask = np.zeros(shape, np.uint8)
    lean = float(np.degrees(np.arctan2(face.along[1], face.along[0])))
    for x, y in face.eyes:
        size = (0.8 * face.distance, 0.6 * face.distance)
        cv2.ellipse(mask, ((float(x), float(y)), size, lean), 1, -1)
    return mask > 0


def _middles(flats: np.ndarray) -> np.ndarray:
    ys, xs = np.indices(flats.shape)
    count = np.bincount(flats.ravel())
    return np.stack([np.bincount(flats.ravel(), axis.ravel()) / count for axis in (xs, ys)], 1)


def _ground(regions: Regions, middles: np.ndarray, face: Face | None) -> np.ndarray:
    """Which flats are background: what lies along the top and upper sides, and what reaches the rim there for long."""
    flats, area = regions.flats, regions.flat_area
    height, width = flats.shape
    rim = np.concatenate([flats[0], flats[: int(0.7 * height), 0], flats[: int(0.7 * height), -1]])
    along = np.bincount(rim, minlength=len(area))
    ground = (along > 0.06 * len(rim)) | ((along > 0.25 * np.sqrt(area)) & (area < 0.05 * flats.size))
    lab = lab_of(regions.flat_colour)
    large = np.flatnonzero(ground & (area > 0.02 * flats.size))
    if len(large):  # background that is seen through gaps
        alike = np.linalg.norm(lab[:, None] - lab[large], axis=2).min(1) < 4
        ground |= alike & (area < 0.02 * flats.size)
    spans = np.array([box[1].stop - box[1].start for box in ndimage.find_objects(flats + 1)])
    ground |= (spans > 0.93 * width) & (middles[:, 1] > 0.7 * height)  # a floor, a table
    if face is not None:
        offset = middles - face.middle
        inside = np.abs(offset @ face.along) < 1.2 * face.distance
        inside &= np.abs(offset @ face.down) < 1.5 * face.distance
        ground &= ~(inside & (area < 0.2 * flats.size))
        ground[_cheek(regions, face)] = False
    return ground


def _cheek(regions: Regions, face: Face) -> int:
    """The flat between nose and mouth."""
    height, width = regions.flats.shape
    x, y = np.clip((face.middle + face.down * 0.45 * face.distance).round().astype(int), 0, (width - 1, height - 1))
    return int(regions.flats[y, x])


def _kinds(regions: Regions, middles: np.ndarray, ground: np.ndarray, face: Face | None) -> np.ndarray:
    kinds = np.where(ground, GROUND, THINGS)
    if face is None:
        return kinds
    area, cheek = regions.flat_area, _cheek(regions, face)
    lab = lab_of(regions.flat_colour)
    unlike = np.linalg.norm((lab - lab[cheek]) * (0.35, 1, 1), axis=1)
    skin = unlike < np.where(area < 0.8 * area[cheek], 11, 5.5)
    kinds[skin & ~ground & (lab[:, 0] > 35)] = SKIN
    away = np.hypot(*(middles - face.middle).T) / face.distance
    kinds[(kinds == THINGS) & (away < 2.2) & (middles[:, 1] < face.middle[1] + 1.2 * face.distance)] = HAIR
    kinds[cheek] = SKIN
    for eye in face.eyes:
        off = np.hypot(*(middles - eye).T) / face.distance
        parts = area / face.distance**2
        kinds[(off < 0.4) & (parts < 0.35) & (kinds != SKIN) | (off < 0.25) & (parts < 0.12)] = EYES
    return kinds


def _zones(figure: np.ndarray, face: Face | None) -> np.ndarray:
    near = cv2.dilate(figure.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    zone = np.where(near, FIGURE, BEHIND).astype(np.uint8)
    if face is not None:
        ys, xs = np.indices(figure.shape)
        far = face.far(np.stack([xs.ravel(), ys.ravel()], 1)).reshape(figure.shape)
        zone[(far < 1.9) & figure] = HEAD
        zone[far < 1.05] = FACE
    return zone


def lab_of(colours: np.ndarray) -> np.ndarray:
    """CIELAB of sRGB colours 0 to 255, (n, 3)."""
    return cv2.cvtColor((colours[None] / 255).astype(np.float32), cv2.COLOR_RGB2LAB)[0]


def decide(artwork: np.ndarray, tags: str = "") -> tuple[str, str]:
    """Which way of drawing the picture asks for, and why in words."""
    scale = 512 / max(artwork.shape[:2])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(artwork, None, fx=scale, fy=scale, interpolation=how).astype(np.float32) / 255
    light = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 0]
    calm = cv2.GaussianBlur(light, (0, 0), 0.8)
    local = cv2.dilate(calm, np.ones((5, 5))) - cv2.erode(calm, np.ones((5, 5)))
    flat, edges = float((local < 1.6).mean()), local > 10
    busy = float(((local > 2.5) & (local < 9)).mean())
    valleys = cv2.morphologyEx(light, cv2.MORPH_CLOSE, ellipse(7)) - light > 10
    wide = cv2.dilate(valleys.astype(np.uint8), np.ones((5, 5)))
    lines = float(wide[edges].mean()) if edges.any() else 0.0
    _, _, pieces, _ = cv2.connectedComponentsWithStats(valleys.astype(np.uint8), connectivity=8)
    reaching = np.maximum(pieces[1:, 2], pieces[1:, 3]) > 0.06 * 512
    long = float(pieces[1:, cv2.CC_STAT_AREA][reaching].sum() / max(1, valleys.sum()))
    if flat > 0.6 and edges.mean() < 0.25:
        return "illustration", f"{flat:.0%} of its area is one flat colour or another"
    leans = leaning(tags, DRAWN, PAINTED)
    score = lines + 0.5 * long + flat - 1.5 * busy + TAGGED * leans
    route = "illustration" if score > BORDER else "painting"
    sure = "clearly" if abs(score - BORDER) > 0.25 else "narrowly"
    return route, (
        f"{sure} {route}: {lines:.0%} of its edges are dark lines, {long:.0%} of them long, {flat:.0%} of its area is "
        f"flat and {busy:.0%} soft tone" + (f"; tagged {tags}" if leans else "")
    )
