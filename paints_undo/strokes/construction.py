"""The drawing under the drawing: where everything will be, in ovals, axes and long straights."""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from paints_undo.strokes.face import Face
from paints_undo.strokes.look import GROUND, Findings
from paints_undo.strokes.operations import Operation
from paints_undo.strokes.pencil import Hand, Lead
from paints_undo.strokes.seeing import Seen

PHASE = "construction"


class Construction:
    """Lays the first, light lines of a drawing."""

    def __init__(self, findings: Findings, face: Face | None, hand: Hand, lead: Lead):
        self.findings, self.face, self.hand, self.lead = findings, face, hand, lead
        self.side, self.rng = findings.side, hand.rng
        self.operations: list[Operation] = []

    def draw(self, lines: list[Seen], count: int) -> list[Operation]:
        """The construction in at most `count` operations. lines: what the picture shows."""
        if self.face is not None:
            self._head(self.face)
            self._gesture()
        self._masses(count // 5 if self.face is None else 2)
        for start, end in self._straights(lines):
            if len(self.operations) >= count:
                break
            self._straight(start, end)
        return self.operations[:count]

    def _add(self, path: np.ndarray, title: str, light: float = 1.0) -> None:
        path = np.column_stack([path, np.full(len(path), light)])
        self.operations.append(self.hand.stroke(path, self.lead, PHASE, title, lift=0.5))

    def _wrong(self, path: np.ndarray, title: str) -> None:
        """Drawn, seen to be wrong, and rubbed out."""
        self._add(path, f"{title}, a first try")
        self.operations.append(self.hand.rub(path, PHASE, f"rub out {title}"))

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

    def _head(self, face: Face) -> None:
        along, down, distance, rng = face.along, face.down, face.distance, self.rng
        centre, (rx, ry) = face.centre, face.radii
        lean = float(np.arctan2(along[1], along[0]))
        skull = centre - down * 0.45 * distance
        begin = float(rng.uniform(2, 5))
        if rng.random() < 0.6:
            off = along * rng.choice([-1, 1]) * rng.uniform(0.2, 0.4) * distance
            self._wrong(self._oval(skull + off, (rx * 1.25, rx * 1.2), lean, begin, 6.1), "the skull")
        self._add(self._oval(skull, (rx * 1.18, rx * 1.12), lean, begin, 5.8), "the skull", 1.2)
        self._add(self._oval(skull, (rx * 1.2, rx * 1.14), lean, begin + 3, 4.5), "the skull again")
        t = np.linspace(-1, 1, 24)[:, None]
        turn = np.linspace(0, np.pi, 30)[:, None]
        self._add(centre + along * np.cos(turn) * rx * 0.98 + down * np.sin(turn) ** 1.1 * ry * 0.9, "the jaw", 1.2)
        self._add(centre + down * t * ry * 1.15 + along * (1 - t**2) * 0.08 * distance, "the axis of the face")
        self._add(
            face.middle + along * t * 1.25 * distance + down * (1 - t**2) * 0.1 * distance, "the line of the eyes"
        )
        nose = face.middle + along * t * 0.5 * distance + down * (0.55 + (1 - t**2) * 0.06) * distance
        self._add(nose, "the line of the nose", 0.8)
        neck = centre + down * ry * 0.9
        for k in (-0.42, 0.42):
            ends = np.array([neck + along * k * 1.1 * distance, neck + along * k * 1.15 * distance])
            ends[0] -= down * 0.1 * distance
            ends[1] += down * 0.7 * distance
            self._add(ends + rng.normal(0, 0.03 * distance, (2, 2)), "the neck", 0.8)

    def _gesture(self) -> None:
        """The line that the figure hangs on, below its head."""
        figure = self.findings.figure
        rows = np.flatnonzero(figure.any(1))
        if len(rows) < 20 or self.face is None:
            return
        some = rows[:: max(1, len(rows) // 40)]
        middle = np.array([np.flatnonzero(figure[y]).mean() for y in some])
        spine = np.stack([ndimage.gaussian_filter1d(middle, 5, mode="nearest"), some], 1)
        spine = spine[spine[:, 1] > self.face.centre[1] + self.face.radii[1] * 0.8]
        if len(spine) > 4:
            self._add(spine, "the gesture", 1.1)
            self._add(self.hand.drifted(spine, 1 / 160, 4), "the gesture again", 0.8)

    def _masses(self, count: int) -> None:
        """The large masses of the subject as leaning ovals."""
        findings, side = self.findings, self.side
        area = findings.regions.flat_area
        large = [k for k in np.argsort(-area, kind="stable") if area[k] > 0.012 * findings.figure.size]
        if self.face is not None:  # the head has its own
            large = [k for k in large if self.face.far(findings.middles[k][None])[0] > 1.6]
        for flat in [k for k in large if findings.kinds[k] != GROUND][:count]:
            ys, xs = np.nonzero(findings.regions.flats == flat)
            size, axes = np.linalg.eigh(np.cov(np.stack([xs, ys])) + np.eye(2))
            radii = np.sqrt(size[::-1]) * 1.75
            if radii[0] < 0.34 * side:
                lean = float(np.arctan2(axes[1, 1], axes[0, 1]))
                turn = float(self.rng.uniform(5.2, 7.4))
                start = float(self.rng.uniform(0, 6))
                self._add(
                    self._oval(np.array([xs.mean(), ys.mean()]), (radii[0], radii[1]), lean, start, turn), "a mass"
                )

    def _straight(self, start: np.ndarray, end: np.ndarray) -> None:
        along = end - start
        length = float(np.hypot(*along))
        past = along / length * min(0.05 * self.side, 0.25 * length)
        across = np.array([-along[1], along[0]])
        t = np.linspace(0, 1, 14)[:, None]
        bow = across * self.rng.normal(0, 0.02) * 4 * t * (1 - t)
        self._add((start - past) * (1 - t) + (end + past) * t + bow, "a direction")

    def _straights(self, lines: list[Seen]) -> list[tuple[np.ndarray, np.ndarray]]:
        """The long straight directions of the lines, longest first, none twice."""
        found = []
        for line in lines:
            corners = cv2.approxPolyDP(line.path[:, None, :2].astype(np.float32), 0.025 * self.side, False)[:, 0]
            for start, end in zip(corners[:-1], corners[1:], strict=True):
                length = float(np.hypot(*(end - start)))
                if length > 0.08 * self.side:
                    found.append((length, start.astype(float), end.astype(float)))
        found.sort(key=lambda entry: -entry[0])
        kept: list[tuple[np.ndarray, np.ndarray]] = []
        for _, start, end in found:
            middle = (start + end) / 2
            if all(np.hypot(*((a + b) / 2 - middle)) > 0.04 * self.side for a, b in kept):
                kept.append((start, end))
        return kept
