"""Guidance pushes away from the negative prediction, and rescaling keeps the positive one's contrast."""

import pytest
import torch

from paints_undo.diffusion.guidance import guided, rescaled_guidance

X = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))


def positive(x, timestep):
    return x + timestep


def negative(x, timestep):
    return 0.5 * x


def test_guided():
    torch.testing.assert_close(guided(positive, negative, 3.0)(X, 7), 0.5 * X + 3 * (0.5 * X + 7))


@pytest.mark.parametrize("rescale", [0.0, 0.7, 1.0])
def test_rescaled(rescale):
    plain = guided(positive, negative, 7.5)(X, 7)
    found = rescaled_guidance(positive, negative, 7.5, rescale)(X, 7)
    for row in range(2):
        ratio = (X[row] + 7).std() / plain[row].std()
        torch.testing.assert_close(found[row], plain[row] * (rescale * ratio + 1 - rescale))
        if rescale == 1:
            torch.testing.assert_close(found[row].std(), (X[row] + 7).std())


@pytest.mark.parametrize("guide", [guided, rescaled_guidance])
def test_scale_one_is_the_positive_prediction_alone(guide):
    def never(x, timestep):
        raise AssertionError("the negative branch was computed")

    assert torch.equal(guide(positive, never, 1)(X, 7), positive(X, 7))
