"""Finished keyframes and segments kept in memory by what they were made of, so that nothing is computed twice."""

import hashlib
import json
from collections import OrderedDict
from threading import Lock

import numpy as np

LIMIT = 512 * 2**20  # bytes; some 60 segments of the published size


class Results:
    """A store of uint8 pictures under the content of everything that decides about them; safe to use from any thread.

    Beyond `limit` bytes the least recently used are forgotten.
    """

    def __init__(self, limit: int = LIMIT):
        if limit < 0:
            raise ValueError(f"limit of kept results is {limit} bytes; use 0 to keep none, or more")
        self.limit = limit
        self._kept: OrderedDict[str, np.ndarray] = OrderedDict()  # least recently used first
        self._lock = Lock()

    def get(self, key: str) -> np.ndarray | None:
        """What was kept under this key, not to be written to; None when there is nothing."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: str, pictures: np.ndarray) -> None:
        """Keep a copy of the pictures."""
        copied = pictures.copy()
        copied.setflags(write=False)
        with self._lock:
            self._kept[key] = copied
            self._kept.move_to_end(key)
            while sum(kept.nbytes for kept in self._kept.values()) > self.limit:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()


def content_key(settings: dict, *pictures: np.ndarray) -> str:
    """One text for plain settings and pictures uint8 (..., 3): the same for the same content, and only then."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for picture in pictures:
        digest.update(f"{picture.shape}{picture.dtype}".encode())
        digest.update(np.ascontiguousarray(picture).data)
    return digest.hexdigest()
