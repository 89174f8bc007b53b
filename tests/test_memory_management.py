"""Networks come to the device, go again, and are never copied back; no GPU is needed to see it."""

from contextlib import contextmanager

import pytest
import torch
from emulated_device import EmulatedDevice
from torch import nn

import memory_management
from memory_management import (
    Residency,
    Transfer,
    keep_float32_whole,
    pick_device,
    pick_dtype,
    picture_vae_dtype,
    ran_out,
)
from paints_undo import PaintsUndo, pipeline
from paints_undo.errors import OutOfMemory
from paints_undo.execution import pinned_transfer
from paints_undo.execution.parts import Parts
from paints_undo.execution.pinned_transfer import PinnedTransfer
from paints_undo.family.choice import find_family

# A device without memory: weights "moved" there lose their values, so that a copy back would show.
ELSEWHERE = torch.device("meta")


def network():
    layer = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    layer.expect = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    layer.storage = {name: tensor.data_ptr() for name, tensor in layer.state_dict().items()}
    return layer


def is_home(layer):
    state = layer.state_dict()
    same_storage = all(state[name].data_ptr() == pointer for name, pointer in layer.storage.items())
    return same_storage and all(torch.equal(state[name], value) for name, value in layer.expect.items())


def where(layer):
    return {tensor.device.type for tensor in layer.state_dict().values()}


def elsewhere(**options):
    return Residency(Transfer(ELSEWHERE), **options)


def test_moves_and_returns_to_the_very_same_host_memory_whatever_happens():
    residency, a, b = elsewhere(), network(), network()
    with residency.on_device(a):
        with residency.on_device(a), residency.on_device(b):
            assert where(a) == where(b) == {"meta"} and residency.resident == [a, b]
        assert where(a) == {"meta"} and is_home(b)
    assert is_home(a) and residency.resident == []
    with pytest.raises(RuntimeError, match="in the middle"), residency.on_device(a):
        raise RuntimeError("in the middle")
    assert is_home(a) and residency.resident == []


def test_tied_weights_stay_tied():
    residency, a = elsewhere(), nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    a[1].weight = a[0].weight
    with residency.on_device(a):
        assert a[1].weight.is_meta and a[0].weight.is_meta
    assert a[1].weight is a[0].weight


def test_a_move_that_fails_half_way_is_undone(monkeypatch):
    residency, layer = elsewhere(), network()
    moved, to = [], torch.Tensor.to

    def failing(tensor, *arguments, **options):
        if len(moved) == 2:
            raise torch.OutOfMemoryError("no room")
        moved.append(tensor)
        return to(tensor, *arguments, **options)

    monkeypatch.setattr(torch.Tensor, "to", failing)
    with pytest.raises(torch.OutOfMemoryError), residency.on_device(layer):
        pytest.fail("the block must not run")
    monkeypatch.undo()
    assert is_home(layer) and residency.resident == []


def test_stays_while_memory_lasts_and_the_oldest_leaves_first(monkeypatch):
    size = sum(tensor.nbytes for tensor in network().state_dict().values())
    a, b, c = network(), network(), network()
    residency = elsewhere(reserve=10)

    def free(device):  # room for two networks beside the reserve
        return 10 + 2 * size - size * len(residency.resident)

    monkeypatch.setattr(memory_management, "free_memory", free)
    for layer in (a, b):
        with residency.on_device(layer):
            pass
    assert residency.resident == [a, b]
    with residency.on_device(a):  # used again: b is now the oldest
        pass
    with residency.on_device(c):
        assert set(residency.resident) == {a, c} and is_home(b)
    residency.drop_all()
    assert residency.resident == [] and is_home(a) and is_home(c)


def test_on_a_cpu_nothing_moves():
    residency, layer = Residency(Transfer(torch.device("cpu"))), network()
    with residency.on_device(layer):
        assert is_home(layer) and residency.resident == []


