"""Networks larger than the device: their blocks pass through a ring of device memory while they compute.

Each block is copied into the ring beside the computation of those before it and forgotten after its own, so a network
needs no more than the ring.  Which block comes next is learnt from the last time.

Why not diffusers' group offloading (0.42), in float16 at published sizes: by blocks, two neighbours of the keyframe
UNet are 802 MiB and of the 3D UNet 558, where the rings here have 576 or 320 and take whatever is given; by layers it
needs 113 MiB, but copies 690 and 1,516 tensors one by one in each pass and only the next layer's ahead of time, so
that each large layer is waited for.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from memory_management import TensorPlace, tensor_places
from paints_undo.execution.pinned_transfer import PinnedTransfer

# Device memory of every tensor starts at a multiple of this many bytes, as the kernels like it.
ALIGNMENT = 256

# So many of the largest blocks fit the ring: one computes, the next is there, others are on their way.
BLOCKS_IN_RING = 4


@dataclass(eq=False)
class Block:
    """A module whose weights come and go together, and their layout in the ring."""

    module: nn.Module
    places: list[TensorPlace]
    starts: dict[int, int]  # id of a host tensor -> where it lies within the block
    size: int  # bytes
    pinned: Tensor | None = None  # the whole block in pinned host memory, uint8 (size,)

    @classmethod
    def of(cls, module: nn.Module) -> "Block":
        places, starts, size = tensor_places(module), {}, 0
        for place in places:
            if id(place.tensor) not in starts:  # shared ones once
                starts[id(place.tensor)] = size
                size += -(-place.tensor.nbytes // ALIGNMENT) * ALIGNMENT
        return cls(module, places, starts, size)

    def go_home(self) -> None:
        for place in self.places:
            place.put(place.tensor)


@dataclass(frozen=True)
class Held:
    """A block in the ring, at bytes start to end; `ready` is when its copy is done."""

    block: Block
    start: int
    end: int
    ready: Any


class BlockStream:
    """A network that computes on the device with only a ring of its weights there.

        with BlockStream(unet, 600 * 2**20, transfer).running():
            ...  # unet computes on transfer.device

    ring: bytes of device memory.  Raises ValueError where a single layer is larger than the ring.
    """

    def __init__(self, network: nn.Module, ring: int, transfer: PinnedTransfer):
        self.network = network
        self.ring = ring
        self.transfer = transfer
        modules, self._rest = split(network, ring // BLOCKS_IN_RING)
        self.blocks = {module: Block.of(module) for module in modules}
        for block in self.blocks.values():
            if block.size > ring:
                name = type(block.module).__name__
                raise ValueError(f"ring is {ring:,} bytes, but a {name} alone has {block.size:,}; use a larger ring")
        self.next: dict[Block, Block] = {}  # what came after a block the last time
        self._held: deque[Held] = deque()  # oldest first; the first one computes
        self._memory: Tensor | None = None
        self._freed: Any = None  # when the memory of the blocks that left was read for the last time
        self._last: Block | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Within this block the network computes on the device; afterwards all of it is back on the host."""
        hooks = []
        try:
            self._memory, self._last = self.transfer.empty(self.ring), None
            self._freed = self.transfer.now()
            self.transfer.loads += 1
            for place, moved in [(place, self.transfer.copy(place.tensor)) for place in self._rest]:
                place.put(moved)
            for module in self.blocks:
                hooks.append(module.register_forward_pre_hook(self._before))
            yield
        finally:
            for hook in hooks:
                hook.remove()
            while self._held:
                self.transfer.wait(self._held[0].ready)  # a copy still on its way must not meet reused memory
                self._leave()
            for place in self._rest:
                place.put(place.tensor)
            self._memory = None

    def _before(self, module: nn.Module, _: Any) -> None:
        """Called just before a block computes: brings it, and as many of those to come as the ring has room for."""
        block = self.blocks[module]
        if self._last is not block:
            if self._last is not None:
                self.next[self._last] = block
            self._last = block
            while self._held and self._held[0].block is not block:
                self._leave()
            if not self._held:
                self._enter(block, 0)
            self.transfer.wait(self._held[0].ready)
        self._fetch_ahead()

    def _fetch_ahead(self) -> None:
        held = {entry.block for entry in self._held}
        block = self.next.get(self._held[-1].block)
        while block is not None and block not in held and (start := self._room(block.size)) is not None:
            self._enter(block, start)
            held.add(block)
            block = self.next.get(block)

    def _room(self, size: int) -> int | None:
        """Where `size` bytes are free behind the newest block; None while older blocks are in the way."""
        oldest, newest = self._held[0].start, self._held[-1].end
        if oldest < newest:
            if newest + size <= self.ring:
                return newest
            return 0 if size <= oldest else None
        return newest if newest + size <= oldest else None

    def _enter(self, block: Block, start: int) -> None:
        self._pin(block)
        assert self._memory is not None, "blocks enter while the network runs"
        memory = self._memory[start : start + block.size]
        moved = {}
        with self.transfer.beside(after=self._freed) as done:
            if block.pinned is not None:
                self.transfer.copy_into(memory, block.pinned)
            for place in block.places:
                key = id(place.tensor)
                if key not in moved:
                    moved[key] = lay(memory, block.starts[key], place.tensor)
                    if block.pinned is None:
                        self.transfer.copy_into(moved[key], place.tensor)
            ready = done()
        for place in block.places:
            place.put(moved[id(place.tensor)])
        self._held.append(Held(block, start, start + block.size, ready))

    def _pin(self, block: Block) -> None:
        """Keep the block in one piece in pinned memory, where some is left: one fast copy instead of many slow ones."""
        if block.pinned is None and (flat := self.transfer.pinned(block.size)) is not None:
            for place in block.places:
                lay(flat, block.starts[id(place.tensor)], place.tensor).copy_(place.tensor)
            block.pinned = flat

    def _leave(self) -> None:
        self._held.popleft().block.go_home()
        self._freed = self.transfer.now()


def lay(memory: Tensor, start: int, like: Tensor) -> Tensor:
    """A piece of `memory`, uint8, in the shape, order and number format of `like`, which has no gaps."""
    piece = memory[start : start + like.nbytes].view(like.dtype)
    return piece.as_strided(like.shape, like.stride(), piece.storage_offset())


def split(network: nn.Module, limit: int) -> tuple[list[nn.Module], list[TensorPlace]]:
    """The largest modules with at most `limit` bytes of weights each, and the weights that hang in none of them.

    Layers without submodules stay whole whatever their size.  What others use without calling it cannot come by its
    call: a module says `called_in_parts` where they call what is in it, and `read_directly` where they read its
    weights, which then stay on the device.
    """
    blocks: list[nn.Module] = []
    rest: list[TensorPlace] = []
    for child in network.children():
        places = tensor_places(child)
        if getattr(child, "read_directly", False):
            rest += places
            continue
        # lists of modules are not
        called = type(child).forward is not nn.Module.forward and not getattr(child, "called_in_parts", False)
        whole = called and (sum(place.tensor.nbytes for place in places) <= limit or not list(child.children()))
        if whole:
            blocks += [child] if places else []
        else:
            inner, more = split(child, limit)
            blocks += inner
            rest += more
    rest += [p for p in tensor_places(network) if p.owner is network]
    return blocks, rest
