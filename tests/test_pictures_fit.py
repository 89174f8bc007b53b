"""Where an artwork lies in the frames, against pictures that were really cut and padded."""

import numpy as np
import pytest

from paints_undo.errors import InputError
from paints_undo.options import FITS, OWN_SIZE, KeyframeOptions, UndoOptions
from paints_undo.pictures.fit import KINDS, Crop, Fit, Placement, crop_to


def marked(width, height):
    """White with one dark rectangle."""
    picture = np.full((height, width, 3), 255, np.uint8)
    picture[height // 4 : height // 2, width // 4 : width // 2] = 0
    return picture


def framed(width, height):
    """White with a dark frame, a thirtieth of the picture wide."""
    picture = np.full((height, width, 3), 40, np.uint8)
    inner = max(width, height) // 30
    picture[inner:-inner, inner:-inner] = 255
    return picture


def centre(picture):
    """Centre of what is dark, x and y."""
    dark = 255 - picture[..., 0].astype(float)
    ys, xs = np.mgrid[: dark.shape[0], : dark.shape[1]] + 0.5
    return (dark * xs).sum() / dark.sum(), (dark * ys).sum() / dark.sum()


@pytest.mark.parametrize("size", [(1080, 1350), (640, 512), (333, 777), (128, 128)])
@pytest.mark.parametrize("canvas", [(512, 640), (384, 448), (128, 128)])
@pytest.mark.parametrize("fit", ["pad", "crop"])
def test_a_point_of_the_artwork_is_where_the_placement_says(size, canvas, fit):
    artwork = marked(*size)
    lying = KINDS[fit](size, canvas)
    placement = lying.placement(canvas)
    expected = [c * s + o for c, s, o in zip(centre(artwork), placement.scale, placement.offset, strict=True)]
    if fit == "pad" or size[0] * 1.3 > size[1]:  # elsewhere the mark itself is cut
        assert centre(lying.keyframe(artwork)) == pytest.approx(expected, abs=1.0)


@pytest.mark.parametrize("size", [(1080, 1350), (900, 300), (300, 900), (512, 640), (40, 320), (333, 335)])
@pytest.mark.parametrize(("canvas", "video"), [((512, 640), (384, 448)), ((112, 144), (128, 128))])
def test_both_stages_see_the_whole_picture_and_people_see_nothing_else(size, canvas, video):
    fit = Fit(size, canvas)
    keyframe = fit.keyframe(framed(*size))
    for picture, (width, height) in ((keyframe, canvas), (fit.to_fill_from(keyframe, [video[::-1]]), video)):
        assert picture.shape == (height, width, 3)
        shown = fit.uncover(picture)
        rows, columns = shown.shape[:2]
        assert rows % 2 == columns % 2 == 0 and (width - columns < 4 or height - rows < 4), "as large as it fits"
        assert columns / rows == pytest.approx(size[0] / size[1], rel=2.5 / min(rows, columns))
        for border in (shown[0], shown[-1], shown[:, 0], shown[:, -1]):
            assert (border < 250).any(-1).mean() > 0.9, "the frame around the artwork is there at each side"


def test_margins_go_on_with_the_picture():
    gradient = np.repeat(np.linspace(0, 255, 60).astype(np.uint8)[:, None, None], 20, 1).repeat(3, 2)
    laid = Fit((20, 60), (60, 60)).keyframe(gradient)
    assert (laid == laid[:, 30:31]).all(), "no edge between the picture and what lies beside it"


def test_many_pictures_at_once_and_small_previews():
    fit = Fit((100, 200), (64, 64))
    assert fit.uncover(np.zeros((2, 5, 128, 128, 3), np.uint8)).shape == (2, 5, 128, 64, 3)
    assert fit.uncover(np.zeros((16, 16, 3), np.uint8)).shape == (16, 8, 3) and fit.shown == (32, 64)


def test_the_original_cut_is_left_alone():
    artwork = np.random.default_rng(0).integers(0, 256, (90, 50, 3), np.uint8)
    fit = Crop((50, 90), (64, 80))
    cut = fit.keyframe(artwork)
    assert np.array_equal(cut, crop_to(artwork, 64, 80)) and fit.shown == fit.canvas
    assert np.array_equal(fit.uncover(cut), cut), "there are no margins"
    assert fit.to_draw_from(artwork) is artwork and fit.to_fill_from(cut, [(32, 32)]) is cut, "each stage cuts itself"
    assert np.array_equal(fit.lay(artwork, (32, 32)), crop_to(cut, 32, 32)), "a frame is cut from a keyframe"


def test_a_picture_of_ones_own_lies_where_the_artwork_does():
    fit = Fit((50, 100), (80, 80))
    own = np.full((200, 100, 3), 40, np.uint8)
    laid = fit.keyframe(own)
    assert laid.shape == (80, 80, 3) and fit.uncover(laid).shape == (80, 40, 3)
    exact = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    assert np.array_equal(fit.keyframe(exact), exact), "a keyframe's own file comes back as it is"


def test_the_same_place_in_another_size():
    placement = Placement((0.5, 0.25), (3.0, -2.0))
    assert placement.of_resized((100, 80), (50, 20)) == Placement((1.0, 1.0), (3.0, -2.0))


@pytest.mark.parametrize("word", ["stretch", [], None])
def test_another_fit_is_refused(word):
    with pytest.raises(InputError, match="fit is .*; use one of pad, crop"):
        UndoOptions(fit=word)


@pytest.mark.parametrize("word", FITS)
def test_the_fit_of_a_run(word):
    options = UndoOptions(KeyframeOptions(width=64, height=80), fit=word)
    assert Fit.of(options, (90, 50, 3)) == KINDS[word]((50, 90), (64, 80)) and set(KINDS) == {*FITS, OWN_SIZE}
