"""What is seen of a face from close by, and which lines add to others."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paints_undo.strokes.face import Face
from paints_undo.strokes.look import Findings
from paints_undo.strokes.seeing import Seen, seen_lines

SURE_OF_A_FACE = 1.0  # of a face's score: less, and no head is constructed
LINES_OF_EYES = 1.35  # eye distances of line about both eyes; less, and they are none
FACE_AT = 340  # pixels that a face is seen at


@dataclass
class Closer:
    """A place that is looked at from close by: the face, as far as `far` of its oval, and its lines."""

    face: Face
    far: float
    lines: list[Seen]

    def inside(self, line: Seen) -> list[Seen]:
        """The parts of a line that are there."""
        return [Seen(part, line.fine) for part in runs(line.path, self.face.far(line.path[:, :2]) < self.far)]

    def outside(self, line: Seen) -> list[Seen]:
        """The parts of a line that are elsewhere."""
        return [Seen(part, line.fine) for part in runs(line.path, self.face.far(line.path[:, :2]) >= self.far - 0.05)]


def close_to(findings: Findings) -> tuple[Face | None, Closer | None]:
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
    sure &= sum(_drawn_near(eye, 0.25 * face.distance, lines) for eye in face.eyes) > LINES_OF_EYES * face.distance
    closer = Closer(face, 1.2 if sure else 1.5, [])
    inked = [Seen(np.column_stack([line, np.ones(len(line))])) for line in findings.ink.lines]
    inked = [line for line in inked if line.length > 0.08 * face.distance]
    closer.lines = [part for line in lines for part in closer.inside(line)]
    small = [part for line in inked for part in closer.inside(line)]
    closer.lines += not_drawn_yet(small, closer.lines, findings.side, 0.05 * face.distance)
    return (face if sure else None), closer


def runs(path: np.ndarray, keep: np.ndarray) -> list[np.ndarray]:
    """The pieces of a path that are kept."""
    cuts = np.flatnonzero(np.diff(keep.astype(int))) + 1
    parts = zip(np.split(path, cuts), np.split(keep, cuts), strict=True)
    return [part for part, good in parts if good[0] and len(part) > 5]


def _drawn_near(place: np.ndarray, reach: float, lines: list[Seen]) -> float:
    """Pixels of lines that run within reach of a place."""
    total = 0.0
    for line in lines:
        near = np.hypot(*(line.path[:, :2] - place).T) < reach
        total += float(np.hypot(*np.diff(line.path[:, :2], axis=0).T)[near[1:]].sum())
    return total


def not_drawn_yet(more: list[Seen], lines: list[Seen], side: int, apart: float) -> list[Seen]:
    """The parts of some more lines that are apart from these, by pixels."""
    taken = np.zeros((side // 2 + 2, side // 2 + 2), np.uint8)
    for line in lines:
        cv2.polylines(taken, [np.round(line.path[:, None, :2] / 2).astype(np.int32)], False, 1, max(1, round(apart)))
    out = []
    for line in more:
        x, y = np.clip(np.round(line.path[:, :2] / 2).astype(int), 0, side // 2).T
        out += [Seen(part, line.fine) for part in runs(line.path, taken[y, x] == 0)]
    return out
