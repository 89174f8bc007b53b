"""The phases of a drawing: what kind of work each keyframe shows and what is new in it, told from the pictures."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from paints_undo.errors import Sentence
from paints_undo.exports.curves import Curves, lab_of, measure
from paints_undo.exports.settling import match_colours
from paints_undo.exports.source import Source

BLANK = "blank canvas"
NAMES = (BLANK, "sketch", "line art", "colours", "finish")
CHANGED = 10.0  # CIELAB distance of a change worth showing
LITTLE = 0.01  # of the picture: less is no step of its own
LEAST_PAINTED = 0.002  # of the canvas
FEW_COLOURS, MOST_COLOURS = 0.25, 0.85  # of the finished picture's
DARK_LINES = 0.6  # of the finished picture's lines are dark


@dataclass(frozen=True)
class Phase:
    """One keyframe, or the artwork, as a step of a lesson."""

    name: Sentence  # one of NAMES, or "finished artwork"; or what strokes do
    changed: float  # share of the picture that is new or different, 0..1
    words: Sentence  # what changed, for a person


def phases_of(source: Source) -> list[Phase]:
    """A phase for each keyframe of a run, first stroke first, and one for the artwork."""
    finished = source.fit.uncover(source.fit.keyframe(source.artwork))
    frames = [*match_colours(source.fit.uncover(source.keyframes), finished), finished]
    return phases(frames, measure(frames, finished))


def phase_names(frames: list[np.ndarray], curves: Curves) -> list[str]:
    """The name of each frame's phase, uint8 (h, w, 3), the last frame finished; phases never go back."""
    dark = [float((lab_of(frame)[..., 0] < 40).mean()) for frame in frames]
    names, at_least = [], 0
    for number in range(len(frames)):
        colour = curves.colour[number] / max(curves.colour[-1], 1e-6)
        # a sketch in coloured pencil is no colouring: its colours are lines
        fill = curves.coverage[number] > 2 * curves.ink[number] + 0.1
        if curves.coverage[number] < LEAST_PAINTED:
            phase = 0
        elif fill and colour > MOST_COLOURS:
            phase = 4
        elif fill and colour > FEW_COLOURS:
            phase = 3
        else:
            phase = 2 if dark[number] > DARK_LINES * min(dark[-1], curves.ink[-1]) and dark[-1] > 0 else 1
        at_least = max(at_least, phase)
        names.append(NAMES[at_least])
    return names


def what_is_new(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Which pixels (h, w) of two pictures uint8 (h, w, 3) differ visibly."""
    apart = np.linalg.norm(lab_of(after) - lab_of(before), axis=-1)
    return cv2.GaussianBlur(apart, (0, 0), max(0.5, max(after.shape) / 500)) > CHANGED


def phases(frames: list[np.ndarray], curves: Curves) -> list[Phase]:
    """Name and change of each frame, the last one the finished artwork; the first is compared with white canvas."""
    found, before = [], np.full_like(frames[0], 255)
    for number, (frame, name) in enumerate(zip(frames, phase_names(frames, curves), strict=True)):
        changed = float(what_is_new(before, frame).mean())
        last = number == len(frames) - 1
        found.append(Phase(Sentence("finished artwork" if last else name), changed, _in_words(curves, number, changed)))
        before = frame
    return found


def _in_words(curves: Curves, number: int, changed: float) -> Sentence:
    def grown(curve: np.ndarray) -> float:
        return float(curve[number] - (curve[number - 1] if number else 0)) / max(float(curve.max()), 1e-6)

    if number == 0:
        return Sentence("The first strokes: {share:.0f} % of the canvas is touched.", 100 * curves.coverage[0])
    if changed < LITTLE:
        return Sentence("Little changes: what is there is refined.")
    grew = {
        Sentence("mostly lines are added"): grown(curves.ink),
        Sentence("colour is laid in"): grown(curves.colour),
        Sentence("more of the canvas is covered"): grown(curves.coverage),
    }
    most = max(grew, key=lambda what: grew[what])
    if grew[most] < 0.05:
        most = Sentence("what is there is refined")
    return Sentence("{share:.0f} % of the picture changes: {most}.", 100 * changed, most)
