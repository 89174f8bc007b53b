"""Networks computed through a ring of memory much smaller than they are: same numbers, counted bytes."""

import pytest
import torch
from emulated_device import EmulatedDevice
from torch import nn
from unet_calls import CALLS

from paints_undo.execution.block_streaming import BlockStream, split
from paints_undo.execution.parts import weights_channels_last
from paints_undo.family.model_family import open_family
from paints_undo.family.weights import load_part


def size(network):
    return sum(tensor.nbytes for tensor in network.state_dict().values())


@pytest.mark.parametrize("pins", [False, True])
@pytest.mark.parametrize("part", CALLS)
def test_same_numbers_through_a_small_ring(tiny_family, part, pins):
    network = load_part(open_family(tiny_family), part, torch.float32)
    call, total = CALLS[part](network), size(network)
    pointers = [tensor.data_ptr() for tensor in network.state_dict().values()]
    device, ring = EmulatedDevice(pins=pins), total // 3
    stream = BlockStream(network, ring, device)
    with torch.inference_mode():
        expected = call()
        with stream.running():
            results = [call() for _ in range(3)]
    assert all(torch.equal(result, expected) for result in results)
    assert [tensor.data_ptr() for tensor in network.state_dict().values()] == pointers and device.live == 0
    rest = sum(place.tensor.nbytes for place in stream._rest)
    assert device.peak == ring + rest and rest < total / 100
    assert set(stream.next) == set(stream.blocks.values()), "a block's own forward was not called"
    # every block once a forward, and those already fetched for a next one
    blocks = sum(block.size if pins else size(block.module) for block in stream.blocks.values())
    assert device.loads == 1 and 3 * blocks <= device.bytes_moved - rest <= 3 * blocks + ring


def layers(*widths):
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(a, b, bias=False) for a, b in zip(widths, widths[1:], strict=False))).eval()


def test_blocks_to_come_are_there_before_they_are_needed():
    network, device = layers(*[64] * 9), EmulatedDevice()
    one = 64 * 64 * 4
    stream, seen = BlockStream(network, 4 * one, device), []
    with torch.inference_mode(), stream.running():
        x = torch.ones(1, 64)
        network(x)
        assert device.bytes_moved == 8 * one
        network[2].register_forward_hook(lambda *_: seen.append([entry.block.module for entry in stream._held]))
        network(x)
    assert seen == [[network[i] for i in (2, 3, 4, 5)]]


@pytest.mark.parametrize("pins", [False, True])
def test_weights_keep_the_order_that_they_have(pins):
    network, seen = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)).eval(), []
    weights_channels_last(network)
    x = torch.rand(1, 4, 8, 8)
    network[1].register_forward_hook(lambda layer, *_: seen.append(layer.weight))
    with torch.inference_mode():
        expected = network(x)
        with BlockStream(network, 1024, EmulatedDevice(pins=pins)).running():
            assert torch.equal(network(x), expected)
    assert len({weight.data_ptr() for weight in seen}) == 2
    assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in seen)


def test_another_order_than_the_last_time():
    network, device = layers(*[32] * 7), EmulatedDevice()
    stream, generator = BlockStream(network, 3 * 32 * 32 * 4, device), torch.Generator().manual_seed(0)
    x = torch.randn(2, 32, generator=generator)
    with torch.inference_mode():
        for _ in range(10):
            order = torch.randint(0, 6, (12,), generator=generator).tolist()
            expected = x
            for i in order:
                expected = network[i](expected)
            with stream.running():
                found = x
                for i in order:
                    found = network[i](found)
            assert torch.equal(found, expected)


def test_blocks_of_many_sizes_never_overwrite_each_other():
    network, device = layers(64, 16, 48, 64, 8, 64, 32, 64, 24, 64), EmulatedDevice()
    x = torch.ones(1, 64)
    with torch.inference_mode():
        expected = network(x)
        for ring in range(64 * 48 * 4, 64 * 64 * 20, 1000):
            stream = BlockStream(network, ring, device)
            with stream.running():
                assert all(torch.equal(network(x), expected) for _ in range(3))
                spans = sorted((entry.start, entry.end) for entry in stream._held)
                assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:], strict=False))


def test_an_exception_brings_everything_home():
    network, device = layers(*[16] * 5), EmulatedDevice()
    pointers = [parameter.data_ptr() for parameter in network.parameters()]
    stream = BlockStream(network, 4096, device)
    with pytest.raises(RuntimeError, match="cannot be multiplied"), stream.running():
        network(torch.ones(1, 5))
    assert [parameter.data_ptr() for parameter in network.parameters()] == pointers and device.live == 0
    assert not network[0]._forward_pre_hooks


def test_a_device_too_small_for_the_ring():
    stream = BlockStream(layers(*[16] * 5), 4096, EmulatedDevice(capacity=4000))
    with pytest.raises(torch.OutOfMemoryError), stream.running():
        pytest.fail("the block must not run")


def test_a_layer_larger_than_the_ring():
    with pytest.raises(ValueError, match="ring is 1,000 bytes, but a Linear alone has 4,096; use a larger ring"):
        BlockStream(layers(32, 32), 1000, EmulatedDevice())


def test_tied_weights_are_moved_once():
    block = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    block[1].weight = block[0].weight
    network, device = nn.Sequential(block), EmulatedDevice()
    with torch.inference_mode(), BlockStream(network, 4096, device).running():
        network(torch.ones(1, 8))
    assert device.bytes_moved == 256 and block[0].weight is block[1].weight


def test_split_by_bytes():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))
            self.inner = layers(16, 16, 16)
            self.listed = nn.ModuleList([nn.Linear(2, 2), nn.Identity()])

        def forward(self, x):
            return self.inner(x)

    network = Scaled()
    blocks, rest = split(network, 10_000)
    assert blocks == [network.inner, network.listed[0]] and [place.name for place in rest] == ["scale"]
    blocks, _ = split(network, 500)  # single layers stay whole
    assert blocks == [network.inner[0], network.inner[1], network.listed[0]]


@pytest.mark.gpu
def test_on_a_real_gpu():
    from paints_undo.execution.pinned_transfer import PinnedTransfer

    network, x = layers(*[512] * 33), torch.ones(4, 512)
    expected = network(x)
    transfer = PinnedTransfer(torch.device("cuda"))
    transfer.allow_pinned(2**30)
    with torch.inference_mode(), BlockStream(network, 5 * 2**20, transfer).running():
        for _ in range(20):
            found = network(x.to(transfer.device))
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-3, atol=1e-3)
