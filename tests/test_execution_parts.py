"""The networks of a family: loaded on first use, let go when they grow too many."""

import shutil
import threading
from dataclasses import replace

import pytest
import torch
from emulated_device import EmulatedDevice
from unet_calls import CALLS

from paints_undo.errors import CheckpointError
from paints_undo.execution import parts as module
from paints_undo.execution.parts import Parts
from paints_undo.execution.plan import LADDER, NAMES, RESIDENT, STAGE
from paints_undo.family.model_family import open_family


@pytest.fixture
def loads(monkeypatch):
    """The parts that were read from disk, in order."""
    seen, load = [], module.load_part
    monkeypatch.setattr(module, "load_part", lambda family, part, dtype: seen.append(part) or load(family, part, dtype))
    return seen


def use(parts, *names):
    for name in names:
        with parts.on_device(name) as network:
            assert not network.training


VAE, TEXT, UNET = "single_frame/vae", "single_frame/text_encoder", "single_frame/unet"


def test_loaded_once(tiny_family, loads):
    parts = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32)
    assert loads == []
    use(parts, VAE, UNET, VAE)
    assert loads == [VAE, UNET]
    assert parts.tokenizer("single_frame") is parts.tokenizer("single_frame")


def test_least_recently_used_are_let_go(tiny_family, loads):
    parts = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32, host_budget=0)
    use(parts, VAE, VAE)
    assert loads == [VAE, VAE]
    roomy = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32)
    use(roomy, TEXT, VAE)
    roomy.host_budget = sum(p.nbytes for p in roomy._networks[VAE].parameters())
    loads.clear()
    use(roomy, VAE, TEXT)
    assert loads == [TEXT]


def test_picture_vae_keeps_away_from_fp16(tiny_family):
    parts = Parts(open_family(tiny_family), torch.device("mps"), torch.float16)
    assert parts.dtype_of("single_frame/vae") == torch.float32
    assert parts.dtype_of("multi_frame/vae") == parts.dtype_of(UNET) == torch.float16


def test_an_error_leaves_nothing_in_use(tiny_family):
    parts = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32, host_budget=0)
    with pytest.raises(RuntimeError, match="on the way"), parts.on_device(VAE):
        raise RuntimeError("on the way")
    assert parts._networks == {}


def numbers_of(parts, calls=1):
    """What both UNets compute, each on the device as the plan has it."""
    results = []
    for part, call in CALLS.items():
        with torch.inference_mode(), parts.on_device(part) as network:
            results += [call(network)() for _ in range(calls)]
    return results


def small(plan):
    """The plan, its ring as small for the tiny networks as the plan's for the published ones."""
    return replace(plan, ring=plan.ring and 12_000_000 - 1_000_000 * NAMES.index(plan.name))


@pytest.mark.parametrize("plan", [small(plan) for plan in LADDER], ids=NAMES)
def test_every_plan_computes_the_same_numbers(tiny_family, plan):
    family, cpu = open_family(tiny_family), torch.device("cpu")
    expected = numbers_of(Parts(family, cpu, torch.float32), calls=2)
    device = EmulatedDevice(capacity=2**40)
    parts = Parts(family, cpu, torch.float32, plan, transfer=device)
    assert all(torch.equal(a, b) for a, b in zip(numbers_of(parts, calls=2), expected, strict=True))
    sizes = [sum(t.nbytes for t in tensors(parts._networks[part])) for part in CALLS]
    assert device.loads == 2
    if plan.ring is None:
        assert device.bytes_moved == sum(sizes) and device.peak == (sum(sizes) if plan.keep else max(sizes))
        numbers_of(parts)
        assert device.loads == (2 if plan.keep else 4)
    else:
        assert plan.ring <= device.peak <= plan.ring + max(sizes) / 100
        assert 2 * sum(sizes) <= device.bytes_moved <= 2 * (sum(sizes) + plan.ring)
    if not plan.keep:
        assert parts.residency.resident == [] and device.live == 0


def tensors(network):
    return [*network.parameters(), *network.buffers()]


def test_stepping_down_until_it_fits(tiny_family, monkeypatch):
    monkeypatch.setattr("paints_undo.execution.plan.LADDER", tuple(map(small, LADDER)))
    family, cpu, reached = open_family(tiny_family), torch.device("cpu"), []
    expected = numbers_of(Parts(family, cpu, torch.float32))
    for capacity in (90_000_000, 20_000_000, 8_500_000, 5_000_000):
        device = EmulatedDevice(capacity)
        parts = Parts(family, cpu, torch.float32, small(RESIDENT), transfer=device)
        parts.residency.reserve = 0
        while True:
            try:
                found = numbers_of(parts)
            except MemoryError:
                if not parts.step_down():
                    found = None
                    break
            else:
                break
        reached.append(parts.plan.name if found else None)
        if found:
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
            assert device.peak <= capacity
    assert reached == ["resident", "streamed", "least", None]


def test_a_cpu_has_no_plan_below(tiny_family):
    assert not Parts(open_family(tiny_family), torch.device("cpu"), torch.float32).step_down()


def test_prefetched_parts_are_there_when_asked_for(tiny_family, loads):
    device = EmulatedDevice(capacity=2**40)
    parts = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32, transfer=device)
    parts.prefetch(VAE)
    parts.prefetch(VAE)
    parts._coming[VAE].result()
    moved = device.bytes_moved
    assert moved == device.live > 0 and device.loads == 0
    use(parts, VAE)
    assert loads == [VAE] and (device.loads, device.bytes_moved) == (1, moved)
    parts.prefetch(VAE)
    assert parts._coming == {}


def test_a_slow_disk_is_waited_for_and_read_once(tiny_family, loads, monkeypatch):
    load, read = module.load_part, threading.Event()
    monkeypatch.setattr(module, "load_part", lambda *what: read.wait(30) and load(*what))
    parts = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32)
    parts.prefetch(UNET)
    threading.Timer(0.5, read.set).start()
    use(parts, UNET, VAE)
    assert loads == [UNET, VAE]


def test_a_stage_is_prefetched_to_the_host_only(tiny_family, loads):
    device = EmulatedDevice(capacity=2**40)
    parts = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32, STAGE, transfer=device)
    parts.prefetch(VAE)
    use(parts, VAE)
    assert loads == [VAE] and device.loads == 1 and device.live == 0


def test_errors_of_a_prefetch_come_with_its_use(tiny_family, tmp_path):
    folder = shutil.copytree(tiny_family, tmp_path / "family")
    parts = Parts(open_family(folder), torch.device("cpu"), torch.float32)
    (folder / "single_frame" / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"damaged")
    parts.prefetch(VAE)
    with pytest.raises(CheckpointError, match="is damaged"), parts.on_device(VAE):
        pytest.fail("the block must not run")


def test_the_unets_weights_are_in_the_order_of_its_pictures_once_and_say_the_same(tiny_family):
    family, part = open_family(tiny_family), "multi_frame/unet"
    network = module.load_part(family, part, torch.float32)
    for device, in_order in (("cpu", True), ("cuda", True), ("meta", False)):
        weight = Parts(family, torch.device(device), torch.float32)._load(part).input_blocks[0][0].weight
        assert weight.is_contiguous(memory_format=torch.channels_last) is in_order
    with Parts(family, torch.device("cpu"), torch.float32).on_device(part) as ordered, torch.inference_mode():
        assert torch.equal(CALLS[part](ordered)(), CALLS[part](network)())
