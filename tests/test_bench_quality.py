"""PSNR and SSIM are those of the literature."""

import numpy as np
import pytest

from paints_undo.bench.quality import EQUAL, psnr, quality, ssim

noise = np.random.default_rng(0)
PICTURE = noise.integers(0, 256, (40, 50, 3), np.uint8)
OTHER = np.clip(PICTURE + noise.normal(0, 20, PICTURE.shape), 0, 255).astype(np.uint8)
SSIM = 0.962488  # of these two, by equation 13 of Wang et al. 2004


def test_equal_pictures_are_perfect():
    assert psnr(PICTURE, PICTURE) == EQUAL and ssim(PICTURE, PICTURE) == pytest.approx(1)


def test_one_grey_level_everywhere_is_48_decibels():
    assert psnr(np.zeros((4, 4, 3), np.uint8), np.ones((4, 4, 3), np.uint8)) == pytest.approx(48.13, abs=0.01)


def test_ssim_is_the_published_one():
    assert ssim(PICTURE, OTHER) == pytest.approx(SSIM, abs=1e-6)


def test_the_worst_frame_is_told():
    found = quality(np.stack([PICTURE, PICTURE]), np.stack([PICTURE, OTHER]))
    assert found["worst_psnr"] == psnr(PICTURE, OTHER) and found["psnr"] == (EQUAL + found["worst_psnr"]) / 2
    assert found["worst_ssim"] < found["ssim"] < 1


def test_frames_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        quality(PICTURE[None], PICTURE[None, 1:])