def test_pick_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert pick_device() == pick_device("cpu") == torch.device("cpu")
    with pytest.raises(ValueError, match="device is 'cuda', but PyTorch .* finds no such device"):
        pick_device("cuda")
    with pytest.raises(ValueError, match="device is 'tpu'; use one of cuda, mps, cpu"):
        pick_device("tpu")
    with pytest.raises(ValueError, match="write it like cuda, cuda:1"):
        pick_device("cuda:x")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device() == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert pick_device() == torch.device("cuda")
    with pytest.raises(ValueError, match="'cuda:3'"):
        pick_device("cuda:3")


def test_pick_dtype():
    usual = {"cpu": torch.float32, "cuda": torch.float16, "mps": torch.float16}
    assert {device: pick_dtype(torch.device(device)) for device in usual} == usual
    assert pick_dtype(torch.device("cuda"), "fp32") == torch.float32
    with pytest.raises(ValueError, match="dtype is 'fp16', which a CPU"):
        pick_dtype(torch.device("cpu"), "fp16")
    with pytest.raises(ValueError, match="dtype is 'int8'"):
        pick_dtype(torch.device("cpu"), "int8")


@pytest.mark.parametrize(("capabilities", "warned"), [({"avx512_bf16": True}, False), ({"avx2": True}, True)])
def test_bf16_on_a_cpu_without_its_instructions_is_warned_of(capabilities, warned, monkeypatch, caplog):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert pick_dtype(torch.device("cpu"), "bf16") == torch.bfloat16
    assert ("no instructions for bf16" in caplog.text) == warned


def test_the_picture_vae_never_runs_in_fp16_and_the_chosen_card_is_asked_for_bf16(monkeypatch):
    current = [0]

    @contextmanager
    def on(device):
        current.append(device.index)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device", on)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: current[-1] == 1)
    for device, dtype, expected in (
        ("cuda:0", torch.float16, torch.float32),
        ("cuda:1", torch.float16, torch.bfloat16),
        ("mps", torch.float16, torch.float32),
        ("cpu", torch.bfloat16, torch.bfloat16),
    ):
        assert picture_vae_dtype(torch.device(device), dtype) == expected


def test_whoever_asks_for_float32_gets_no_tf32(monkeypatch, tiny_family):
    backends = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [backend.allow_tf32 for backend in backends]
    try:
        for backend in backends:
            backend.allow_tf32 = True
        keep_float32_whole()
        assert not any(backend.allow_tf32 for backend in backends)
    finally:
        for backend, allowed in zip(backends, before, strict=True):
            backend.allow_tf32 = allowed
    asked = []
    monkeypatch.setattr(pipeline, "keep_float32_whole", lambda: asked.append(True))
    for device, dtype, bit_exact, wanted in (
        ("cuda", torch.float32, False, 1),
        ("cuda", torch.float16, True, 2),
        ("cuda", torch.float16, False, 2),
        ("cpu", torch.float32, False, 2),
    ):
        parts = Parts(find_family(tiny_family), torch.device(device), dtype, transfer=EmulatedDevice())
        PaintsUndo(parts, bit_exact=bit_exact)
        assert len(asked) == wanted


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("MPS backend out of memory (MPS allocated: 17.99 GB)"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."),
    ],
)
def test_every_way_to_say_that_memory_ran_out_is_understood(error, tiny_family):
    assert ran_out(error) and not ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    parts = Parts(find_family(tiny_family), torch.device("cpu"), torch.float32)
    sentence = "too little memory for multi_frame/vae; make the pictures smaller"
    with pytest.raises(OutOfMemory, match=sentence) as said, parts.on_device("multi_frame/vae"):
        raise error
    assert "\n" not in str(said.value)


