"""What lives on a device and what is copied to and from it, counted operation by operation, on any device at all."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, UntypedStorage, nn
from torch.nn.modules.module import register_module_parameter_registration_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

aten = torch.ops.aten
WEIGHTS, ACTIVATIONS = "weight_bytes", "activation_bytes"
COPIED = {aten._to_copy.default: 0, aten.copy_.default: 1}  # which argument such an operation copies


class LiveBytes(TorchDispatchMode):
    """Bytes of the living tensors that this block made on `device`, their peak, and bytes copied to and from it.

    On the meta device nothing is computed, and what is copied from there arrives as zeros: a run at full size can be
    counted without its arithmetic.  Copies are WEIGHTS where a network's parameters are copied, else ACTIVATIONS.
    Only operations of the thread that entered the block are seen.  In inference mode a mode above this one must take
    composite operations apart, as FlopCounterMode does.
    """

    def __init__(self, device: torch.device):
        super().__init__()
        self.device = device
        self.live = self.peak = self._peak_before = 0  # before the newest tensor came
        self.moved = {WEIGHTS: 0, ACTIVATIONS: 0}
        self.loads = 0  # rows of copies of parameters with no work between them: networks that were brought
        self._bringing = False
        self._storages: dict[int, weakref.ref] = {}

    def __enter__(self) -> LiveBytes:
        self._hook = register_module_parameter_registration_hook(self._forget_unfilled)
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._hook.remove()

    def restart_peak(self) -> int:
        """The peak since the last call; the next one counts from now."""
        peak, self.peak = self.peak, self.live
        return peak

    def __torch_dispatch__(self, function: Any, types: Any, arguments: tuple = (), options: dict | None = None) -> Any:
        options = options or {}
        result = self._computed(function, arguments, options)
        self._count_copy(function, arguments, result)
        given = {id(tensor.untyped_storage()) for tensor in tensors((arguments, options))}
        for tensor in tensors(result):
            if tensor.device.type == self.device.type and id(tensor.untyped_storage()) not in given:
                self._watch(tensor.untyped_storage())
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

    def _count_copy(self, function: Any, arguments: tuple, result: Any) -> None:
        source = arguments[COPIED[function]] if function in COPIED else None
        if not isinstance(source, Tensor) or source.device.type == result.device.type:
            self._bringing = False
        elif isinstance(source, nn.Parameter):
            self.moved[WEIGHTS] += result.nbytes
            self.loads += not self._bringing
            self._bringing = True
        else:  # a network's buffers, too, which come among its parameters
            self.moved[ACTIVATIONS] += result.nbytes

    def _forget_unfilled(self, module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        """A network that is built on the device only looks alive; once it has its weights, it is not to be trained."""
        if parameter is not None and parameter.requires_grad:
            storage = parameter.untyped_storage()
            if self._storages.pop(id(storage), None):
                self.live -= storage.nbytes()
                self.peak = self._peak_before

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
        self._peak_before = self.peak
        self.live += size
        self.peak = max(self.peak, self.live)


def tensors(values: Any) -> list[Tensor]:
    """The tensors among nested values."""
    return [value for value in tree_iter(values) if isinstance(value, Tensor)]
