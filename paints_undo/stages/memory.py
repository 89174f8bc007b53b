"""What an engine has drawn and half drawn, by what it is made of, so that nothing is computed twice."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from paints_undo.diffusion.samplers import Partway

LIMIT = 512 * 2**20  # bytes of pictures; some 60 segments of the published size
MOST_BEGUN = 16  # calls whose latents are kept; a few megabytes each at the published size


@dataclass
class Begun:
    """What a call has sampled so far, by its pieces' keys: enough to go on from and come to the same pictures.

    A batch goes on as the batch that it was: in another one it would come out the same only up to rounding.
    """

    latents: dict[str, Tensor] = field(default_factory=dict)  # (1, 4, [16,] h, w) on the host
    under_way: dict[tuple[str, ...], Partway] = field(default_factory=dict)  # by batch


class Memory:
    """Finished pictures, uint8, and the latents of calls that did not finish; for one thread at a time.

    Beyond `limit` bytes the least recently used pictures are forgotten.
    """

    def __init__(self, limit: int = LIMIT):
        self.limit = limit
        self.pictures: OrderedDict[str, np.ndarray] = OrderedDict()  # least recently used first
        self._begun: dict[str, Begun] = {}  # oldest first

    def get(self, key: str) -> np.ndarray | None:
        """The pictures kept under this key, not to be written to; None when there are none."""
        if key in self.pictures:
            self.pictures.move_to_end(key)
        return self.pictures.get(key)

    def put(self, key: str, pictures: np.ndarray) -> None:
        """Keep a copy of the pictures."""
        copied = pictures.copy()
        copied.setflags(write=False)
        self.pictures[key] = copied
        self.pictures.move_to_end(key)
        while sum(kept.nbytes for kept in self.pictures.values()) > self.limit:
            self.pictures.popitem(last=False)

    def begun(self, alike: str, pieces: Iterable[str]) -> Begun:
        """What calls like this one left of these pieces, empty at first; kept until such a call is finished."""
        begun = self._begun[alike] = self._begun.pop(alike, Begun())
        begun.latents = {key: begun.latents[key] for key in pieces if key in begun.latents}
        for oldest in list(self._begun)[:-MOST_BEGUN]:
            del self._begun[oldest]
        return begun

    def finished(self, alike: str) -> None:
        """Let go of the latents of calls like this one."""
        self._begun.pop(alike, None)

    def clear(self) -> None:
        """Forget everything."""
        self.pictures.clear()
        self._begun.clear()


def content_key(settings: dict, *pictures: np.ndarray) -> str:
    """One text for plain settings and pictures uint8 (..., 3): the same for the same content, and only then."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for picture in pictures:
        digest.update(f"{picture.shape}{picture.dtype}".encode())
        digest.update(np.ascontiguousarray(picture).data)
    return digest.hexdigest()
