"""Sets of settings under one name, for one click."""

from __future__ import annotations

from typing import Any

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.web.settings import flat

COARSE_SKETCHES = (900, 925, 950, 975)  # where the loosest sketches are
DRAFT_SHARE = 4  # a draft takes a quarter of the family's own sampling steps, and so of the time
MANY = "many"
OTHER_SEEDS = 3  # runs beside the present one
OF_NETWORKS = ("draft",)  # change nothing but settings of networks
KEPT = ("prompt", "width", "height", "fit", "mark")  # by the defaults


def changes_of(name: str, family: UndoOptions) -> dict[str, Any]:
    """The flat settings that a recipe sets, for a family with these defaults. Raises InputError for an unknown name."""
    own = flat(family)
    recipes = {
        "defaults": {setting: value for setting, value in own.items() if setting not in KEPT},
        "coarse_sketches": {"operation_steps": list(COARSE_SKETCHES)},
        "draft": {steps: max(1, own[steps] // DRAFT_SHARE) for steps in ("sampling_steps", "video_sampling_steps")},
    }
    if not isinstance(name, str) or name not in recipes:
        raise InputError(
            "there is no recipe {value!r}; use one of {choices}", str(name)[:60], ", ".join([*recipes, MANY])
        )
    return recipes[name]


def other_seeds(seed: int) -> list[int]:
    """Seeds for one picture's further processes."""
    return [(seed + i) % 2**32 for i in range(1, OTHER_SEEDS + 1)]
