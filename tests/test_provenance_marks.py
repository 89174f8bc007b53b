"""The visible mark: small, in its corner, legible on every ground."""

import numpy as np
import pytest

from paints_undo.provenance.marks import marked


@pytest.mark.parametrize(("width", "height"), [(512, 640), (320, 512), (128, 128), (64, 64), (32, 32)])
@pytest.mark.parametrize("ground", [0, 128, 255])
def test_the_mark_is_small_and_in_the_corner(width, height, ground):
    frame = np.full((height, width, 3), ground, np.uint8)
    changed = (marked(frame) != frame).any(-1)
    rows, columns = np.nonzero(changed)
    assert changed.any() and changed.mean() < 0.06 + 8 / width  # letters cannot be smaller than they can be read
    assert rows.min() > 0.45 * height and columns.min() > 0.3 * width
    assert (frame == ground).all()


@pytest.mark.parametrize("ground", [0, 90, 200, 255])
def test_the_mark_stands_out_and_is_the_same_in_every_frame(ground):
    frame = np.full((640, 512, 3), ground, np.uint8)
    shown = marked(frame).astype(int)
    assert shown.max() - shown.min() > 80 and np.array_equal(marked(frame), shown)
