"""In which order somebody works: a seed chooses among orders that are all believable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from paints_undo.strokes.cells import tour
from paints_undo.strokes.look import BEHIND, EYES, FACE, FIGURE, GROUND, HAIR, HEAD, SKIN, THINGS, Findings

FIRST = (  # what is filled first: all begin with a mass, and none leaves the skin to the end
    (SKIN, EYES, HAIR, THINGS, GROUND),
    (GROUND, SKIN, HAIR, EYES, THINGS),
    (HAIR, SKIN, EYES, THINGS, GROUND),
    (THINGS, SKIN, HAIR, EYES, GROUND),
    (SKIN, EYES, HAIR, GROUND, THINGS),
)
ZONES = {GROUND: (BEHIND, FACE, HEAD, FIGURE), THINGS: (FIGURE, FACE, HEAD, BEHIND)}  # by what is filled first
RETURNS = 0.12  # the share of flats that are left out at first, and come back to


def _far(findings: Findings, flats: np.ndarray) -> np.ndarray:
    """How far from the focus, of the longer side."""
    return np.hypot(*(findings.middles[flats] - findings.focus).T) / findings.side


def _large(findings: Findings, flats: np.ndarray) -> np.ndarray:
    """How large and near the focus."""
    return findings.regions.flat_area[flats] / (1 + 2 * _far(findings, flats))


def _light(findings: Findings, flats: np.ndarray) -> np.ndarray:
    """How light, 0 to 255."""
    return findings.regions.flat_colour[flats] @ (0.3, 0.59, 0.11)


WITHIN: tuple[Callable[[Findings, np.ndarray], np.ndarray], ...] = (
    lambda findings, flats: -_large(findings, flats),
    lambda findings, flats: -_light(findings, flats),
    lambda findings, flats: findings.middles[flats, 1],  # from the top down
    _light,  # dark ones first
    _far,
)


@dataclass(frozen=True)
class Order:
    """kinds: of flats.  within: what places the large flats of one kind, least first.  zones: of painting."""

    kinds: tuple[int, ...]
    within: Callable[[Findings, np.ndarray], np.ndarray]
    zones: tuple[int, ...]

    @classmethod
    def of(cls, seed: int) -> Order:
        """The order of a seed: of 25 seeds in a row no two have the same."""
        kinds = FIRST[seed % 5]
        return cls(kinds, WITHIN[(seed + seed // 5) % 5], ZONES.get(kinds[0], (FACE, HEAD, FIGURE, BEHIND)))

    @property
    def shaded(self) -> tuple[int, ...]:
        """The zones in which shading and details come: a face is not kept waiting for the background."""
        return (*(zone for zone in self.zones if zone != BEHIND), BEHIND)

    def of_flats(self, findings: Findings, flats: np.ndarray, large: float, rng: np.random.Generator) -> list[int]:
        """Flats, kind by kind, those of an area before smaller ones; now and then one is come back to."""
        out: list[int] = []
        for kind in self.kinds:
            now = flats[findings.kinds[flats] == kind]
            big = findings.regions.flat_area[now] > large
            place = np.argsort(np.argsort(self.within(findings, now[big]), kind="stable"), kind="stable").astype(float)
            place[rng.random(len(place)) < RETURNS] += rng.uniform(1, 4)
            out += now[big][np.argsort(place, kind="stable")].tolist()
            small = now[~big]
            out += [int(small[k]) for k in tour(findings.middles[small], findings.focus, rng)]
        return out
