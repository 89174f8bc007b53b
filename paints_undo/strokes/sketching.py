"""A loose sketch over the construction, in one of several hands' manners."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.strokes.cells import tour
from paints_undo.strokes.closer import close_to, not_drawn_yet
from paints_undo.strokes.construction import Construction
from paints_undo.strokes.ink import ellipse
from paints_undo.strokes.look import BEHIND, FACE, FIGURE, HEAD, Findings
from paints_undo.strokes.manners import manner_for
from paints_undo.strokes.operations import Operation
from paints_undo.strokes.pencil import Hand
from paints_undo.strokes.seeing import Seen, seen_lines
from paints_undo.strokes.tone import dark_spots, tone_strokes

FINE_AT = 660  # pixels of the longer side at which the small forms are seen
LINE = "sketch a line"
FEATURES = 0.75  # of the face's oval: eyes, nose and mouth, none of which may be missing
VISIBLE = 1.4e-4  # of the canvas: a stroke that covers less can hardly be seen
MOST_SPOTS = 10  # dark shapes that are blacked in
TASTE = 0.25  # how much two hands differ in what matters
MOST_WRONG = 2  # lines that are drawn, rubbed out and drawn anew
RANK = {FACE: 2.6, HEAD: 1.7, FIGURE: 1.25, BEHIND: 0.8}  # how much a line matters, by where it is

WIDTH = {FACE: 0.75, HEAD: 0.95, FIGURE: 1.0, BEHIND: 0.8}  # of a line, by where it is
NEAR = {HEAD: 0.05, FIGURE: 0.07, BEHIND: 0.08}  # of the longer side: what counts as a neighbour
NEAR_ON_FACE = 0.14  # of the distance between the eyes


@dataclass
class Stroke:
    """A line to draw. path: float (n, 3), x, y and pressure.  force: of its lead's opacity.  again: drawn twice."""

    weight: float
    zone: int
    path: np.ndarray
    force: float
    again: bool = False


