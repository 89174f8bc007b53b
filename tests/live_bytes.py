"""What lives on a device, counted operation by operation, for tests of what plans predict and what slices save."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, UntypedStorage
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class LiveBytes(TorchDispatchMode):
    """Bytes of the living tensors that this block made on `device`, and their peak; on the meta device, too.

    Only operations of the thread that entered the block are seen.
    """

    def __init__(self, device: torch.device):
        super().__init__()
        self.device = device
        self.live = self.peak = 0
        self._storages: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, function: Any, types: Any, arguments: tuple = (), options: dict | None = None) -> Any:
        result = function(*arguments, **(options or {}))
        given = {id(tensor.untyped_storage()) for tensor in tensors((arguments, options))}
        for tensor in tensors(result):
            if tensor.device.type == self.device.type and id(tensor.untyped_storage()) not in given:
                self._watch(tensor.untyped_storage())
        return result

    def _watch(self, storage: UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        watched = self._storages.get(key)
        if watched is not None and watched() is storage:
            return

        def died(_: weakref.ref) -> None:
            self.live -= size
            if self._storages.get(key) is reference:
                del self._storages[key]

        reference = weakref.ref(storage, died)
        self._storages[key] = reference
        self.live += size
        self.peak = max(self.peak, self.live)


def tensors(values: Any) -> list[Tensor]:
    """The tensors among nested values."""
    return [value for value in tree_iter(values) if isinstance(value, Tensor)]
