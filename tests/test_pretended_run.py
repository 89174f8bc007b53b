"""A whole run, every part and both stages, on a device where any tensor of the host is an error, by every plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pretended_device import StrayTensor, pretended_device

import memory_management
from memory_management import tensor_places
from paints_undo import PaintsUndo
from paints_undo.execution import parts as parts_module
from paints_undo.execution.block_streaming import BlockStream
from paints_undo.execution.parts import Parts
from paints_undo.execution.pinned_transfer import PinnedTransfer
from paints_undo.execution.plan import LADDER, RESIDENT, Plan
from paints_undo.family.model_family import PARTS, open_family
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions

DRAWING = KeyframeOptions("1girl", operation_steps=(500,), width=64, height=64, sampling_steps=2, long_prompt=True)
FILLING = SegmentOptions(sampling_steps=2, guidance_interval=(0, 800), reuse_interval=2)
OPTIONS = UndoOptions(DRAWING, FILLING, tag=False)
RING = 2**17  # bytes: less than any part has
SEVERAL = replace(RESIDENT, pairs_at_once=2, decoded_frames=None)


class InOrder(PinnedTransfer):
    """Copies to the pretended device, which has no streams and pins nothing."""

    def free_memory(self) -> None:
        return None

    def pinned(self, size: int) -> None:
        return None

    @contextmanager
    def beside(self, after=None) -> Iterator:
        yield lambda: None

    def now(self) -> None:
        return None


def drawn(models: Path, device: torch.device, plan: Plan, dtype: torch.dtype = torch.float32) -> np.ndarray:
    parts = Parts(open_family(models), device, dtype, plan, transfer=InOrder(device))
    engine = PaintsUndo(parts, noise="cpu")
    engine.planner.planned_pixels = 2**30  # the plan stands
    artwork = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    return engine.undo(artwork, OPTIONS).frames


@pytest.fixture(scope="module")
def here(tiny_family, one_core) -> np.ndarray:
    return drawn(tiny_family, torch.device("cpu"), RESIDENT)


@pytest.fixture
def streams(monkeypatch) -> list[BlockStream]:
    """The streams of a run, each with the smallest ring that its largest layer fits."""
    made: list[BlockStream] = []

    def stream(network: torch.nn.Module, ring: int, transfer: PinnedTransfer) -> BlockStream:
        layers = [layer for layer in network.modules() if not list(layer.children())]
        made.append(BlockStream(network, max(ring, 1024 + max(map(parts_module.size, layers))), transfer))
        return made[-1]

    monkeypatch.setattr(parts_module, "BlockStream", stream)
    return made


@pytest.mark.parametrize("plan", [SEVERAL, *LADDER], ids=["several", *(plan.name for plan in LADDER)])
def test_a_run_on_the_device_is_the_run_of_the_cpu(plan: Plan, here, streams, tiny_family, one_core):
    with pretended_device() as device:
        frames = drawn(tiny_family, device, replace(plan, ring=plan.ring and RING))
    assert len({stream.network for stream in streams}) == (len(PARTS) if plan.ring else 0)
    assert np.abs(frames.astype(int) - here).max() <= 1


def test_a_picture_vae_of_another_precision_meets_its_own_alone(tiny_family, here, one_core, monkeypatch):
    for module in (parts_module, memory_management):
        monkeypatch.setattr(module, "picture_vae_dtype", lambda device, dtype: torch.float32)
    with pretended_device() as device:
        frames = drawn(tiny_family, device, LADDER[1], torch.bfloat16)
    assert frames.shape == here.shape and np.abs(frames.astype(int) - here).mean() < 5


@pytest.mark.parametrize("operation", [50, 45_000], ids=["keyframes", "decoding"])
def test_a_card_that_another_run_fills_costs_a_plan_and_nothing_else(
    operation: int, here, tiny_family, one_core, monkeypatch, caplog
):
    monkeypatch.setattr(parts_module, "device_in_words", str)
    with pretended_device(full_at=operation) as device:
        frames = drawn(tiny_family, device, RESIDENT)
    assert caplog.text.count("too little memory for the plan resident on cuda:0; going on with stage") == 1
    assert np.abs(frames.astype(int) - here).max() <= 1


@pytest.mark.parametrize("kind", [torch.nn.LayerNorm, torch.nn.GroupNorm])
def test_layers_left_on_the_host_are_found(kind: type[torch.nn.Module], tiny_family, one_core, monkeypatch):
    def others(network: torch.nn.Module) -> list[memory_management.TensorPlace]:
        return [place for place in tensor_places(network) if not isinstance(place.owner, kind)]

    monkeypatch.setattr(memory_management, "tensor_places", others)
    with pretended_device() as device, pytest.raises(StrayTensor, match="norm: of the CPU, shapes"):
        drawn(tiny_family, device, RESIDENT)
