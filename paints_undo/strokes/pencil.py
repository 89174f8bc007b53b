"""A hand with a pencil: how a line comes out that somebody draws rather than copies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from paints_undo.strokes.operations import Colour, Operation

FAINTEST = 0.35  # half width, pixels: less can hardly be seen


@dataclass(frozen=True)
class Lead:
    """A pencil. half: half width, of the picture's longer side.  opacity: of a stroke pressed hard."""

    colour: Colour
    half: float
    opacity: float


def resampled(points: np.ndarray, step: float) -> np.ndarray:
    """Points at equal distances along a path, (n, k); the first two columns are places."""
    travelled = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points[:, :2], axis=0).T))])
    count = max(4, int(travelled[-1] / step) + 1)
    t = np.linspace(0, travelled[-1], count)
    return np.stack([np.interp(t, travelled, column) for column in points.T], 1)


class Hand:
    """Makes operations of paths, float (n, 2), or (n, 3) with how hard to press, 0 to 1."""

    def __init__(self, side: int, rng: np.random.Generator):
        self.side, self.rng = side, rng
        self.step = max(2.0, side / 170)

    def stroke(self, path: np.ndarray, lead: Lead, phase: str, title: str, lift: float = 0.85) -> Operation:
        """A pencil stroke that lands softly, leans in and lifts. lift: how much of the pressure goes at its end."""
        even = resampled(np.asarray(path, float), self.step)
        t = np.linspace(0, 1, len(even))
        land = float(self.rng.uniform(0.06, 0.16))
        force = np.clip(t / land, 0, 1) * 0.55 + 0.45
        force *= 1 - lift * np.clip((t - 0.62) / 0.38, 0, 1) ** 1.5
        if even.shape[1] > 2:
            force *= even[:, 2]
        half = lead.half * self.side * np.clip(force, 0.22, 1.3)
        half = np.maximum(half, FAINTEST)
        points = np.column_stack([even[:, :2], half]).astype(np.float32)
        return Operation(phase, phase, "pencil", points, lead.colour, lead.opacity, title=title)

    def zigzag(self, path: np.ndarray, half: float, lead: Lead, phase: str, title: str) -> Operation:
        """Tone, back and forth without lifting: the side of the lead. half: half width, pixels."""
        points = np.column_stack([path, np.full(len(path), half)]).astype(np.float32)
        return Operation(phase, phase, "pencil", points, lead.colour, lead.opacity, title=title)

    def rub(self, path: np.ndarray, phase: str, title: str) -> Operation:
        """An eraser along a path."""
        even = resampled(np.asarray(path, float)[:, :2], self.side / 40)
        points = np.column_stack([even, np.full(len(even), self.side / 75)]).astype(np.float32)
        return Operation(phase, phase, "eraser", points, title=title)

    def drifted(self, path: np.ndarray, amount: float, waves: float = 2.5) -> np.ndarray:
        """The path with a hand's slow drift, both ends free. amount: of the longer side."""
        even = resampled(np.asarray(path, float), self.step)
        drift = self.rng.normal(0, 1, (len(even), 2))
        drift = ndimage.gaussian_filter1d(drift, max(1.0, len(even) / waves / 2), axis=0, mode="nearest")
        drift *= amount * self.side / max(1e-6, float(drift.std()))
        shorter = min(1.0, len(even) * self.step / (0.12 * self.side))  # a short line has no room to go wrong
        even[:, :2] += drift * shorter
        return even

    def past_its_ends(self, path: np.ndarray, most: float) -> np.ndarray:
        """The path begun a little early and left a little late. most: of the longer side."""
        length = float(np.hypot(*np.diff(path[:, :2], axis=0).T).sum())
        reach = min(most * self.side, 0.25 * length)
        out = [path]
        for at, before in ((0, 2), (-1, -3)):
            way = path[at, :2] - path[before, :2]
            way = way / max(1e-6, float(np.hypot(*way))) * reach * self.rng.uniform(0, 1)
            beyond = path[at : at + 1 or None].copy()
            beyond[:, :2] += way
            out = [beyond, *out] if at == 0 else [*out, beyond]
        return np.vstack(out)

    def wrong(self, path: np.ndarray, amount: float) -> np.ndarray:
        """The path as it comes out when it fails: turned and shifted."""
        middle = path[:, :2].mean(0)
        turn = float(self.rng.choice([-1, 1]) * self.rng.uniform(0.08, 0.2))
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shift = self.rng.normal(0, 1, 2)
        shift *= amount * self.side / max(1e-6, float(np.hypot(*shift)))
        out = path.copy()
        out[:, :2] = (path[:, :2] - middle) @ spin.T + middle + shift
        return out
