"""A whole run, all parts and both stages, on a device where any tensor of the host is an error, by every plan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from pretended_device import DEVICE, pretended_device

from memory_management import Transfer
from paints_undo import PaintsUndo
from paints_undo.execution.block_streaming import BlockStream
from paints_undo.execution.parts import Parts
from paints_undo.execution.plan import LADDER, RESIDENT, Plan
from paints_undo.family.model_family import PARTS, open_family
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions

DRAWING = KeyframeOptions("1girl", operation_steps=(500,), width=64, height=64, sampling_steps=1)
OPTIONS = UndoOptions(DRAWING, SegmentOptions(sampling_steps=1), tag=False)
RING = 2**19  # bytes: smaller than the tiny networks


class InOrder(Transfer):
    """Copies to the pretended device, which has no streams of its own."""

    needed = True

    @contextmanager
    def beside(self, after=None) -> Iterator:
        yield lambda: None

    def free_memory(self) -> None:
        return None

    def now(self) -> None:
        return None

    def pinned(self, size: int) -> None:
        return None


def drawn(family, device: torch.device, plan: Plan) -> np.ndarray:
    parts = Parts(family, device, torch.float32, plan, transfer=InOrder(device) if device == DEVICE else None)
    engine = PaintsUndo(parts, noise="cpu")
    engine.planner.planned_pixels = 2**30  # the plan stands
    artwork = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    return engine.undo(artwork, OPTIONS).frames


@pytest.fixture(scope="module")
def here(tiny_family, one_core) -> np.ndarray:
    return drawn(open_family(tiny_family), torch.device("cpu"), RESIDENT)


@pytest.mark.parametrize("plan", LADDER, ids=lambda plan: plan.name)
def test_a_run_on_the_device_is_the_run_of_the_cpu(plan: Plan, here: np.ndarray, tiny_family, one_core, monkeypatch):
    streamed: set[str] = set()
    placed = Parts._placed

    def watched(parts: Parts, part: str, network: torch.nn.Module):
        streamed.add(part)
        return placed(parts, part, network)

    monkeypatch.setattr(Parts, "_placed", watched)
    rings: list[BlockStream] = []
    running = BlockStream.running
    monkeypatch.setattr(BlockStream, "running", lambda stream: (rings.append(stream), running(stream))[1])
    with pretended_device() as device:
        frames = drawn(open_family(tiny_family), device, replace(plan, ring=plan.ring and RING))
    assert streamed == set(PARTS) and bool(rings) == (plan.ring is not None)
    assert np.abs(frames.astype(int) - here).max() <= 1
