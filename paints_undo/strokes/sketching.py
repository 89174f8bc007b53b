"""The drawing under the drawing: construction lines, and a loose sketch over them."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.strokes.brushes import pressed
from paints_undo.strokes.cells import tour
from paints_undo.strokes.face import Face
from paints_undo.strokes.look import BEHIND, FACE, GROUND, Findings
from paints_undo.strokes.operations import Colour, Operation

BLUE: Colour = (122, 150, 205)
GREY: Colour = (84, 90, 112)
SANGUINE: Colour = (150, 92, 70)


def resampled(points: np.ndarray, step: float) -> np.ndarray:
    """Points at equal distances along a path, (n, 2)."""
    travelled = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    count = max(2, int(travelled[-1] / step) + 1)
    t = np.linspace(0, travelled[-1], count)
    return np.stack([np.interp(t, travelled, points[:, k]) for k in (0, 1)], 1)


class Sketcher:
    """Draws the pencil phases of a plan."""

    def __init__(self, findings: Findings, rng: np.random.Generator):
        self.findings, self.rng = findings, rng
        self.side = findings.side
        # a hand has one pencil for construction and one for the sketch; another seed, another pair
        self.first, self.second = ((BLUE, GREY), (SANGUINE, GREY), (GREY, BLUE), (BLUE, SANGUINE))[int(rng.integers(4))]

    def pencil(
        self, points: np.ndarray, width: float, opacity: float, phase: str, colour: Colour, title: str
    ) -> Operation:
        """A pencil stroke. width: half width, pixels."""
        path = np.column_stack([points, width * pressed(len(points))]).astype(np.float32)
        return Operation(phase, phase, "pencil", path, colour, opacity, title=title)

    def rub(self, points: np.ndarray, width: float, phase: str, title: str) -> Operation:
        """An eraser along a path."""
        path = np.column_stack([points, np.full(len(points), width)]).astype(np.float32)
        return Operation(phase, phase, "eraser", path, title=title)

    def wobbled(self, points: np.ndarray, amount: float, waves: float) -> np.ndarray:
        """A hand's slow drift, not noise: both ends free."""
        count = len(points)
        drift = ndimage.gaussian_filter1d(
            self.rng.normal(0, 1, (count, 2)), max(1, count / waves), axis=0, mode="nearest"
        )
        return points + drift / max(1e-6, drift.std()) * amount

    # Construction

    def construction(self, count: int) -> list[Operation]:
        """Ovals, axes and long straights: where everything will be, in about `count` strokes."""
        width = max(0.5, self.side / 1500)
        out: list[Operation] = []

        def add(points: np.ndarray, opacity: float, title: str) -> None:
            even = resampled(np.asarray(points, float), max(2.0, self.side / 160))
            out.append(self.pencil(even, width, opacity, "construction", self.first, title))

        def wrong(points: np.ndarray, title: str) -> None:
            """Drawn, seen to be wrong, and rubbed out."""
            add(points, 0.5, f"{title}, a first try")
            even = resampled(np.asarray(points, float), self.side / 40)
            out.append(self.rub(even, self.side / 60, "construction", f"rub out {title}"))

        if self.findings.face is not None:
            self._head(self.findings.face, add, wrong)
        self._masses(add)
        straights = self._straights()
        for number, (start, end) in enumerate(straights[: max(4, count - len(out))]):
            along = end - start
            length = float(np.hypot(*along))
            past = along / length * min(0.03 * self.side, 0.2 * length)
            side = np.array([-along[1], along[0]])
            t = np.linspace(0, 1, 14)[:, None]
            line = (start - past) * (1 - t) + (end + past) * t + side * self.rng.normal(0, 0.025) * 4 * t * (1 - t)
            if number in (2, 9):
                wrong(line + side / length * self.side * 0.035, "a line")
            add(line, 0.45, "a direction")
        return out

    def _oval(
        self, centre: np.ndarray, radii: tuple[float, float], lean: float, start: float, turn: float
    ) -> np.ndarray:
        t = np.linspace(start, start + turn, 50)
        along = np.array([np.cos(lean), np.sin(lean)])
        across = np.array([-along[1], along[0]])
        bulge = 1 + self.rng.normal(0, 0.03) * np.sin(t / 2 + 1)
        return (
            centre + (np.cos(t) * radii[0] * bulge)[:, None] * along + (np.sin(t) * radii[1] * bulge)[:, None] * across
        )

    def _head(self, face: Face, add: Callable[..., None], wrong: Callable[..., None]) -> None:
        along, down, distance = face.along, face.down, face.distance
        centre, (rx, ry) = face.centre, face.radii
        lean, rng = float(np.arctan2(along[1], along[0])), self.rng
        skull = centre - down * 0.45 * distance
        off = along * rng.normal(0, 0.3) * distance
        wrong(self._oval(skull + off, (rx * 1.25, rx * 1.2), lean, 2.5, 6.1), "the skull")
        add(self._oval(skull, (rx * 1.18, rx * 1.12), lean, 3.6, 5.8), 0.55, "the skull")
        add(self._oval(skull, (rx * 1.2, rx * 1.14), lean, 0.5, 4.5), 0.4, "the skull again")
        t = np.linspace(-1, 1, 24)[:, None]
        turn = np.linspace(0, np.pi, 30)[:, None]
        add(centre + along * np.cos(turn) * rx * 0.98 + down * np.sin(turn) ** 1.1 * ry * 0.9, 0.5, "the jaw")
        add(centre + down * t * ry * 1.15 + along * (1 - t**2) * 0.08 * distance, 0.5, "the axis of the face")
        eye_line = face.middle + along * t * 1.25 * distance + down * (1 - t**2) * 0.1 * distance
        add(eye_line, 0.5, "the line of the eyes")
        nose = face.middle + along * t * 0.8 * distance + down * (0.55 + (1 - t**2) * 0.06) * distance
        add(nose, 0.4, "the line of the nose")
        for eye in face.eyes:
            around = self._oval(eye, (distance * 0.27, distance * 0.22), lean, rng.uniform(3, 4), 6.4)
            add(around, 0.5, "an eye")
        neck = centre + down * ry * 0.9
        for k in (-0.42, 0.42):
            ends = np.array(
                [neck + along * k * 1.1 * distance - down * 0.1 * distance, neck + along * k * 1.15 * distance]
            )
            ends[1] += down * 0.7 * distance
            add(ends + rng.normal(0, 0.03 * distance, (2, 2)), 0.45, "the neck")

    def _masses(self, add: Callable[..., None]) -> None:
        """The figure's gesture, and its large masses as leaning ovals."""
        findings, side = self.findings, self.side
        figure = findings.figure
        rows = np.flatnonzero(figure.any(1))
        if len(rows) > 20:
            some = rows[:: max(1, len(rows) // 40)]
            middle = np.array([np.flatnonzero(figure[y]).mean() for y in some])
            spine = np.stack([ndimage.gaussian_filter1d(middle, 5, mode="nearest"), some], 1)
            if findings.face is not None:
                spine = spine[spine[:, 1] > findings.face.centre[1] + findings.face.radii[1] * 0.8]
            if len(spine) > 4:
                add(spine, 0.5, "the gesture")
                add(self.wobbled(resampled(spine, 6), side / 160, 4), 0.35, "the gesture again")
        area = findings.regions.flat_area
        large = [k for k in np.argsort(-area, kind="stable") if area[k] > 0.012 * figure.size]
        for flat in [k for k in large if findings.kinds[k] != GROUND][:9]:
            ys, xs = np.nonzero(findings.regions.flats == flat)
            size, axes = np.linalg.eigh(np.cov(np.stack([xs, ys])) + np.eye(2))
            radii = np.sqrt(size[::-1]) * 1.75
            if radii[0] < 0.34 * side:
                lean = float(np.arctan2(axes[1, 1], axes[0, 1]))
                centre = np.array([xs.mean(), ys.mean()])
                turn = float(self.rng.uniform(5.2, 7.4))
                around = self._oval(centre, (radii[0], radii[1]), lean, float(self.rng.uniform(0, 6)), turn)
                add(around, 0.42, "a mass")

    def _straights(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The long straight directions of the outlines, longest first."""
        found = []
        for _, points, behind in self.outlines():
            corners = cv2.approxPolyDP(points[:, None].astype(np.float32), 0.03 * self.side, False)[:, 0]
            for start, end in zip(corners[:-1], corners[1:], strict=True):
                length = float(np.hypot(*(end - start)))
                if length > 0.07 * self.side:
                    found.append((length * (0.55 if behind else 1), start, end))
        found.sort(key=lambda entry: -entry[0])
        return [entry[1:] for entry in found]

    def outlines(self) -> list[tuple[float, np.ndarray, bool]]:
        """Borders of large flats inside the picture: (length, points (n, 2), behind?). Each shared border once."""
        findings, side = self.findings, self.side
        flats, area = findings.regions.flats, findings.regions.flat_area
        height, width = flats.shape
        boxes = ndimage.find_objects(flats + 1)
        taken = np.zeros((height, width), np.uint8)
        out = []
        for flat in np.argsort(-area, kind="stable"):
            if area[flat] < (side / 28) ** 2:
                break
            box = boxes[flat]
            mine = np.pad((flats[box] == flat).astype(np.uint8), 1)
            contours, _ = cv2.findContours(mine, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            for contour in contours:
                points = np.clip(contour[:, 0] + (box[1].start - 1, box[0].start - 1), 0, (width - 1, height - 1))
                x, y = points.T
                free = (x > 2) & (x < width - 3) & (y > 2) & (y < height - 3) & (taken[y, x] == 0)
                cuts = np.flatnonzero(np.diff(free.astype(int))) + 1
                for run, good in zip(np.split(points, cuts), np.split(free, cuts), strict=True):
                    if good[0] and len(run) > side * 0.05:
                        out.append((float(len(run)), run.astype(np.float32), bool(findings.kinds[flat] == GROUND)))
                for px, py in points[free][::3].tolist():
                    cv2.circle(taken, (px, py), 4, 1, -1)
        return out

    # Sketch

    def sketch(self, count: int) -> list[Operation]:
        """A loose pass over the drawing itself in `count` strokes: lines and outlines, twice where they matter."""
        strokes = self._sketch_lines()[:count]
        strokes += strokes[: max(0, count - len(strokes))]
        out: list[Operation] = []
        for zone in range(FACE, BEHIND + 1):
            now = [stroke for stroke in strokes if stroke[0] == zone]
            middles = np.array([stroke[2].mean(0) for stroke in now]).reshape(-1, 2)
            for k in tour(middles, self.findings.focus, self.rng):
                out.append(self._loose(now[k][2]))
        return out

    def _sketch_lines(self) -> list[tuple[int, float, np.ndarray]]:
        """[zone, weight, points], the weightiest first."""
        findings, side = self.findings, self.side
        lines = [(1.6 * len(line), line) for line in findings.ink.lines if len(line) > side * 0.02]
        lines += [(length * (0.5 if behind else 0.9), points) for length, points, behind in self.outlines()]
        strokes: list[tuple[int, float, np.ndarray]] = []
        for weight, points in lines:
            for part in np.array_split(points, max(1, int(np.ceil(len(points) / (0.24 * side))))):
                zone = int(findings.zones_at(part.mean(0)[None])[0])
                if len(part) > side * (0.012 if zone == FACE else 0.03):
                    share = len(part) * weight / len(points) * (2.4 if zone == FACE else 1.5 if zone == 1 else 1)
                    strokes.append((zone, share, part))
        strokes.sort(key=lambda stroke: -stroke[1])
        return strokes

    def _loose(self, points: np.ndarray) -> Operation:
        """A line as a hand first puts it: smoother, a little off, past its end."""
        even = resampled(points, max(2.0, self.side / 200))
        if len(even) > 4:
            even = ndimage.gaussian_filter1d(even, 3, axis=0, mode="nearest")
        loose = self.wobbled(even, self.side / 260 * float(self.rng.uniform(0.5, 1.5)), 3)
        loose = np.vstack([loose, loose[-1] + (loose[-1] - loose[-2]) * self.rng.uniform(0, 3)])
        colour = self.second if self.rng.random() < 0.8 else self.first
        return self.pencil(loose, max(0.55, self.side / 1000), 0.75, "sketch", colour, "sketch a line")
