"""Host memory that a card reads by itself: pinned, and so taken from everything else, within a budget."""

import logging
import weakref

import torch
from torch import Tensor

from memory_management import Transfer

log = logging.getLogger(__name__)

# Host memory is pinned in pieces of this many bytes.
PINNED_PIECE = 2**28


class PinnedTransfer(Transfer):
    """A way of weights to the device, and of activations back, whose host end may be pinned on CUDA."""

    def __init__(self, device: torch.device):
        super().__init__(device)
        self._pinnable = 0  # bytes of host memory that may still be pinned
        self._piece: Tensor | None = None  # pinned memory not yet given out

    def allow_pinned(self, size: int) -> None:
        """Pin up to this many bytes of host memory from now on, beside what is pinned already."""
        self._pinnable, self._piece = size, None

    def pinned(self, size: int) -> Tensor | None:
        """Pinned host memory, uint8 (size,), or None where the budget or the system gives no more.

        It is cut from pieces of PINNED_PIECE bytes, because the allocator rounds each piece up to a power of two.
        """
        if self.device.type != "cuda" or size > PINNED_PIECE:
            return None
        if self._piece is None or self._piece.numel() < size:
            self._piece = self._pinned_piece()
        if self._piece is None:
            return None
        memory, self._piece = self._piece[:size], self._piece[size:]
        return memory

    def to_host(self, tensor: Tensor) -> Tensor:
        """The tensor in the host's memory: pinned, so that copies are fast, where the budget has as much left."""
        if tensor.device.type == "cpu":
            return tensor
        memory = self.pinned(-(-tensor.nbytes // 512) * 512)  # what is cut off next begins where any number may
        if memory is None:
            return tensor.cpu()
        return memory[: tensor.nbytes].view(tensor.dtype).view(tensor.shape).copy_(tensor, non_blocking=True)

    def _pinned_piece(self) -> Tensor | None:
        if self._pinnable < PINNED_PIECE:
            return None
        try:
            with torch.inference_mode(False):
                piece = torch.empty(PINNED_PIECE, dtype=torch.uint8, pin_memory=True)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            log.warning("the system pins no more host memory (%s); weights come to the device more slowly", reason)
            self._pinnable = 0
            return None
        self._pinnable -= PINNED_PIECE
        weakref.finalize(piece.untyped_storage(), self._unpinned)
        return piece

    def _unpinned(self) -> None:
        self._pinnable += PINNED_PIECE
