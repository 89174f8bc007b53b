"""A device without a GPU: copies on the CPU that count as device memory, up to a capacity."""

from __future__ import annotations

import weakref

import torch

from paints_undo.execution.pinned_transfer import PinnedTransfer


class EmulatedDevice(PinnedTransfer):
    """What Residency and BlockStream bring here are clones; `live` and `peak` count their bytes.

    capacity: more than so many bytes at once raise torch.OutOfMemoryError.
    """

    needed = True

    def __init__(self, capacity: int | None = None, pins: bool = False):
        super().__init__(torch.device("cpu"))
        self.capacity = capacity
        self.pins = pins
        self.live = self.peak = 0

    def free_memory(self) -> int | None:
        return None if self.capacity is None else self.capacity - self.live

    def empty(self, size: int) -> torch.Tensor:
        return self._counted(size, lambda: super(EmulatedDevice, self).empty(size).fill_(255))  # 255: no finite weights

    def copy(self, tensor: torch.Tensor) -> torch.Tensor:
        self.bytes_moved += tensor.nbytes
        return self._counted(tensor.nbytes, tensor.clone)

    def pinned(self, size: int) -> torch.Tensor | None:
        return torch.empty(size, dtype=torch.uint8) if self.pins else None

    def _counted(self, size: int, allocate) -> torch.Tensor:
        if self.capacity is not None and self.live + size > self.capacity:
            raise torch.OutOfMemoryError(f"{size} bytes asked for, {self.capacity - self.live} free")
        tensor = allocate()
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(tensor.untyped_storage(), self._freed, size)
        return tensor

    def _freed(self, size: int) -> None:
        self.live -= size
