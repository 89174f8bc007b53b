"""Counts the bytes of the tensors that live at the same time, on any device, the meta device too."""

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Within this block, `peak` is the most bytes that results of operations have held on `device` at one time.

    What was there before is not counted unless an operation gives a view of it; what a kernel allocates for itself is
    not seen.  On the meta device it counts what real tensors would take.
    """

    def __init__(self, device: str, known: list[torch.Tensor] = ()):
        super().__init__()
        self.device = device
        self.known = {tensor.untyped_storage()._cdata for tensor in known}
        self.live: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        result = operation(*arguments, **(options or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor) and tensor.device.type == self.device:
                storage = tensor.untyped_storage()
                if storage._cdata not in self.known:
                    self.live[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.live = {key: entry for key, entry in self.live.items() if not entry[0].expired()}
        self.peak = max(self.peak, sum(size for _, size in self.live.values()))
        return result
