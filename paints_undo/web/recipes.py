"""Sets of settings under one name, for one click."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.web.settings import flat

COARSE_SKETCHES = (900, 925, 950, 975)  # where the loosest sketches are
DRAFT_SHARE = 4  # a draft takes a quarter of the family's own sampling steps, and so of the time
MANY = "many"
OTHER_SEEDS = 3  # runs beside the present one
OF_NETWORKS = ("draft",)  # change nothing but settings of networks


def defaults(family: UndoOptions) -> dict[str, Any]:
    """Everything as the model family has it; prompt, size, fit and the visible mark stay."""
    kept = ("prompt", "width", "height", "fit", "mark")
    return {name: value for name, value in flat(family).items() if name not in kept}


def coarse_sketches(family: UndoOptions) -> dict[str, Any]:
    """Four loose sketches."""
    return {"operation_steps": list(COARSE_SKETCHES)}


def draft(family: UndoOptions) -> dict[str, Any]:
    """A quarter of the family's own sampling steps in both stages, and at least one."""
    own = {"sampling_steps": family.keyframes.sampling_steps, "video_sampling_steps": family.segments.sampling_steps}
    return {name: max(1, steps // DRAFT_SHARE) for name, steps in own.items()}


RECIPES: dict[str, Callable[[UndoOptions], dict[str, Any]]] = {
    "defaults": defaults,
    "coarse_sketches": coarse_sketches,
    "draft": draft,
}


def changes_of(name: str, family: UndoOptions) -> dict[str, Any]:
    """The flat settings that a recipe sets. Raises InputError for an unknown name."""
    if not isinstance(name, str) or name not in RECIPES:
        raise InputError(
            "there is no recipe {value!r}; use one of {choices}", str(name)[:60], ", ".join([*RECIPES, MANY])
        )
    return RECIPES[name](family)


def other_seeds(seed: int) -> list[int]:
    """Seeds for one picture's further processes."""
    return [(seed + i) % 2**32 for i in range(1, OTHER_SEEDS + 1)]
