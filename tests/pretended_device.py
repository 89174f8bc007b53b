"""A second device where there is none: every tensor computes on the CPU, but remembers on which device it should be.

    with pretended_device() as device:
        network.to(device)(pictures.to(device))

raises StrayTensor wherever a real GPU would refuse to work: for tensors of two devices in one operation, for random
numbers of a CPU's generator made on the device, and for a NumPy array of what lies there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

DEVICE = torch.device("cuda", 0)
MIXING = (
    Tensor.__getitem__,
    Tensor.__setitem__,
    Tensor.copy_,
    Tensor.data.__set__,
    torch._has_compatible_shallow_copy_type,
)
"""What may read tensors of two devices: indices may be the CPU's, and copies are there for that."""
LIKE = (torch.empty_like, torch.zeros_like, torch.ones_like, torch.full_like, torch.rand_like, torch.randn_like)
"""What reads no more of a tensor than its shape, where a device is named."""


class StrayTensor(AssertionError):
    """A tensor is on another device than those it is used with."""


class PretendedDevice(TorchFunctionMode):
    def __init__(self, full_at: int | None = None) -> None:
        """full_at: the device has no memory for the operation of this number, once."""
        super().__init__()
        self.full_at, self.operations = full_at, 0
        self.there: WeakIdKeyDictionary = WeakIdKeyDictionary()  # the memory that lies on the device

    def is_there(self, tensor: Tensor) -> bool:
        return tensor.untyped_storage() in self.there

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        given = args[0] if func is Tensor.__deepcopy__ else (args, kwargs)  # whose memo has other tensors
        tensors = [value for value in tree_leaves(given) if isinstance(value, Tensor)]
        there = [self.is_there(tensor) for tensor in tensors]
        if func == Tensor.device.__get__:
            return DEVICE if there[0] else func(*args)
        if func in (Tensor.numpy, Tensor.__array__) and there[0]:
            raise StrayTensor("an array of a tensor on the device; copy it to the CPU first")
        if func in (Tensor.to, Tensor.cpu):
            return self.moved(func, args, kwargs, there)
        named = kwargs.get("device")
        to_there = named is not None and torch.device(named).type == DEVICE.type
        if to_there:
            kwargs["device"] = "cpu"
        if named is not None and func in LIKE:
            tensors, there = [], []
        if func not in MIXING:
            stray = [t for t, known in zip(tensors, there, strict=True) if not known and t.dim()]
            if (any(there) or to_there) and (stray or kwargs.get("generator") is not None):
                shapes = [tuple(t.shape) for t in stray]
                raise StrayTensor(f"{getattr(func, '__qualname__', func)}: of the CPU, shapes {shapes}, or generator")
        self.operations += any(there) or to_there
        if self.operations == self.full_at:
            self.full_at = None
            raise RuntimeError("CUDA error: out of memory")
        result = func(*args, **kwargs)
        if func is Tensor.__getitem__:
            self.tag(result, there[0])
        elif func not in MIXING:
            self.tag(result, to_there or any(there))
        return result

    def moved(self, func, args, kwargs, there):
        """to() and cpu(): the only ways from one device to the other."""
        target = there[0] if func is Tensor.to else False
        given = [*args[1:], *kwargs.values()]
        for position, value in enumerate(given):
            if isinstance(value, torch.device | str):
                target, given[position] = torch.device(value).type == DEVICE.type, torch.device("cpu")
            elif isinstance(value, Tensor):
                target = self.is_there(value)
        positional = given[: len(args) - 1]
        result = func(args[0], *positional, **dict(zip(kwargs, given[len(positional) :], strict=True)))
        if target != there[0] and result.untyped_storage() is args[0].untyped_storage():
            result = result.clone()  # a copy on the other device is another tensor
        self.tag(result, target)
        return result

    def tag(self, result: Any, is_there: bool) -> None:
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                if is_there:
                    self.there[value.untyped_storage()] = True
                else:
                    self.there.pop(value.untyped_storage(), None)


@contextmanager
def pretended_device(full_at: int | None = None) -> Iterator[torch.device]:
    """Within this block, a device that every operation of PyTorch takes for another one than the CPU."""
    with PretendedDevice(full_at):
        yield DEVICE