def test_counts_loads_and_bytes():
    device, a, b = EmulatedDevice(), network(), network()
    size = sum(tensor.nbytes for tensor in a.state_dict().values())
    residency = Residency(device, keep=False)
    for _ in range(2):
        with residency.on_device(a), residency.on_device(b):
            assert device.live == 2 * size
        assert device.live == 0 and residency.resident == []
    assert (device.loads, device.bytes_moved, device.peak) == (4, 4 * size, 2 * size)


def test_a_network_fetched_ahead_is_not_fetched_again():
    device, a, b = EmulatedDevice(capacity=10_000), network(), network()
    size = sum(tensor.nbytes for tensor in a.state_dict().values())
    residency = Residency(device, reserve=0)
    residency.prefetch(a)
    assert device.live == size and is_home(a)
    with residency.on_device(a):
        assert device.bytes_moved == size
    residency.prefetch(a)  # it is there
    residency.reserve = 10_000
    residency.prefetch(b)  # no memory is left for it
    assert device.bytes_moved == size and device.loads == 1
    residency.drop_all()
    assert device.live == 0


def test_a_full_device_is_no_error_of_a_prefetch():
    device, a = EmulatedDevice(capacity=50), network()
    device.free_memory = lambda: 10_000  # type: ignore[method-assign]  # what was free a moment ago
    residency = Residency(device, reserve=0)
    residency.prefetch(a)
    assert device.live == 0
    with pytest.raises(torch.OutOfMemoryError), residency.on_device(a):
        pytest.fail("the block must not run")
    assert is_home(a) and residency.resident == []


def test_pinned_memory_within_its_budget(monkeypatch, caplog):
    monkeypatch.setattr(pinned_transfer, "PINNED_PIECE", 1000)
    asked, empty = [], torch.empty
    there = empty(600, dtype=torch.uint8, device="meta")

    def pinned(size, *, dtype, pin_memory):
        asked.append(size)
        return empty(size, dtype=dtype)

    monkeypatch.setattr(torch, "empty", pinned)
    transfer = PinnedTransfer(torch.device("cuda"))
    assert transfer.pinned(600) is None and asked == []  # nothing may be pinned
    transfer.allow_pinned(2500)
    kept = [transfer.pinned(600) for _ in range(3)]
    assert [memory is None for memory in kept] == [False, False, True] and asked == [1000, 1000]
    assert transfer.pinned(1001) is None
    monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: "not pinned")
    assert transfer.to_host(there) == "not pinned", "what waits on the host has no memory beyond the budget"
    del kept  # what is let go may be pinned anew
    assert transfer.pinned(600) is not None


def test_a_system_that_pins_nothing(monkeypatch, caplog):
    def refuse(*arguments, **options):
        raise RuntimeError("CUDA error: out of memory\nand much more")

    monkeypatch.setattr(torch, "empty", refuse)
    transfer = PinnedTransfer(torch.device("cuda"))
    transfer.allow_pinned(2**40)
    assert transfer.pinned(100) is None and transfer.pinned(100) is None
    assert [record.message for record in caplog.records] == [
        "the system pins no more host memory (CUDA error: out of memory); weights come to the device more slowly"
    ]


def test_a_card_too_full_for_cuda_itself_has_nothing_free(monkeypatch):
    def full(device):
        raise RuntimeError(said)

    monkeypatch.setattr(torch.cuda, "mem_get_info", full)
    said = "CUDA error: out of memory"
    assert memory_management.free_memory(torch.device("cuda")) == 0
    said = "CUDA error: unspecified launch failure"
    with pytest.raises(RuntimeError, match="unspecified"):
        memory_management.free_memory(torch.device("cuda"))


def test_memory_of_this_machine():
    free, total = memory_management.device_memory(torch.device("cpu"))
    assert (free is None and total is None) or 0 < free < total


@pytest.mark.gpu
def test_on_a_real_gpu():
    residency, layer = Residency(Transfer(torch.device("cuda")), reserve=2**60), network()
    with residency.on_device(layer):
        assert where(layer) == {"cuda"}
    assert is_home(layer)
