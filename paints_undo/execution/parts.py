"""The networks of one family: loaded when first used, on the device while a block needs them."""

import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch
from torch import Tensor, nn
from transformers import CLIPTokenizer

from memory_management import Residency, device_in_words, picture_vae_dtype, ran_out
from paints_undo.errors import OutOfMemory
from paints_undo.execution.block_streaming import BlockStream
from paints_undo.execution.compilation import compile_blocks
from paints_undo.execution.pinned_transfer import PinnedTransfer
from paints_undo.execution.plan import HOST_BUDGET, RESIDENT, Plan, next_plan_down
from paints_undo.family.model_family import ModelFamily
from paints_undo.family.weights import load_part, load_tokenizer

log = logging.getLogger(__name__)


class Networks(Protocol):
    """What the two stages ask of a family's networks: Parts, or those that a pipeline of diffusers holds."""

    family: ModelFamily
    device: torch.device
    dtype: torch.dtype
    plan: Plan

    def tokenizer(self, checkpoint: str) -> CLIPTokenizer: ...

    def prefetch(self, part: str) -> None: ...

    def on_device(self, part: str) -> AbstractContextManager[nn.Module]: ...

    def to_host(self, tensor: Tensor) -> Tensor: ...


class Parts:
    """`with parts.on_device("single_frame/unet") as unet:` - the indentation shows what is on the device.

    plan: how much of the networks is there at once; use() changes it.  compiled: the blocks of whole networks are.
    """

    def __init__(
        self,
        family: ModelFamily,
        device: torch.device,
        dtype: torch.dtype,
        plan: Plan = RESIDENT,
        host_budget: int = HOST_BUDGET,
        transfer: PinnedTransfer | None = None,
        compiled: bool = False,
    ):
        self.family = family
        self.device = device
        self.dtype = dtype
        self.transfer = transfer or PinnedTransfer(device)
        self.residency = Residency(self.transfer)
        self.host_budget = host_budget
        self.compiled = compiled
        self._networks: dict[str, nn.Module] = {}  # least recently used first
        self._streams: dict[str, BlockStream] = {}
        self._coming: dict[str, Future[nn.Module]] = {}
        self._background = ThreadPoolExecutor(1, thread_name_prefix="prefetch")
        self._tokenizers: dict[str, CLIPTokenizer] = {}
        self._adopt(plan)

    def use(self, plan: Plan) -> None:
        """Work by another plan from now on; what is on the device and not in use leaves it."""
        self._streams.clear()
        self._adopt(plan)
        self.residency.drop_all()

    def _adopt(self, plan: Plan) -> None:
        self.plan = plan
        self.residency.keep = plan.keep
        self.transfer.allow_pinned(plan.pinned)

    def step_down(self) -> bool:
        """Take the plan that needs less device memory than this one; False where there is none."""
        lower = next_plan_down(self.plan) if self.transfer.needed else None
        if lower is None:
            return False
        known = self.plan.name, self.device, lower.name
        log.warning("too little memory for the plan %s on %s; going on with %s", *known)
        self.use(lower)
        return True

    def dtype_of(self, part: str) -> torch.dtype:
        """The number format of a part on this device."""
        return picture_vae_dtype(self.device, self.dtype) if part == "single_frame/vae" else self.dtype

    def tokenizer(self, checkpoint: str) -> CLIPTokenizer:
        """The tokenizer of "single_frame" or "multi_frame"."""
        if checkpoint not in self._tokenizers:
            self._tokenizers[checkpoint] = load_tokenizer(self.family, f"{checkpoint}/tokenizer")
        return self._tokenizers[checkpoint]

    def prefetch(self, part: str) -> None:
        """Start to load a part that is used next, in the background; its errors come when it is used."""
        if part not in self._networks and part not in self._coming:
            self._coming[part] = self._background.submit(self._load_ahead, part)

    def _load_ahead(self, part: str) -> nn.Module:
        network = self._load(part)
        if not self._streamed(network):
            self.residency.prefetch(network)
        return network

    def _load(self, part: str) -> nn.Module:
        network = load_part(self.family, part, self.dtype_of(part))
        for module in network.modules():
            if self.device.type in getattr(module, "channels_last_on", ()):
                weights_channels_last(module)
        return network

    def to_host(self, tensor: Tensor) -> Tensor:
        """The tensor in the host's memory, pinned as far as the plan allows."""
        return self.transfer.to_host(tensor)

    @contextmanager
    def on_device(self, part: str) -> Iterator[nn.Module]:
        """The network of a part, its weights on the device until the block ends.

        Raises MemoryError, one sentence, when the device has too little memory for what the block does.
        """
        with self.memory_for(part):
            network = self._networks[part] = self._network(part)
            try:
                with self._placed(part, network):
                    yield network
            finally:
                self._let_go()

    @contextmanager
    def memory_for(self, work: str) -> Iterator[None]:
        """Where the block runs out of memory: MemoryError, one sentence, and what is not in use leaves the device."""
        try:
            yield
        except RuntimeError as error:
            if not ran_out(error):
                raise
            self.residency.drop_all()
            raise OutOfMemory(
                "{device} has too little memory for {part}; make the pictures smaller (--width, --height), "
                "close other programs that use the GPU, or take --device cpu",
                device_in_words(self.device),
                work,
            ) from error

    def _network(self, part: str) -> nn.Module:
        """Taken from the host copies, so that putting it back makes it the most recently used."""
        coming = self._coming.pop(part, None)
        if part in self._networks:
            return self._networks.pop(part)
        network = coming.result() if coming else self._load(part)
        if self.compiled and not self._streamed(network):  # a ring changes where the weights lie
            compile_blocks(network)
        return network

    @contextmanager
    def _placed(self, part: str, network: nn.Module) -> Iterator[None]:
        """Whole, or through the plan's ring where the network is larger."""
        ring = self.plan.ring
        if ring is not None and self._streamed(network):
            if part not in self._streams:
                self._streams[part] = BlockStream(network, ring, self.transfer)
            with self._streams[part].running():
                yield
        else:
            with self.residency.on_device(network):
                yield

    def _streamed(self, network: nn.Module) -> bool:
        ring = self.plan.ring
        return self.transfer.needed and ring is not None and size(network) > ring

    def _let_go(self) -> None:
        """Forget the least recently used host copies beyond the budget, but never those still on the device."""
        sizes = {part: size(network) for part, network in self._networks.items()}
        for part in list(self._networks):
            if sum(sizes.values()) <= self.host_budget:
                return
            if self._networks[part] not in self.residency.resident:
                self._streams.pop(part, None)
                del self._networks[part], sizes[part]


def weights_channels_last(network: nn.Module) -> None:
    """Put its convolutions' weights into the order of their pictures, as each call would do again."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)


def size(network: nn.Module) -> int:
    """Bytes of the parameters."""
    return sum(parameter.nbytes for parameter in network.parameters())
