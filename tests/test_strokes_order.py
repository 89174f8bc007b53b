"""Another seed is another order of the same work, and no order leaves anything out."""

from __future__ import annotations

import numpy as np
from awkward_pictures import planned, scene

from paints_undo.strokes.laying import painted_flats
from paints_undo.strokes.look import GROUND, KINDS, look
from paints_undo.strokes.operations import Operation
from paints_undo.strokes.order import Order

BEHIND = f"flat colour of {KINDS[GROUND]}"


def flats_of(seed: int) -> list[Operation]:
    return [one for one in planned("scene", seed).operations if one.phase == "flats" and one.kind == "stroke"]


def test_every_order_has_every_flat_once() -> None:
    findings = look(scene())
    flats = painted_flats(findings)
    for seed in range(25):
        order = Order.of(seed).of_flats(findings, flats, 500, np.random.default_rng(seed))
        assert sorted(order) == flats.tolist()


def test_no_two_of_25_seeds_choose_alike() -> None:
    chosen = {(way.kinds, way.within) for way in map(Order.of, range(7, 32))}
    assert len(chosen) == 25


def test_one_seed_begins_with_the_figure_and_another_with_the_background() -> None:
    figure, ground = ([one.title == BEHIND for one in flats_of(seed)] for seed in (0, 1))
    assert not figure[0] and figure[-1]
    assert ground[0] and not ground[-1]
