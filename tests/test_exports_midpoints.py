"""More frames in the widest jumps."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from fake_engine import FakeEngine

from paints_undo.errors import InputError
from paints_undo.exports.midpoints import with_midpoints
from paints_undo.options import SegmentOptions
from paints_undo.progress import OnProgress


class Even(FakeEngine):
    """Segments that run evenly from the first picture to the last."""

    def fill_pairs(
        self,
        pictures: Sequence[np.ndarray] | np.ndarray,
        options: SegmentOptions,
        on_progress: OnProgress,
        wanted: Sequence[int],
        seeds: Sequence[int],
        keep: Callable[[int, np.ndarray], None],
    ) -> None:
        share = np.linspace(0, 1, 16)[:, None, None, None]
        for pair in wanted:
            keep(pair, (pictures[pair] * (1 - share) + pictures[pair + 1] * share).round().astype(np.uint8))


def film(*values):
    return np.stack([np.full((40, 40, 3), value, np.uint8) for value in values])


def test_the_widest_jumps_are_filled_in_the_order_of_time():
    frames = with_midpoints(Even(), film(250, 240, 90, 80, 20), SegmentOptions(), 2)
    levels = frames[:, 0, 0, 0].astype(int)
    assert len(levels) == 5 + 2 * 14
    assert list(levels) == sorted(levels, reverse=True)
    assert np.diff(levels).min() >= -11


def test_no_more_than_there_are():
    assert len(with_midpoints(Even(), film(9, 8), SegmentOptions(), 100)) == 16


@pytest.mark.parametrize("count", [0, 101, 1.5])
def test_an_impossible_number(count):
    with pytest.raises(InputError, match="midpoints is"):
        with_midpoints(Even(), film(9, 8), SegmentOptions(), count)
