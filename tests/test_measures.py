"""PSNR and flicker of pictures whose figures are known."""

import numpy as np
import pytest
from measures import flicker, peak_signal_to_noise


def grey(value):
    return np.full((4, 5, 3), value, np.uint8)


def test_peak_signal_to_noise():
    assert peak_signal_to_noise(grey(7), grey(7)) == float("inf")
    assert peak_signal_to_noise(grey(0), grey(255)) == 0
    assert peak_signal_to_noise(grey(100), grey(110)) == pytest.approx(28.13, abs=0.01)


def test_flicker_is_what_goes_back_and_forth():
    assert flicker(map(grey, (10, 20, 30, 90, 200))) == 0
    assert flicker(map(grey, (10, 20, 10))) == 10
    assert flicker(map(grey, (200, 190, 200, 190))) == 10
    assert flicker([grey(1)]) == 0
