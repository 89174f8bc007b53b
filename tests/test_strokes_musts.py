"""What every process of the family `strokes` must be, whatever the picture: one drawn here, or one that is hard."""

from __future__ import annotations

from collections import Counter

import pytest
from awkward_pictures import AWKWARD, planned, scene
from strokes_figures import measured

from paints_undo.errors import InputError
from paints_undo.strokes.operations import PHASES, TOTAL
from paints_undo.strokes.process import Process, plan_process

WHITE = "there is nothing to draw in this picture; it is a white sheet"
REFUSED = {
    **dict.fromkeys(("white", "off white", "faint", "one pixel"), WHITE),
    "2000 x 3": "the picture is 3 x 2000 pixels; to be drawn, its longer side may be 60 times the shorter",
}
SLOW = ("banner", "3 x 100", "one colour")  # like another, or of many pixels


def check(process: Process) -> None:
    """Every must that holds for any picture."""
    figures = measured(process, lines=False)
    assert figures.operations == TOTAL
    assert figures.exact and figures.flattened
    assert figures.unseen == 0
    assert figures.still <= 0.03
    assert figures.area <= 0.003 and figures.area_95 <= 0.025
    assert figures.details_cover <= 0.25
    phases = [PHASES.index(operation.phase) for operation in process.operations if operation.phase != "details"]
    assert phases == sorted(phases)


HARD = [name for name in AWKWARD if name not in (*REFUSED, *SLOW)]


@pytest.mark.parametrize(("name", "seed"), [(name, place % 4) for place, name in enumerate(HARD)])
def test_hard_pictures_are_drawn_too(name: str, seed: int) -> None:
    """One after another with each of the habits, which a seed chooses."""
    check(planned(name, seed))


@pytest.mark.parametrize("name", SLOW)
def test_others_of_their_kind_are_planned(name: str) -> None:
    process = planned(name)
    assert len(process.operations) == TOTAL
    assert (process.canvas(TOTAL) == process.artwork).all()


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_drawn_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(InputError) as refused:
        plan_process(AWKWARD[name]())
    assert str(refused.value) == REFUSED[name]


def test_a_tiny_picture_is_drawn_enlarged_each_pixel_a_square() -> None:
    icon, process = AWKWARD["icon"](), planned("icon")
    times = process.size[0] // icon.shape[0]
    assert times > 1 and process.size == (icon.shape[0] * times, icon.shape[1] * times)
    assert (process.canvas(TOTAL)[::times, ::times] == icon).all()


def test_a_drawing_with_lines_and_flats_meets_every_must() -> None:
    figures = measured(plan_process(scene(384, 300)))
    assert figures.one_piece >= 0.95
    assert figures.back <= 0.02 and figures.undone <= 0.02
    assert figures.paper_left <= 0.005
    assert figures.below_details <= 2.5
    assert figures.crisp >= 1
    assert figures.ink_precision >= 0.85 and figures.ink_recall >= 0.8


def test_few_lines_are_searched_for_in_pencil_before_the_ink() -> None:
    counts = Counter(operation.phase for operation in planned("few lines").operations)
    assert counts["sketch"] > 400 and counts["ink"] > 100
    assert counts["flats"] + counts["shading"] + counts["details"] < 20
