"""Devices, number formats, and which networks are on the compute device right now.

Weights never change during a run: they are copied to the device when needed and dropped there; none are copied back.
"""

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

FAST_BF16 = ("avx512_bf16", "amx_bf16", "bf16")  # what PyTorch calls such instructions of Intel, AMD and ARM
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
DEVICES = ("cuda", "mps", "cpu")
# How drivers, libraries and hosts say that no memory is left; PyTorch has an error of its own for CUDA's allocator.
OUT_OF_MEMORY = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "out of memory", "DefaultCPUAllocator")

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


def same_devices(device: torch.device, count: int) -> list[str]:
    """Names of `count` devices of this kind: the GPUs in turn, some several times if there are fewer; else the one."""
    if device.type != "cuda":
        return [device.type] * count
    return [f"cuda:{number % torch.cuda.device_count()}" for number in range(count)]


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
    if name == "bf16" and device.type == "cpu" and not any(map(torch.cpu.get_capabilities().get, FAST_BF16)):
        log.warning("this CPU has no instructions for bf16, so that fp32 is faster here; bf16 saves memory")
    return DTYPES[name]


def picture_vae_dtype(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """The number format of the keyframes' VAE: its activations overflow fp16, so it runs in bf16 or float32 instead."""
    if dtype != torch.float16:
        return dtype
    return torch.bfloat16 if device.type == "cuda" and computes_bf16(device) else torch.float32


def computes_bf16(device: torch.device) -> bool:
    """Whether this very card has instructions for bf16; PyTorch asks the current one."""
    with torch.cuda.device(device):
        return torch.cuda.is_bf16_supported(including_emulation=False)


def keep_float32_whole() -> None:
    """Products and convolutions of float32 on a GPU in float32, not in the 19 bits of TF32; for all of the process."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


def ran_out(error: BaseException) -> bool:
    """Whether an error says that a device has no memory left; libraries say so in errors of their own."""
    return isinstance(error, torch.OutOfMemoryError) or any(said in str(error) for said in OUT_OF_MEMORY)


def mixed_precision_dtype(device: torch.device) -> torch.dtype:
    """What training computes its products and convolutions in: bf16, fp16 on a GPU without it, float32 on Apple's."""
    if device.type == "cuda":
        return torch.bfloat16 if computes_bf16(device) else torch.float16
    return torch.bfloat16 if device.type == "cpu" else torch.float32


def device_in_words(device: torch.device) -> str:
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
    try:
        free, _ = torch.cuda.mem_get_info(device)
    except RuntimeError as error:
        if not ran_out(error):
            raise
        return 0  # not even for what CUDA itself needs
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def synchronize(device: torch.device) -> None:
    """Wait until the device has done everything it was asked to: a clock may be read then."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def peak_memory(device: torch.device) -> int:
    """The most bytes that tensors took on a CUDA device since the last call; 0 where nothing can say."""
    if device.type != "cuda":
        return 0
    peak = torch.cuda.max_memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    return peak


def device_memory(device: torch.device) -> tuple[int | None, int | None]:
    """Bytes of memory that are free and that there are at all; on a CPU the machine's, None where nothing can say."""
    if device.type == "cuda":
        return free_memory(device), torch.cuda.get_device_properties(device).total_memory
    if device.type == "mps":
        total = torch.mps.recommended_max_memory()
        return total - torch.mps.driver_allocated_memory(), total
    if device.type == "meta":
        return None, None
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            values = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        return values["MemAvailable"], values["MemTotal"]
    except (OSError, KeyError):
        return None, None  # not Linux


class Transfer:
    """The way of weights from the host to the device: beside the computation where the device can, and counted.

    On CUDA copies run on a stream of their own; elsewhere events are None and everything happens in order.
    """

    def __init__(self, device: torch.device):
        self.device = device
        self.loads = 0  # networks brought to the device
        self.bytes_moved = 0  # from the host to the device; none ever comes back
        self._stream: torch.cuda.Stream | None = None

    @property
    def needed(self) -> bool:
        """Whether weights have to move at all: on a CPU they are where they compute."""
        return self.device.type != "cpu"

    def free_memory(self) -> int | None:
        """Bytes still free on the device; None where nothing can say."""
        return free_memory(self.device)

    def empty(self, size: int) -> Tensor:
        """Device memory, uint8 (size,)."""
        with torch.inference_mode(False):  # written to again and again, in inference mode and out of it
            return torch.empty(size, dtype=torch.uint8, device=self.device)

    def copy(self, tensor: Tensor) -> Tensor:
        """The tensor on the device."""
        self.bytes_moved += tensor.nbytes
        return tensor.to(self.device, non_blocking=True)

    def copy_into(self, memory: Tensor, tensor: Tensor) -> None:
        """The same, into device memory that is there already."""
        self.bytes_moved += tensor.nbytes
        memory.copy_(tensor, non_blocking=True)

    @contextmanager
    def beside(self, after: torch.cuda.Event | None = None) -> Iterator[Callable[[], torch.cuda.Event | None]]:
        """Copies of this block run beside the computation, once `after` has come; its value says when they are done."""
        if self.device.type != "cuda":
            yield lambda: None
            return
        self._stream = self._stream or torch.cuda.Stream(self.device)
        if after is not None:
            self._stream.wait_event(after)
        with torch.cuda.stream(self._stream):
            yield self._stream.record_event

    def now(self) -> torch.cuda.Event | None:
        """What has been asked of the device so far, as an event."""
        return torch.cuda.current_stream(self.device).record_event() if self.device.type == "cuda" else None

    def wait(self, event: torch.cuda.Event | None, tensors: Iterable[Tensor] = ()) -> None:
        """The computation goes on after the event, with `tensors` that a block beside it made."""
        if event is not None:
            stream = torch.cuda.current_stream(self.device)
            stream.wait_event(event)
            for tensor in tensors:
                tensor.record_stream(stream)


class Residency:
    """Which networks are on the compute device.

        with residency.on_device(unet):
            ...  # it computes on residency.transfer.device

    After the block a network stays on the device while enough memory is left for the activations of others, and makes
    room, least recently used first, when it is not; with keep=False it leaves at once.  On a CPU nothing moves.
    """

    def __init__(self, transfer: Transfer, reserve: int = ACTIVATION_RESERVE, keep: bool = True):
        self.transfer = transfer
        self.reserve = reserve
        self.keep = keep
        self._host_copies: dict[nn.Module, list[TensorPlace]] = {}  # least recently used first
        self._in_use: list[nn.Module] = []
        self._ahead: dict[nn.Module, tuple[dict[int, Tensor], torch.cuda.Event | None]] = {}

    @contextmanager
    def on_device(self, network: nn.Module) -> Iterator[None]:
        """Within this block the parameters and buffers of `network` are on the device."""
        self._in_use.append(network)
        try:
            self._bring(network)
            yield
        finally:
            self._in_use.remove(network)
            self._make_room(0)

    def prefetch(self, network: nn.Module) -> None:
        """Start to copy a network that is used next, where it may stay and memory is left; from any thread."""
        size = sum(place.tensor.nbytes for place in tensor_places(network))
        free = self.transfer.free_memory()
        if not self.keep or free is None or free < size + self.reserve or network in self._host_copies:
            return
        try:
            with self.transfer.beside() as done:
                moved = self._copies(tensor_places(network))
                self._ahead[network] = moved, done()
        except RuntimeError as error:  # in time it may have gone, and else its use will say so
            if not ran_out(error):
                raise

    def drop_all(self) -> None:
        """Take every network that is not in use off the device."""
        self._ahead.clear()
        for network in [n for n in self._host_copies if n not in self._in_use]:
            self._drop(network)
        if self.transfer.device.type in ("cuda", "mps"):  # where PyTorch holds memory in reserve
            torch.get_device_module(self.transfer.device).empty_cache()

    @property
    def resident(self) -> list[nn.Module]:
        """The networks whose weights are on the device."""
        return list(self._host_copies)

    def _bring(self, network: nn.Module) -> None:
        if not self.transfer.needed:
            return
        if network in self._host_copies:
            self._host_copies[network] = self._host_copies.pop(network)  # now the most recently used
            return
        places = tensor_places(network)
        if network in self._ahead:
            moved, done = self._ahead.pop(network)
            self.transfer.wait(done, moved.values())
        else:
            self._make_room(sum(place.tensor.nbytes for place in places))
            moved = self._copies(places)
        self.transfer.loads += 1
        self._host_copies[network] = places
        for place in places:
            place.put(moved[id(place.tensor)])

    def _copies(self, places: list["TensorPlace"]) -> dict[int, Tensor]:
        """All of them before any is put in place: a device that runs full half way leaves the network as it was."""
        host = {id(place.tensor): place.tensor for place in places}  # shared ones once
        return {key: self.transfer.copy(tensor) for key, tensor in host.items()}

    def _make_room(self, needed: int) -> None:
        for network in [n for n in self._host_copies if n not in self._in_use]:
            free = self.transfer.free_memory()
            if self.keep and free is not None and free >= needed + self.reserve:
                return
            self._drop(network)

    def _drop(self, network: nn.Module) -> None:
        for place in self._host_copies.pop(network):
            place.put(place.tensor)


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