class Sketcher:
    """Draws the pencil phases of a plan."""

    def __init__(self, findings: Findings, seed: int, rng: np.random.Generator, own: np.ndarray | None = None):
        """own: uint8 RGB of the artwork's size, a sketch whose lines are traced instead of those of the artwork."""
        self.findings, self.rng = findings, rng
        self.side = findings.side
        self.manner = manner_for(findings, seed)
        self.hand = Hand(self.side, rng)
        self.face, closer = close_to(findings)
        if own is not None:
            closer, self.manner = None, replace(self.manner, toned=0.0, tone=None, rough=None, loose=0.0, restated=0.15)
        self.own = own is not None
        seen = findings.artwork if own is None else own
        self.large = seen_lines(seen)
        fine = seen_lines(seen, FINE_AT, fine=True)
        if closer is not None:
            self.large = [part for line in self.large for part in closer.outside(line)]
            fine = [part for line in fine for part in closer.outside(line)]
        self.ranked: list[Stroke] = []
        self.close = [] if closer is None else closer.lines
        lines = [*self.close, *self.large]
        self.lines = lines + not_drawn_yet(fine, lines, self.side, self.side / 45)

    def construction(self, count: int) -> list[Operation]:
        """Where everything will be, in at most `count` operations."""
        return Construction(self.findings, self.face, self.hand, self.manner.under).draw(self.large, count)

    def sketch(self, count: int, soon: int) -> list[Operation]:
        """A loose pass over the drawing in `count` operations; what names the subject is there after `soon`."""
        ranked = self.ranked = self._ranked()
        tones = self._tone(int(self.manner.toned * soon))
        roughs = self._rough(int((0.08 if tones else 0.16) * soon))
        spots = []
        if not self.own:
            spots = dark_spots(self.findings, self.face, self.hand, self.manner.line, MOST_SPOTS)
        main = soon - len(tones) - len(roughs) - len(spots) - 2 * MOST_WRONG
        taken = 0
        for taken, stroke in enumerate(ranked, 1):
            stroke.again = taken < 0.75 * main and self.rng.random() < self.manner.restated
            main -= 2 if stroke.again else 1
            if main <= 0:
                break
        half = len(tones) // 2
        out = [*roughs, *tones[:half], *self._in_order(ranked[:taken], MOST_WRONG), *tones[half:], *spots]
        out += self._in_order(ranked[taken : taken + max(0, count - len(out))], 0)
        return (out + self._accents(out, count - len(out)))[:count]

    def again(self, count: int) -> list[Operation]:
        """All lines once more, for a picture that asks for little else, in at most `count` operations."""
        strokes = [replace(stroke, again=False) for stroke in self.ranked] * 3
        return self._in_order(strokes[:count], 0)

    def _accents(self, drawn: list[Operation], count: int) -> list[Operation]:
        """The longest lines of what is dark pressed harder, on a part of their way."""
        dark = 0.8 * self.manner.line.opacity
        lines = [stroke for stroke in drawn if stroke.title == LINE and stroke.opacity > dark]
        lines = sorted(lines, key=lambda stroke: -len(stroke.points))[: max(0, count)]
        middles = np.array([stroke.points[:, :2].mean(0) for stroke in lines]).reshape(-1, 2)
        out = []
        for k in tour(middles, self.findings.focus, self.rng):
            points = lines[k].points
            cut = len(points) // 7
            harder = points[cut : len(points) - cut] * np.array((1, 1, 1.2), np.float32)
            out.append(replace(lines[k], points=harder, title="press a line harder"))
        return out

    def _ranked(self) -> list[Stroke]:
        """What could be drawn, what matters most first."""
        faces = {id(line) for line in self.close}
        edge = _edge_of(self.findings.figure)
        light = cv2.erode(cv2.cvtColor(self.findings.artwork, cv2.COLOR_RGB2GRAY), ellipse(self.side / 110))
        strokes = []
        for line in self.lines:
            parts = max(1, int(np.ceil(line.length / (self.manner.reach * self.side))))
            for path in np.array_split(line.path, parts):
                stroke = self._stroke(path, line.fine, id(line) in faces, edge, light)
                if stroke is not None:
                    strokes.append(stroke)
        return self._spread(strokes)

    def _stroke(
        self, path: np.ndarray, fine: bool, on_face: bool, edge: np.ndarray, light: np.ndarray
    ) -> Stroke | None:
        """A path with its weight; None where it is too short. edge: bool (H, W), light: uint8 (H, W)."""
        findings, side = self.findings, self.side
        middle, length, clear = path[:, :2].mean(0), Seen(path).length, float(path[:, 2].mean())
        zone = FACE if on_face else max(HEAD, int(findings.zones_at(middle[None])[0]))
        least = side * (0.012 if on_face else 0.028 / min(1.7, max(1, clear)))
        # a line's soft edges show too
        shortest = VISIBLE * edge.size / (2 * self.manner.line.half * side + 1) / WIDTH[zone]
        if len(path) < 6 or length < max(least, shortest):
            return None
        x, y = np.clip(path[:, :2].astype(int), 0, np.array(edge.shape[::-1]) - 1).T
        outline, dark = float(edge[y, x].mean()), 1 - float(light[y, x].mean()) / 255
        central = float(np.exp(-(((middle - findings.focus) ** 2).sum() / (0.4 * side) ** 2)))
        weight = length**0.8 * min(1.6, clear) * RANK[zone] * (1 + 0.8 * outline) * (1 + 0.4 * central)
        if fine and not on_face:
            weight *= 0.75
        if on_face and self.face is not None and self.face.far(middle[None])[0] < FEATURES:
            weight *= 2
        pressure = np.clip(path[:, 2], 0.45, 1.4) ** 0.7 * (WIDTH[zone] + 0.25 * outline)
        return Stroke(weight, zone, np.column_stack([path[:, :2], pressure]), min(1.0, 0.55 + 0.75 * dark))

    def _spread(self, strokes: list[Stroke]) -> list[Stroke]:
        """In an order: the weightiest next, where a stroke makes its neighbours weigh less."""
        taste = np.exp(self.rng.normal(0, TASTE, len(strokes)))
        weights = np.array([stroke.weight for stroke in strokes]) * taste
        middles = np.array([stroke.path[:, :2].mean(0) for stroke in strokes]).reshape(-1, 2)
        apart = {zone: near * self.side for zone, near in NEAR.items()}
        if self.findings.face is not None:
            apart[FACE] = NEAR_ON_FACE * self.findings.face.distance
        near = np.array([apart[stroke.zone] for stroke in strokes])
        out = []
        for _ in strokes:
            k = int(weights.argmax())
            out.append(strokes[k])
            weights[np.hypot(*(middles - middles[k]).T) < near] *= 0.78
            weights[k] = -1
        return out

    def _rough(self, count: int) -> list[Operation]:
        """The largest lines, simpler than they are, in a light lead."""
        lead = self.manner.rough
        if lead is None:
            return []
        out = []
        lines = sorted(self.large, key=lambda line: -line.length)[:count]
        for k in tour(np.array([line.path[:, :2].mean(0) for line in lines]), self.findings.focus, self.rng):
            path = self.hand.drifted(self._smooth(lines[k].path, 9)[:, :2], 2 * self.manner.loose)
            out.append(self.hand.stroke(path, lead, "sketch", "rough in a line"))
        return out

    def _tone(self, count: int) -> list[Operation]:
        return [] if self.manner.tone is None else tone_strokes(self.findings, self.hand, self.manner.tone, count)

    def _in_order(self, strokes: list[Stroke], wrongs: int) -> list[Operation]:
        """Zone by zone, the background last; in each from one line to the nearest next. wrongs: how many may fail."""
        out: list[Operation] = []
        zones = (FACE, HEAD, FIGURE) if self.manner.face_first else (HEAD, FIGURE, FACE)
        for zone in (*zones, BEHIND):
            now = [stroke for stroke in strokes if stroke.zone == zone]
            middles = np.array([stroke.path[:, :2].mean(0) for stroke in now]).reshape(-1, 2)
            for k in tour(middles, self.findings.focus, self.rng):
                large = zone in (HEAD, FIGURE) and Seen(now[k].path).length > 0.12 * self.side
                if wrongs and large and self.rng.random() < 0.15:
                    wrongs -= 1
                    out += self._wrong(now[k])
                out += self._line(now[k])
        return out

    def _wrong(self, stroke: Stroke) -> list[Operation]:
        off = self.hand.wrong(self._smooth(stroke.path, 3), 0.03)
        return [
            self.hand.stroke(off, self.manner.line, "sketch", "a line that goes wrong"),
            self.hand.rub(off, "sketch", "rub it out"),
        ]

    def _line(self, stroke: Stroke) -> list[Operation]:
        """A line as a hand puts it: smoother, a little off, past its ends; or found in two strokes."""
        manner, hand = self.manner, self.hand
        loose = hand.drifted(self._smooth(stroke.path, 1.4), manner.loose * self.rng.uniform(0.4, 1.1))
        loose = hand.past_its_ends(loose, manner.past)
        if self.rng.random() < 0.5:
            loose = loose[::-1]
        lead = replace(manner.line, opacity=manner.line.opacity * stroke.force)
        first = hand.stroke(loose, lead, "sketch", LINE)
        if not stroke.again:
            return [first]
        other = hand.drifted(self._smooth(stroke.path, 3.5), manner.loose * 1.5)
        low, high = sorted(self.rng.uniform(0, 1, 2))
        if high - low > 0.5 and len(other) > 12:
            other = other[int(low * len(other)) : int(high * len(other))]
        other = hand.past_its_ends(other, 1.5 * manner.past)
        other[:, 2] = 1
        search = hand.stroke(other, manner.again or replace(lead, opacity=0.7 * lead.opacity), "sketch", "restate it")
        return [search, first] if manner.again is None or self.rng.random() < 0.6 else [first, search]

    def _smooth(self, path: np.ndarray, sigma: float) -> np.ndarray:
        """Smoothed by `sigma` 1/340 of the longer side, its ends kept."""
        spacing = Seen(path).length / max(1, len(path) - 1)
        sigma = sigma * self.side / 340 / max(0.2, spacing)
        if len(path) < 5:
            return path
        return ndimage.gaussian_filter1d(path, min(sigma, len(path) / 5), axis=0, mode="nearest")


def _edge_of(mask: np.ndarray) -> np.ndarray:
    """Bool (H, W): along the edge of a mask."""
    around = np.ones((max(3, max(mask.shape) // 60) | 1,) * 2, np.uint8)
    values = mask.astype(np.uint8)
    return cv2.dilate(values, around) != cv2.erode(values, around)
