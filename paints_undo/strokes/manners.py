"""Ways in which people sketch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from paints_undo.strokes.look import Findings
from paints_undo.strokes.operations import Colour
from paints_undo.strokes.pencil import Lead

BLUE: Colour = (96, 138, 214)
NAVY: Colour = (44, 56, 104)
RED: Colour = (206, 92, 84)
GREY: Colour = (92, 96, 112)
PALE: Colour = (128, 132, 150)
SOOT: Colour = (44, 44, 76)
SANGUINE: Colour = (146, 78, 56)
WHITE = 243  # from here on paper
LIGHT = 185  # mean of a picture's values from which it is mostly paper


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
    manner = manners[seed % len(manners)]
    if tone < LIGHT and float((findings.artwork.min(2) > WHITE).mean()) < 0.45:
        return manner
    # on light paper what is drawn beside its place shows for long: a lighter, surer hand
    line = replace(manner.line, half=0.75 * manner.line.half, opacity=0.85 * manner.line.opacity)
    return replace(manner, line=line, restated=0.6 * manner.restated, loose=0.5 * manner.loose, past=0.5 * manner.past)
