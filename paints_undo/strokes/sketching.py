"""A loose sketch over the construction, in one of several hands' manners."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.strokes.cells import tour
from paints_undo.strokes.construction import Construction
from paints_undo.strokes.face import Face
from paints_undo.strokes.look import BEHIND, FACE, FIGURE, HEAD, Findings
from paints_undo.strokes.operations import Colour, Operation
from paints_undo.strokes.pencil import Hand, Lead
from paints_undo.strokes.seeing import Seen, seen_lines
from paints_undo.strokes.tone import tone_strokes

BLUE: Colour = (96, 138, 214)
NAVY: Colour = (44, 56, 104)
RED: Colour = (206, 92, 84)
GREY: Colour = (92, 96, 112)
PALE: Colour = (128, 132, 150)
SOOT: Colour = (44, 44, 76)
SANGUINE: Colour = (146, 78, 56)
SURE_OF_A_FACE = 1.0  # of a face's score: less, and no head is constructed
FINE_AT = 660  # pixels of the longer side at which the small forms are seen
FACE_AT = 260  # pixels that a face is seen at
LINE = "sketch a line"
WHITE = 243  # from here on paper
FEATURES = 0.75  # of the face's oval: eyes, nose and mouth, none of which may be missing
VISIBLE = 1.4e-4  # of the canvas: a stroke that covers less can hardly be seen
MOST_WRONG = 2  # lines that are drawn, rubbed out and drawn anew
RANK = {FACE: 2.6, HEAD: 1.7, FIGURE: 1.25, BEHIND: 0.8}  # how much a line matters, by where it is

WIDTH = {FACE: 0.75, HEAD: 0.95, FIGURE: 1.0, BEHIND: 0.8}  # of a line, by where it is
NEAR = {FACE: 0.03, HEAD: 0.05, FIGURE: 0.07, BEHIND: 0.08}  # of the longer side: what counts as a neighbour


@dataclass(frozen=True)
class Manner:
    """How somebody sketches. restated: the share of lines drawn more than once.  loose: drift, of the longer side.

    rough: a first pass of the large lines.  tone: the share of the strokes that lay tone.  reach: longest stroke.
    """

    name: str
    under: Lead
    line: Lead
    rough: Lead | None = None
    again: Lead | None = None
    tone: Lead | None = None
    restated: float = 0.3
    loose: float = 1 / 300
    past: float = 0.02
    reach: float = 0.4
    toned: float = 0.0


SEARCHING = Manner(
    "searching lines",
    Lead(PALE, 1 / 900, 0.5),
    Lead(GREY, 1 / 500, 0.9),
    again=Lead(GREY, 1 / 700, 0.6),
    restated=0.35,
    loose=1 / 230,
    past=0.035,
    reach=0.33,
)
COLOURED = Manner(
    "blue, red, then dark",
    Lead(BLUE, 1 / 800, 0.55),
    Lead(NAVY, 1 / 500, 0.85),
    rough=Lead(BLUE, 1 / 560, 0.6),
    again=Lead(RED, 1 / 560, 0.7),
    restated=0.16,
    loose=1 / 300,
)
MASSES = Manner(
    "masses of tone",
    Lead(PALE, 1 / 900, 0.5),
    Lead(SOOT, 1 / 560, 0.9),
    rough=Lead(PALE, 1 / 500, 0.6),
    tone=Lead((112, 114, 148), 1 / 90, 0.5),
    restated=0.12,
    toned=0.24,
)
SURE = Manner(
    "a sure contour",
    Lead(PALE, 1 / 1000, 0.45),
    Lead(SOOT, 1 / 430, 0.9),
    restated=0.05,
    loose=1 / 900,
    past=0.008,
    reach=0.42,
)
CHALK = Manner(
    "red chalk",
    Lead((196, 150, 124), 1 / 700, 0.55),
    Lead(SANGUINE, 1 / 400, 0.8),
    rough=Lead((190, 132, 104), 1 / 420, 0.55),
    tone=Lead((176, 112, 84), 1 / 100, 0.45),
    restated=0.25,
    loose=1 / 260,
    toned=0.16,
)


@dataclass
class Closer:
    """A place that is looked at from close by: the face, as far as `far` of its oval, and its lines."""

    face: Face
    far: float
    lines: list[Seen]

    def inside(self, line: Seen) -> list[Seen]:
        """The parts of a line that are there."""
        return [Seen(part, line.fine) for part in _runs(line.path, self.face.far(line.path[:, :2]) < self.far)]

    def outside(self, line: Seen) -> list[Seen]:
        """The parts of a line that are elsewhere."""
        return [Seen(part, line.fine) for part in _runs(line.path, self.face.far(line.path[:, :2]) >= self.far - 0.05)]


class Sketcher:
    """Draws the pencil phases of a plan."""

    def __init__(self, findings: Findings, seed: int, rng: np.random.Generator):
        self.findings, self.rng = findings, rng
        self.side = findings.side
        self.manner = manner_for(findings, seed)
        if float((findings.artwork.min(2) > WHITE).mean()) > 0.45:  # what is drawn beside its place shows for long
            lead = replace(self.manner.line, half=0.75 * self.manner.line.half)
            self.manner = replace(self.manner, line=lead, loose=0.5 * self.manner.loose, past=0.5 * self.manner.past)
        self.hand = Hand(self.side, rng)
        self.face, closer = _close_to(findings)
        self.large = seen_lines(findings.artwork)
        fine = seen_lines(findings.artwork, FINE_AT, fine=True)
        if closer is not None:
            self.large = [part for line in self.large for part in closer.outside(line)]
            fine = [part for line in fine for part in closer.outside(line)]
        self.close = [] if closer is None else closer.lines
        lines = [*self.close, *self.large]
        self.lines = lines + _not_drawn_yet(fine, lines, self.side, self.side / 45)

    def construction(self, count: int) -> list[Operation]:
        """Where everything will be, in at most `count` operations."""
        return Construction(self.findings, self.face, self.hand, self.manner.under).draw(self.large, count)

    def sketch(self, count: int, soon: int) -> list[Operation]:
        """A loose pass over the drawing in `count` operations; what names the subject is there after `soon`."""
        strokes = self._ranked()
        tones = self._tone(int(self.manner.toned * soon))
        roughs = self._rough(int((0.16 if tones == [] else 0.08) * soon))
        main, lines = int(soon - len(tones) - len(roughs)), []
        for k, stroke in enumerate(strokes):
            again = k < 0.75 * main and self.rng.random() < self.manner.restated
            lines.append((stroke, again))
            if sum(1 + twice for _, twice in lines) >= main:
                break
        out = roughs + tones[: len(tones) // 2] + self._in_order(lines, True) + tones[len(tones) // 2 :]
        out += self._in_order(
            [(stroke, False) for stroke in strokes[len(lines) : len(lines) + count - len(out)]], False
        )
        return (out + self._accents(out, count - len(out)))[:count]

    def _accents(self, drawn: list[Operation], count: int) -> list[Operation]:
        """The longest lines pressed harder, on a part of their way."""
        lines = [stroke for stroke in drawn if stroke.title == LINE]
        lines = sorted(lines, key=lambda stroke: -len(stroke.points))[: max(0, count)]
        out = []
        for k in tour(
            np.array([stroke.points[:, :2].mean(0) for stroke in lines]).reshape(-1, 2), self.findings.focus, self.rng
        ):
            points = lines[k].points
            cut = len(points) // 7
            harder = points[cut : len(points) - cut] * np.array((1, 1, 1.2), np.float32)
            out.append(replace(lines[k], points=harder, title="press a line harder"))
        return out

    def _ranked(self) -> list[tuple[int, np.ndarray]]:
        """(zone, path), what matters most first."""
        findings, side = self.findings, self.side
        edge = _edge_of(findings.figure)
        faces = {id(line) for line in self.close}
        shortest = VISIBLE * edge.size / (2 * self.manner.line.half * side + 1)  # a line's soft edges show too
        strokes = []
        for line in self.lines:
            for part in np.array_split(line.path, max(1, int(np.ceil(line.length / (self.manner.reach * side))))):
                middle, length, clear = part[:, :2].mean(0), Seen(part).length, float(part[:, 2].mean())
                zone = FACE if id(line) in faces else max(HEAD, int(findings.zones_at(middle[None])[0]))
                least = side * (0.012 if zone == FACE else 0.028 / min(1.7, max(1, clear)))
                if len(part) < 6 or length < max(least, shortest / WIDTH[zone]):
                    continue
                x, y = np.clip(part[:, :2].astype(int), 0, np.array(edge.shape[::-1]) - 1).T
                outline = float(edge[y, x].mean())
                central = float(np.exp(-(((middle - findings.focus) ** 2).sum() / (0.4 * side) ** 2)))
                weight = length**0.8 * min(1.6, clear) * RANK[zone]
                weight *= (1 + 0.8 * outline) * (1 + 0.4 * central) * (0.75 if line.fine and zone != FACE else 1)
                if zone == FACE and self.face is not None and self.face.far(middle[None])[0] < FEATURES:
                    weight *= 2
                part = part.copy()
                part[:, 2] = np.clip(part[:, 2], 0.45, 1.4) ** 0.7 * (WIDTH[zone] + 0.25 * outline)
                strokes.append((weight, zone, part))
        return [strokes[k][1:] for k in self._spread(strokes)]

    def _spread(self, strokes: list[tuple[float, int, np.ndarray]]) -> list[int]:
        """An order: the weightiest next, where a stroke makes its neighbours weigh less."""
        weights = np.array([weight for weight, _, _ in strokes])
        middles = np.array([part[:, :2].mean(0) for _, _, part in strokes]).reshape(-1, 2)
        near = np.array([NEAR[zone] for _, zone, _ in strokes]) * self.side
        order = []
        for _ in strokes:
            k = int(weights.argmax())
            order.append(k)
            weights[np.hypot(*(middles - middles[k]).T) < near] *= 0.78
            weights[k] = -1
        return order

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

    def _in_order(self, lines: list[tuple[tuple[int, np.ndarray], bool]], wrongs: bool) -> list[Operation]:
        """Face, head, figure, background; in each from one line to the nearest next."""
        out: list[Operation] = []
        fails = 0
        for zone in (FACE, HEAD, FIGURE, BEHIND):
            now = [entry for entry in lines if entry[0][0] == zone]
            middles = np.array([entry[0][1][:, :2].mean(0) for entry in now]).reshape(-1, 2)
            for k in tour(middles, self.findings.focus, self.rng):
                (_, path), again = now[k]
                large = zone in (HEAD, FIGURE) and Seen(path).length > 0.12 * self.side
                if wrongs and fails < MOST_WRONG and large and self.rng.random() < 0.15:
                    fails += 1
                    out += self._wrong(path)
                out += self._line(path, again)
        return out

    def _wrong(self, path: np.ndarray) -> list[Operation]:
        off = self.hand.wrong(self._smooth(path, 3), 0.03)
        return [
            self.hand.stroke(off, self.manner.line, "sketch", "a line that goes wrong"),
            self.hand.rub(off, "sketch", "rub it out"),
        ]

    def _line(self, path: np.ndarray, again: bool) -> list[Operation]:
        """A line as a hand puts it: smoother, a little off, past its ends; or found in two strokes."""
        manner, hand = self.manner, self.hand
        lead = manner.line
        loose = hand.past_its_ends(
            hand.drifted(self._smooth(path, 1.4), manner.loose * self.rng.uniform(0.4, 1.1)), manner.past
        )
        if self.rng.random() < 0.5:
            loose = loose[::-1]
        strokes = [hand.stroke(loose, lead, "sketch", LINE)]
        if again:
            other = hand.drifted(self._smooth(path, 3.5), manner.loose * 1.5)
            low, high = sorted(self.rng.uniform(0, 1, 2))
            if high - low > 0.5 and len(other) > 12:
                other = other[int(low * len(other)) : int(high * len(other))]
            other = hand.past_its_ends(other, 1.5 * manner.past)
            other[:, 2] = 1
            search = hand.stroke(
                other, manner.again or replace(lead, opacity=0.7 * lead.opacity), "sketch", "restate it"
            )
            strokes = [search, *strokes] if manner.again is None or self.rng.random() < 0.6 else [*strokes, search]
        return strokes

    def _smooth(self, path: np.ndarray, sigma: float) -> np.ndarray:
        """Smoothed by `sigma` 1/340 of the longer side, its ends kept."""
        spacing = Seen(path).length / max(1, len(path) - 1)
        sigma = sigma * self.side / 340 / max(0.2, spacing)
        if len(path) < 5:
            return path
        return ndimage.gaussian_filter1d(path, min(sigma, len(path) / 5), axis=0, mode="nearest")


def manner_for(findings: Findings, seed: int) -> Manner:
    """The manner of a seed: what suits the picture best first, and no two seeds in a row alike."""
    tone = float(findings.artwork.mean())
    if tone < 112:
        manners = (MASSES, COLOURED, SEARCHING, CHALK, SURE)
    elif tone > 190:
        manners = (SURE, SEARCHING, COLOURED, CHALK, MASSES)
    elif findings.route == "painting":
        manners = (SEARCHING, CHALK, COLOURED, SURE, MASSES)
    elif findings.face is not None:
        manners = (SEARCHING, COLOURED, MASSES, SURE, CHALK)
    else:
        manners = (COLOURED, SURE, SEARCHING, CHALK, MASSES)
    return manners[seed % len(manners)]


def _close_to(findings: Findings) -> tuple[Face | None, Closer | None]:
    """The face, if it surely is one; and what of it is seen from close by, where there may be one."""
    face = findings.face
    if face is None:
        return None, None
    sure = face.score >= SURE_OF_A_FACE
    reach = (1.5 if sure else 1.9) * face.distance
    low = np.maximum((face.centre - reach).astype(int), 0)
    high = np.minimum((face.centre + reach).astype(int), findings.figure.shape[::-1])
    part = np.ascontiguousarray(findings.artwork[low[1] : high[1], low[0] : high[0]])
    lines = seen_lines(part, FACE_AT if sure else FACE_AT * 5 // 4)
    for line in lines:
        line.path[:, :2] += low
    for eye in face.eyes:  # what has no lines around it is no eye
        near = [np.hypot(*(line.path[:, :2] - eye).T) < 0.22 * face.distance for line in lines]
        sure &= sum(int(hits.sum()) for hits in near) >= 16
    closer = Closer(face, 1.2 if sure else 1.5, [])
    inked = [Seen(np.column_stack([line, np.ones(len(line))])) for line in findings.ink.lines]
    inked = [line for line in inked if line.length > 0.08 * face.distance]
    closer.lines = [part for line in lines for part in closer.inside(line)]
    small = [part for line in inked for part in closer.inside(line)]
    closer.lines += _not_drawn_yet(small, closer.lines, findings.side, 0.05 * face.distance)
    return (face if sure else None), closer


def _runs(path: np.ndarray, keep: np.ndarray) -> list[np.ndarray]:
    """The pieces of a path that are kept."""
    cuts = np.flatnonzero(np.diff(keep.astype(int))) + 1
    parts = zip(np.split(path, cuts), np.split(keep, cuts), strict=True)
    return [part for part, good in parts if good[0] and len(part) > 5]


def _not_drawn_yet(more: list[Seen], lines: list[Seen], side: int, apart: float) -> list[Seen]:
    """The parts of some more lines that are apart from these, by pixels."""
    taken = np.zeros((side // 2 + 2, side // 2 + 2), np.uint8)
    for line in lines:
        cv2.polylines(taken, [np.round(line.path[:, None, :2] / 2).astype(np.int32)], False, 1, max(1, round(apart)))
    out = []
    for line in more:
        x, y = np.clip(np.round(line.path[:, :2] / 2).astype(int), 0, side // 2).T
        out += [Seen(part, line.fine) for part in _runs(line.path, taken[y, x] == 0)]
    return out


def _edge_of(mask: np.ndarray) -> np.ndarray:
    """Bool (H, W): along the edge of a mask."""
    around = np.ones((max(3, max(mask.shape) // 60) | 1,) * 2, np.uint8)
    values = mask.astype(np.uint8)
    return cv2.dilate(values, around) != cv2.erode(values, around)
