"""The networks of one family: loaded when first used, on the device while a block needs them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import CLIPTokenizer

from memory_management import Residency, describe, picture_vae_dtype
from paints_undo.checkpoints import ModelFamily, load_part, load_tokenizer

# Host copies beyond this are let go after use: on a CPU they are converted to float32 and would not fit together.
HOST_BUDGET = 4 * 2**30


class Parts:
    """`with parts.on_device("single_frame/unet") as unet:` - the indentation shows what is on the device."""

    def __init__(self, family: ModelFamily, device: torch.device, dtype: torch.dtype, host_budget: int = HOST_BUDGET):
        self.family = family
        self.device = device
        self.dtype = dtype
        self.residency = Residency(device)
        self.host_budget = host_budget
        self._networks: dict[str, nn.Module] = {}  # least recently used first
        self._tokenizers: dict[str, CLIPTokenizer] = {}

    def dtype_of(self, part: str) -> torch.dtype:
        """The number format of a part on this device."""
        return picture_vae_dtype(self.device, self.dtype) if part == "single_frame/vae" else self.dtype

    def tokenizer(self, checkpoint: str) -> CLIPTokenizer:
        """The tokenizer of "single_frame" or "multi_frame"."""
        if checkpoint not in self._tokenizers:
            self._tokenizers[checkpoint] = load_tokenizer(self.family, f"{checkpoint}/tokenizer")
        return self._tokenizers[checkpoint]

    @contextmanager
    def on_device(self, part: str) -> Iterator[nn.Module]:
        """The network of a part, its weights on the device until the block ends.

        Raises MemoryError, one sentence, when the device has too little memory for what the block does.
        """
        network = self._networks.pop(part, None) or load_part(self.family, part, self.dtype_of(part))
        self._networks[part] = network
        try:
            with self.residency.on_device(network):
                yield network
        except torch.OutOfMemoryError as error:
            self.residency.drop_all()
            raise MemoryError(
                f"{describe(self.device)} has too little memory for {part}; make the pictures smaller (--width, "
                "--height), close other programs that use the GPU, or take --device cpu"
            ) from error
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Forget the least recently used host copies beyond the budget, but never those still on the device."""
        sizes = {part: sum(p.nbytes for p in network.parameters()) for part, network in self._networks.items()}
        for part in list(self._networks):
            if sum(sizes.values()) <= self.host_budget:
                return
            if self._networks[part] not in self.residency.resident:
                del self._networks[part], sizes[part]
