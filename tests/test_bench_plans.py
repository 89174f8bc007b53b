"""Plans of one's choice, by the memory that an engine is told to use."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from paints_undo.bench.plans import engine_by
from paints_undo.errors import InputError
from paints_undo.execution.plan import GIB, LADDER, RESIDENT, Candidate
from paints_undo.execution.plans import choose
from paints_undo.options import UndoOptions

CANDIDATES = [Candidate(plan, GIB * (20 - number), None) for number, plan in enumerate([RESIDENT, *LADDER])]


META, OPTIONS = torch.device("meta"), UndoOptions()


def engine(vram: str) -> Any:
    """Chooses as the real one does among plans of 20, 19, 18 ... GiB."""
    free = None if vram == "auto" else int(float(vram) * GIB)
    return SimpleNamespace(vram=vram, plan=lambda options: choose(CANDIDATES, free, META))


@pytest.mark.parametrize("place", range(1, 6))
def test_each_plan_comes_in_as_little_memory_as_it_has(place):
    wanted = CANDIDATES[place]
    found = engine_by(wanted.plan.name, OPTIONS, engine)
    assert found.plan(OPTIONS) is wanted


def test_its_own_choice_is_left_to_the_engine():
    found: Any = engine_by("auto", OPTIONS, engine)
    assert found.vram == "auto"


def test_other_names_and_plans_that_a_device_has_not_are_refused(monkeypatch):
    with pytest.raises(InputError, match="plan is 'fast'; use one or more of auto, resident"):
        engine_by("fast", OPTIONS, engine)
    monkeypatch.setattr(f"{__name__}.CANDIDATES", CANDIDATES[:2])
    with pytest.raises(InputError, match="the plan least is none of those .*: resident, resident"):
        engine_by("least", OPTIONS, engine)
