"""Engines that work by a plan of one's choice: they are told to use as little memory as makes them choose it."""

from __future__ import annotations

from collections.abc import Callable

from paints_undo.engine import Engine
from paints_undo.errors import InputError
from paints_undo.execution.plan import GIB, NAMES
from paints_undo.options import UndoOptions

PLANS = ("auto", *NAMES)
PLENTY = 1024.0  # GiB, more than the fastest plan of any run needs


def check_plan(plan: str) -> None:
    """Raises InputError for a name that is none."""
    if plan not in PLANS:
        raise InputError(f"plan is {plan!r}; use one or more of {', '.join(PLANS)}, with commas between them")


def engine_by(plan: str, options: UndoOptions, load: Callable[[str], Engine]) -> Engine:
    """The engine that works by this plan, in as little memory as it has under that name; "auto": its own choice.

    load: gives an engine for so many GiB, as PaintsUndo.load(vram=...).  Raises InputError where the device has no
    such plan, or too little memory for it.
    """
    check_plan(plan)
    if plan == "auto":
        return load("auto")
    found, vram, names = None, PLENTY, []
    while found is None or names[-1] == plan:
        engine = load(str(vram))
        try:
            candidate = engine.plan(options)
        except InputError:  # too little memory for any
            break
        if candidate.need > vram * GIB:  # on a CPU too little is no hindrance
            break
        names.append(candidate.plan.name)
        found = engine if names[-1] == plan else found
        vram = candidate.need / GIB - 0.001  # too little for this one
    if found is None:
        raise InputError(f"the plan {plan} is none of those that this device has memory for: {', '.join(names)}")
    return found
