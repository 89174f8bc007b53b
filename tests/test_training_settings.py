from dataclasses import dataclass, replace

import pytest

from paints_undo.training.settings import Checked, Settings, share, within


@dataclass(frozen=True)
class Sizes(Checked):
    widths: tuple[int, ...] = within((8, 16), 1)
    limit: int | None = within(None, 1)
    part: float = share(0.5)
    free: int = -3


@dataclass(frozen=True)
class Crops(Settings):
    COUNTED = "crops"

    crops: int = within(4, 1)


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        ({"widths": (8, 0)}, r"widths must be at least 1, got \(8, 0\)"),
        ({"widths": ()}, "widths must be at least 1"),
        ({"limit": 0}, "limit must be at least 1, got 0"),
        ({"part": 1.5}, "part must lie in 0 to 1, got 1.5"),
        ({"part": float("nan")}, "part must lie in 0 to 1"),
    ],
)
def test_the_first_field_out_of_range_is_named(wrong, problem):
    assert Sizes().limit is None and Sizes(limit=1, part=1).free == -3
    with pytest.raises(ValueError, match=problem):
        replace(Sizes(), **wrong)


def test_an_update_has_what_the_counted_field_says():
    assert Crops().count == 4 and Crops().with_batch(9) == Crops(9) and Crops().for_size(256) == Crops()
    with pytest.raises(ValueError, match="crops must be at least 1"):
        Crops().with_batch(0)
