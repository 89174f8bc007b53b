"""What the 3D UNet is told of the two keyframes of a segment."""

import pytest
import torch

from paints_undo.stages.segments import keyframe_hint

FIRST, LAST = torch.full((4, 2, 3), 1.0), torch.full((4, 2, 3), -3.0)


def test_the_published_networks_see_the_keyframes_at_the_ends_of_an_empty_video():
    hint = keyframe_hint(FIRST, LAST, 16, "ends")
    assert hint.shape == (1, 4, 16, 2, 3)
    assert torch.equal(hint[0, :, 0], FIRST) and torch.equal(hint[0, :, -1], LAST)
    assert not hint[:, :, 1:-1].any()


def test_a_cross_fade_goes_evenly_from_one_keyframe_to_the_other():
    hint = keyframe_hint(FIRST, LAST, 16, "cross_fade")
    assert torch.equal(hint[0, :, 0], FIRST) and torch.equal(hint[0, :, -1], LAST)
    assert torch.allclose(hint.diff(dim=2), torch.full((1, 4, 15, 2, 3), -4 / 15), atol=1e-6)


@pytest.mark.parametrize("kind", ["ends", "cross_fade"])
def test_many_pairs_and_other_number_formats(kind):
    first, last = torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(0)).half()
    hint = keyframe_hint(first, last, 16, kind)
    assert hint.shape == (3, 4, 16, 2, 2) and hint.dtype == torch.float16
    assert torch.equal(hint[:, :, 0], first) and torch.equal(hint[:, :, -1], last)
    single = keyframe_hint(first[1], last[1], 16, kind)
    assert torch.equal(single[0], hint[1])
