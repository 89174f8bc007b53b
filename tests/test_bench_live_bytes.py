"""Living tensors and copies are counted as they come and go."""

import pytest
import torch
from torch import nn

from paints_undo.bench.live_bytes import ACTIVATIONS, WEIGHTS, LiveBytes

META = torch.device("meta")
KB = 1024


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_tensors_count_while_they_live(device):
    given = torch.empty(5 * KB, dtype=torch.uint8, device=device)
    with LiveBytes(torch.device(device)) as live:
        given[KB:].view(2, -1).detach()  # what was there before is not of this block
        first = torch.empty(KB, dtype=torch.uint8, device=device)
        again = first.view(2, -1)  # the same memory
        assert live.live == KB
        second = torch.empty(2 * KB, dtype=torch.uint8, device=device)
        assert live.live == live.peak == 3 * KB
        del second
        assert (live.live, live.peak) == (KB, 3 * KB)
        assert live.restart_peak() == 3 * KB and live.peak == KB
        del first
        assert live.live == KB
        del again
        assert live.live == 0


def test_copies_are_counted_both_ways_by_kind_and_arrive_as_zeros():
    network, host = nn.Linear(KB // 4, 1), torch.ones(KB, dtype=torch.uint8)
    with torch.no_grad(), LiveBytes(META) as live:
        weights = [parameter.to(META) for parameter in (network.weight, network.bias)]
        there = host.to(META)
        back = (there + 1).cpu()
        assert not back.any() and back.device.type == "cpu"
        kept = torch.ones(KB, dtype=torch.uint8)
        kept.copy_(there)
        there.copy_(host)
        weights[0] = network.weight.to(META)
    assert live.moved == {WEIGHTS: 2 * KB + 4, ACTIVATIONS: 4 * KB}
    assert live.loads == 2


def test_networks_that_are_built_do_not_count():
    with LiveBytes(META) as live:
        with META:
            built = nn.Linear(KB, KB)
        built.state_dict()
        assert live.live == live.peak == 0
        brought = torch.ones(KB).to(META)
        assert live.live == 4 * KB
    assert built.weight.is_meta and brought.is_meta


def test_numbers_can_be_read_off_tensors_without_values():
    with LiveBytes(META):
        assert torch.empty((), device=META).item() == 1.0
        assert bool(torch.isfinite(torch.empty(3, device=META)).all())
