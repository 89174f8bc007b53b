"""Habits of a hand that lay no paint: the canvas seen in a mirror, and colours that are a little off until adjusted."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from paints_undo.strokes.operations import Colour, Operation, Plan

FLIPPED = (10, 36)  # operations, long enough to be seen in a film, until the canvas is flipped back
OFF = 94, 129  # what each channel of mid grey is in colours that are off: darker, as they must show on paper


@dataclass(frozen=True)
class Habits:
    """flips: how often the canvas is flipped, and flipped back.  tint: what mid grey is among flats at first."""

    flips: int
    tint: Colour | None

    @classmethod
    def of(cls, seed: int) -> Habits:
        """The habits of a seed: every fourth has none, the next one flips, the next adjusts, the next does both."""
        rng = np.random.default_rng((seed, 88))
        red, green, blue = (int(part) for part in rng.integers(*OFF, 3))
        flips = int(rng.integers(1, 3)) if seed % 2 else 0
        return cls(flips, (red, green, blue) if seed % 4 > 1 else None)

    @property
    def count(self) -> int:
        """How many operations they are."""
        return 2 * self.flips + (self.tint is not None)

    def among(self, plan: Plan) -> Plan:
        """The plan with them: flips between its first line of ink and its details, colours after its flats."""
        rng = np.random.default_rng((plan.seed, 89))
        places: dict[int, list[Operation]] = {}  # by the number of operations that are done before
        flats = [k for k, one in enumerate(plan.operations, 1) if one.phase == "flats" and one.owns]
        if self.tint is not None and flats:
            places[flats[-1]] = [_habit(plan, flats[-1], "adjust", "adjust the colours", self.tint)]
        owning = [k for k, one in enumerate(plan.operations, 1) if one.owns and one.phase != "details"]
        for some in np.array_split(owning[: -FLIPPED[1]], max(1, self.flips)) if self.flips else []:
            if len(some) > FLIPPED[1]:
                first = int(rng.choice(some[: -FLIPPED[1]]))
                last = first + int(rng.integers(*FLIPPED))
                for place, title in ((first, "flip the canvas"), (last, "flip the canvas back")):
                    places.setdefault(place, []).append(_habit(plan, place, "flip", title))
        operations: list[Operation] = []
        new = np.zeros(len(plan.operations) + 1, np.uint16)
        for number, operation in enumerate(plan.operations, 1):
            operations.append(operation)
            new[number] = len(operations)
            operations += places.get(number, [])
        owners = {phase: new[owned] for phase, owned in plan.owners.items()}
        return replace(plan, operations=tuple(operations), owners=owners)


def _habit(plan: Plan, place: int, kind: str, title: str, colour: Colour | None = None) -> Operation:
    """An operation on the whole canvas, in the phase in which it comes."""
    before = plan.operations[place - 1]
    layer = "flats" if kind == "adjust" else before.layer
    return Operation(before.phase, layer, "none", np.zeros((0, 3), np.float32), colour, 1.0, kind, title)
