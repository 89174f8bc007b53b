"""Deep features are reused when asked for, under the same conditions only, and cost less."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from paints_undo.models.feature_reuse import feature_reuse, sampling_step
from paints_undo.models.video_unet import VideoUNet
from paints_undo.models.video_unet_config import VideoUNetConfig

CONFIG = VideoUNetConfig(
    model_channels=32, channel_mult=(1, 2), num_res_blocks=1, num_head_channels=8, context_dim=16, norm_groups=8
)


@pytest.fixture(scope="module")
def unet():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VideoUNet(CONFIG).eval()


def drawn(*shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


class Step:
    """The network under conditions of its own, called with other latents in every step."""

    def __init__(self, unet, seed=0):
        self.unet = unet
        self.conditions = drawn(1, 5, 16, seed=seed), drawn(1, 16, 2, 16, seed=seed), drawn(1, 4, 16, 8, 8, seed=seed)

    @torch.inference_mode()
    def __call__(self, number):
        sampling_step(900 - number)
        return self.unet(drawn(1, 4, 16, 8, 8, seed=100 + number), torch.tensor([900 - number]), *self.conditions,
                         torch.tensor([3]))  # fmt: skip

    def flops(self, number):
        with FlopCounterMode(display=False) as counter:
            self(number)
        return counter.get_total_flops()


def test_interval_1_is_the_plain_network(unet):
    step = Step(unet)
    with feature_reuse(interval=1):
        found = [step(number) for number in range(3)]
    assert all(torch.equal(step(number), each) for number, each in enumerate(found))


def test_whole_steps_are_exact_and_those_between_are_not_but_cost_less(unet):
    step = Step(unet)
    exact, whole = [step(number) for number in range(5)], step.flops(0)
    with feature_reuse(interval=3):
        found = [step(number) for number in range(5)]
    assert [torch.equal(a, b) for a, b in zip(exact, found, strict=True)] == [True, False, False, True, False]
    with feature_reuse(interval=2):
        assert step.flops(0) == whole
        assert step.flops(1) < 0.6 * whole
        assert step.flops(2) == whole


def test_each_condition_has_its_own_features(unet):
    positive, negative = Step(unet), Step(unet, seed=1)
    with feature_reuse():
        alone = [positive(0), positive(1)]
    with feature_reuse():
        together = [positive(0), negative(0), positive(1)]
    assert torch.equal(together[0], alone[0])
    assert torch.equal(together[1], negative(0))
    assert torch.equal(together[2], alone[1])


def test_features_left_by_a_branch_that_ended_are_not_taken_up_again(unet):
    positive, negative = Step(unet), Step(unet, seed=1)
    with feature_reuse():
        for step, number in ((positive, 0), (negative, 0), (positive, 1), (positive, 2)):
            step(number)
        assert torch.equal(negative(3), Step(unet, seed=1)(3))


def test_a_new_block_starts_anew_and_outside_nothing_is_kept(unet):
    step = Step(unet)
    for number in range(2):
        with feature_reuse():
            assert torch.equal(step(number), Step(unet)(number))


def test_a_bad_interval():
    with pytest.raises(ValueError, match="interval is 0"), feature_reuse(0):
        pass
