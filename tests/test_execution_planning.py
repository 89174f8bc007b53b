"""Which plan an engine takes, and when it looks again."""

from dataclasses import replace

import pytest

from paints_undo import KeyframeOptions, PaintsUndo


@pytest.fixture
def engine(tiny_family):
    return PaintsUndo.load(tiny_family, device="cpu")


def sized(engine, width, height):
    return replace(engine.default_options, keyframes=KeyframeOptions(width=width, height=height))


def test_bit_exact_computes_everything_alone(tiny_family, engine):
    one_by_one = PaintsUndo.load(tiny_family, device="cpu", bit_exact=True).planner
    plan = one_by_one.plan(engine.default_options).plan
    assert (plan.guidance_batch, plan.keyframes_at_once, plan.pairs_at_once) == (False, 1, 1)
    assert engine.planner.plan(engine.default_options).plan.guidance_batch


def test_a_plan_holds_until_larger_keyframes_come(engine, monkeypatch):
    used = []
    monkeypatch.setattr(engine.parts, "use", used.append)
    for width, height, plans in [(96, 64, 1), (64, 64, 1), (128, 64, 2), (96, 64, 2)]:
        engine.planner.follow(sized(engine, width, height))
        assert len(used) == plans
