"""Guidance pushes away from the negative prediction, and rescaling keeps the positive one's contrast."""

import pytest
import torch

from paints_undo.diffusion.guidance import Branches, guided, guided_within, rescaled_guidance

X = torch.randn(2, 4, 3, 5, generator=torch.Generator().manual_seed(0))


def positive(x, timestep):
    return x + timestep


def negative(x, timestep):
    return 0.5 * x


def joined(x, timestep):
    """What a network does that is told both conditions: the first half of its batch follows the positive one."""
    toward, away = x.chunk(2)
    return torch.cat([positive(toward, timestep), negative(away, timestep)])


WAYS = [Branches.in_two_passes(positive, negative), Branches.in_one_batch(positive, joined)]


@pytest.mark.parametrize("branches", WAYS)
def test_guided(branches):
    torch.testing.assert_close(guided(branches, 3.0)(X, 7), 0.5 * X + 3 * (0.5 * X + 7))


@pytest.mark.parametrize("rescale", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("branches", WAYS)
def test_rescaled(branches, rescale):
    plain = guided(branches, 7.5)(X, 7)
    found = rescaled_guidance(branches, 7.5, rescale)(X, 7)
    for row in range(2):
        ratio = (X[row] + 7).std() / plain[row].std()
        torch.testing.assert_close(found[row], plain[row] * (rescale * ratio + 1 - rescale))
        if rescale == 1:
            torch.testing.assert_close(found[row].std(), (X[row] + 7).std())


def never(x, timestep):
    raise AssertionError("a branch was computed that is not needed")


@pytest.mark.parametrize("guide", [guided, rescaled_guidance])
@pytest.mark.parametrize("branches", [Branches.in_two_passes(positive, never), Branches.in_one_batch(positive, never)])
def test_scale_one_is_the_positive_prediction_alone(guide, branches):
    assert torch.equal(guide(branches, 1)(X, 7), positive(X, 7))


@pytest.mark.parametrize(("timestep", "is_guided"), [(199, False), (200, True), (800, True), (801, False)])
def test_guidance_within_an_interval(timestep, is_guided):
    ways = (negative, never) if is_guided else (never, negative)
    assert torch.equal(guided_within(200, 800, *ways)(X, timestep), negative(X, timestep))
