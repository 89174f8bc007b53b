"""Recipes are settings that every run takes."""

from typing import Any

import pytest

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.web.recipes import RECIPES, changes_of, other_seeds
from paints_undo.web.settings import changed, flat


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_can_be_applied(name):
    options = changed(UndoOptions(), {"prompt": "1girl", "width": 256, "sampling_steps": 7})
    after = changed(options, changes_of(name, UndoOptions()))
    assert (after.keyframes.prompt, after.keyframes.width) == ("1girl", 256)
    assert after != options


@pytest.mark.parametrize(("own", "draft"), [(50, 12), (20, 5), (12, 3), (4, 1), (2, 1), (1, 1)])
def test_a_draft_takes_no_more_steps_than_the_family(own, draft):
    family = changed(UndoOptions(), {"sampling_steps": own, "video_sampling_steps": max(1, own // 2)})
    after = changes_of("draft", family)
    assert after == {"sampling_steps": draft, "video_sampling_steps": max(1, own // 2 // 4)}
    assert all(after[name] <= steps for name, steps in flat(family).items() if name in after)


def test_what_they_set():
    assert changes_of("coarse_sketches", UndoOptions()) == {"operation_steps": [900, 925, 950, 975]}
    assert changes_of("defaults", UndoOptions()).items() <= flat(UndoOptions()).items()
    assert other_seeds(2**32 - 2) == [2**32 - 1, 0, 1]
    wrong: tuple[Any, ...] = ("magic", None, ["draft"])
    for unknown in wrong:
        with pytest.raises(InputError, match="use one of defaults, coarse_sketches, draft, many"):
            changes_of(unknown, UndoOptions())
