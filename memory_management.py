"""Devices, number formats, and which networks are on the compute device right now.

Weights never change during a run, so they are copied to the device when needed and simply dropped there afterwards: the
host copy stays where it is and nothing is ever copied back.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
DEVICES = ("cuda", "mps", "cpu")

# Left free on the device for activations before a network may stay there between two uses.
ACTIVATION_RESERVE = 6 * 2**30


def pick_device(name: str | None = None) -> torch.device:
    """The compute device `name` ("cuda", "mps" or "cpu", also "cuda:1"), or the best one this machine has.

    Raises ValueError when the machine lacks the named device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name is None:
        return torch.device(next(kind for kind in DEVICES if available[kind]))
    kind = name.partition(":")[0]
    if kind not in DEVICES:
        raise ValueError(f"device is {name!r}; use one of {', '.join(DEVICES)}")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device is {name!r}; write it like cuda, cuda:1, mps or cpu") from None
    missing_card = kind == "cuda" and available["cuda"] and (device.index or 0) >= torch.cuda.device_count()
    if not available[kind] or missing_card:
        raise ValueError(
            f"device is {name!r}, but PyTorch {torch.__version__} finds no such device on this machine; leave --device "
            "out to use the best one there is"
        )
    return device


def pick_dtype(device: torch.device, name: str | None = None) -> torch.dtype:
    """The number format of networks on `device`: the one asked for ("fp32", "fp16", "bf16"), or the usual one.

    Usual: half precision on a GPU (the published weights are fp16 and were run so), float32 on a CPU.
    Raises ValueError for fp16 on a CPU, where it is hundreds of times slower, and for unknown names.
    """
    if name is None:
        return torch.float32 if device.type == "cpu" else torch.float16
    if name not in DTYPES:
        raise ValueError(f"dtype is {name!r}; use one of {', '.join(DTYPES)}")
    if name == "fp16" and device.type == "cpu":
        raise ValueError(
            "dtype is 'fp16', which a CPU computes hundreds of times slower; use fp32, or bf16 to save memory"
        )
    return DTYPES[name]


def picture_vae_dtype(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """The number format of the keyframes' VAE: its activations overflow fp16, so it runs in bf16 or float32 instead."""
    if dtype != torch.float16:
        return dtype
    native_bf16 = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native_bf16 else torch.float32


def describe(device: torch.device) -> str:
    """A device in words: its name and memory, or its threads."""
    if device.type == "cuda":
        free, total = free_memory(device) or 0, torch.cuda.get_device_properties(device).total_memory
        return f"{device}, {torch.cuda.get_device_name(device)}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
    return f"cpu, {torch.get_num_threads()} threads" if device.type == "cpu" else device.type


def misses_an_nvidia_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU that the installed PyTorch was not built for."""
    return shutil.which("nvidia-smi") is not None and torch.version.cuda is None


def free_memory(device: torch.device) -> int | None:
    """Bytes still free on a CUDA device, counting what PyTorch holds in reserve; None where nothing can say."""
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def release_cache(device: torch.device) -> None:
    """Hand memory that PyTorch holds in reserve back to the device."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


class Residency:
    """Which networks are on the compute device.

        with residency.on_device(text_encoder, unet):
            ...  # both compute on residency.device

    After the block a network stays on the device while enough memory is left for the activations of others, and makes
    room, least recently used first, when it is not.  On a CPU nothing moves.
    """

    def __init__(self, device: torch.device, reserve: int = ACTIVATION_RESERVE):
        self.device = device
        self.reserve = reserve
        self._host_copies: dict[nn.Module, list[TensorPlace]] = {}  # least recently used first
        self._in_use: list[nn.Module] = []

    @contextmanager
    def on_device(self, *networks: nn.Module) -> Iterator[None]:
        """Within this block the parameters and buffers of `networks` are on the device."""
        entered: list[nn.Module] = []
        try:
            for network in networks:
                self._in_use.append(network)
                entered.append(network)
                self._bring(network)
            yield
        finally:
            for network in entered:
                self._in_use.remove(network)
            self._make_room(0)

    def drop_all(self) -> None:
        """Take every network that is not in use off the device."""
        for network in [n for n in self._host_copies if n not in self._in_use]:
            self._drop(network)
        release_cache(self.device)

    @property
    def resident(self) -> list[nn.Module]:
        """The networks whose weights are on the device."""
        return list(self._host_copies)

    def _bring(self, network: nn.Module) -> None:
        if self.device.type == "cpu":
            return
        if network in self._host_copies:
            self._host_copies[network] = self._host_copies.pop(network)  # now the most recently used
            return
        places = tensor_places(network)
        self._make_room(sum(place.tensor.nbytes for place in places))
        # all of them first: a device that runs full half way leaves the network as it was
        moved = {id(place.tensor): place.tensor.to(self.device, non_blocking=True) for place in places}
        self._host_copies[network] = places
        for place in places:
            place.put(moved[id(place.tensor)])

    def _make_room(self, needed: int) -> None:
        for network in [n for n in self._host_copies if n not in self._in_use]:
            free = free_memory(self.device)
            if free is not None and free >= needed + self.reserve:
                return
            self._drop(network)

    def _drop(self, network: nn.Module) -> None:
        for place in self._host_copies.pop(network):
            place.put(place.tensor)
        log.debug("took %s off %s", type(network).__name__, self.device)


@dataclass(frozen=True)
class TensorPlace:
    """Where a parameter or buffer hangs in a network, and its host copy."""

    owner: nn.Module
    name: str
    tensor: Tensor

    def put(self, tensor: Tensor) -> None:
        """Hang this tensor there; as a parameter, where a parameter hung."""
        if isinstance(self.tensor, nn.Parameter) and not isinstance(tensor, nn.Parameter):
            tensor = nn.Parameter(tensor, requires_grad=False)
        setattr(self.owner, self.name, tensor)


def tensor_places(network: nn.Module) -> list[TensorPlace]:
    """Every place of a parameter or buffer; two places that share a tensor are both listed."""
    return [
        TensorPlace(owner, name, tensor)
        for owner in network.modules()
        for tensors in (owner.named_parameters, owner.named_buffers)
        for name, tensor in tensors(recurse=False, remove_duplicate=False)
    ]
