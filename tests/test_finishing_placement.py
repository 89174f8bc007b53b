"""Where an artwork lies in the frames, against pictures that were really cut and padded."""

import numpy as np
import pytest

from paints_undo.errors import InputError
from paints_undo.finishing.placement import Placement, check_fit, cropped, fitted, padded, placed
from paints_undo.images import crop_to


def marked(width, height):
    """White with one dark rectangle."""
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[height // 4 : height // 2, width // 4 : width // 2] = 0
    return picture


def centre(picture):
    """Centre of what is dark, x and y."""
    dark = 255 - picture[..., 0].astype(float)
    ys, xs = np.mgrid[: dark.shape[0], : dark.shape[1]] + 0.5
    return (dark * xs).sum() / dark.sum(), (dark * ys).sum() / dark.sum()


@pytest.mark.parametrize("size", [(1080, 1350), (640, 512), (333, 777), (128, 128)])
@pytest.mark.parametrize(("canvas", "seen"), [((512, 640), (384, 448)), ((128, 128), (128, 128))])
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_a_point_of_the_artwork_is_where_the_placement_says(size, canvas, seen, fit):
    artwork = marked(*size)
    frame = crop_to(fitted(artwork, *canvas, seen, fit), *seen)
    placement = placed(size, canvas, seen, fit).then(cropped(canvas, *seen))
    expected = [c * s + o for c, s, o in zip(centre(artwork), placement.scale, placement.offset, strict=True)]
    if fit == "pad" or size[0] * 1.3 > size[1]:  # elsewhere the mark itself is cut
        assert centre(frame) == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize("size", [(1080, 1350), (900, 300), (300, 900), (512, 640)])
def test_padding_loses_nothing_in_both_cuts(size):
    canvas, seen = (512, 640), (384, 448)
    artwork = np.zeros((size[1], size[0], 3), np.uint8)
    frame = crop_to(fitted(artwork, *canvas, seen, "pad"), *seen)
    placement = padded(size, *canvas, seen).then(cropped(canvas, *seen))
    for axis, length in enumerate(seen):
        low = placement.offset[axis]
        assert low >= -0.5 and low + size[axis] * placement.scale[axis] <= length + 0.5
    shape = size[0] / size[1]
    found = (frame[seen[1] // 2, :, 0] < 128).sum() / (frame[:, seen[0] // 2, 0] < 128).sum()
    assert found == pytest.approx(shape, rel=0.02)


def test_the_same_place_in_another_size():
    placement = Placement((0.5, 0.25), (3.0, -2.0))
    assert placement.of_resized((100, 80), (50, 20)) == Placement((1.0, 1.0), (3.0, -2.0))


def test_another_fit_is_refused():
    assert check_fit("pad") == "pad"
    with pytest.raises(InputError, match="fit is 'stretch'; use pad"):
        check_fit("stretch")
