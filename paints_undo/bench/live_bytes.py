"""What lives on a device and what is copied to and from it, counted operation by operation, on any device at all."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

aten = torch.ops.aten
WEIGHTS, ACTIVATIONS = "weights", "activations"


class LiveBytes(TorchDispatchMode):
    """Within this block: bytes of living tensors on `device`, their peak, and bytes copied to and from it.

    On the meta device nothing is computed, and what is copied from there arrives as zeros: a run at full size can be
    counted without its arithmetic.  `kind` sorts the copies: WEIGHTS while a network is brought, else ACTIVATIONS.
    Only operations of the thread that entered the block are seen.  In inference mode a mode above this one must take
    composite operations apart, as FlopCounterMode does.  known: tensors, such as weights, that do not count.
    """

    def __init__(self, device: torch.device, known: Iterable[Tensor] = ()):
        super().__init__()
        self.device = device
        self.live = self.peak = 0
        self.kind = ACTIVATIONS
        self.moved = {WEIGHTS: 0, ACTIVATIONS: 0}
        self._storages: dict[int, weakref.ref] = {}
        self._known = {id(storage): storage for storage in (tensor.untyped_storage() for tensor in known)}

    def restart_peak(self) -> int:
        """The peak since the last call; the next one counts from now."""
        peak, self.peak = self.peak, self.live
        return peak

    def __torch_dispatch__(self, function: Any, types: Any, arguments: tuple = (), options: dict | None = None) -> Any:
        options = options or {}
        result = self._computed(function, arguments, options)
        moved = self._moved(function, arguments, result)
        self.moved[self.kind] += moved
        if moved or self.kind == ACTIVATIONS:  # a network that is built on the meta device only looks alive
            for tensor in tree_iter(result):
                if isinstance(tensor, Tensor):
                    self._watch(tensor)
        return result

    def _computed(self, function: Any, arguments: tuple, options: dict) -> Any:
        if self.device.type != "meta":
            return function(*arguments, **options)
        if function is aten._local_scalar_dense.default and arguments[0].is_meta:
            return 1.0 if arguments[0].is_floating_point() else 1  # any number does: shapes depend on none
        if function is aten._to_copy.default and arguments[0].is_meta:
            target = torch.device(options.get("device") or "meta")
            if target.type != "meta":
                return torch.zeros(arguments[0].shape, dtype=options.get("dtype") or arguments[0].dtype, device=target)
        if function is aten.copy_.default and arguments[1].is_meta and not arguments[0].is_meta:
            return arguments[0]
        return function(*arguments, **options)

    @staticmethod
    def _moved(function: Any, arguments: tuple, result: Any) -> int:
        """Bytes that this operation copied from one device to another."""
        source = {aten._to_copy.default: 0, aten.copy_.default: 1}.get(function)
        if source is None or not isinstance(arguments[source], Tensor):
            return 0
        return result.nbytes if arguments[source].device.type != result.device.type else 0

    def _watch(self, tensor: Tensor) -> None:
        if tensor.device.type != self.device.type:
            return
        storage = tensor.untyped_storage()
        key, size = id(storage), storage.nbytes()
        watched = self._storages.get(key)
        if key in self._known or (watched is not None and watched() is storage):
            return

        def died(_: weakref.ref) -> None:
            self.live -= size
            if self._storages.get(key) is reference:
                del self._storages[key]

        reference = weakref.ref(storage, died)
        self._storages[key] = reference
        self.live += size
        self.peak = max(self.peak, self.live)
