"""Files that visitors uploaded: the only files of this computer that a request may name, by whatever door it comes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gradio.utils import get_upload_folder

from paints_undo.errors import InputError
from paints_undo.headers import read_header
from paints_undo.pictures.files import naming, read_file
from paints_undo.pictures.pixels import read_picture

NAME = "the uploaded file"  # in sentences: what it is called on the server helps nobody
MOST_PIXELS = 96_000_000  # of all pictures that are being read; each needs about 16 bytes a pixel on the way
MOST_WAITING = 8  # pictures that wait for room; they hold threads that others need
LONGEST_WAIT_S = 30.0
LARGE = 4_000_000  # pixels whose memory is worth giving back at once
_PIXELS_PER_BYTE = 0.25  # of the file, which is held in memory, too


def uploaded(path: object) -> Path:
    """The uploaded file of this name, its links followed.

    Raises InputError: the same for every other file, whether it is there or not.
    """
    if path is None or path == "":
        raise InputError("there is no picture yet: upload one first")
    if isinstance(path, str | Path):
        with contextlib.suppress(OSError, ValueError, RuntimeError):  # no such file, no name for one, links in a circle
            file = Path(path).resolve(strict=True)
            if file.is_relative_to(Path(get_upload_folder()).resolve()) and file.is_file():
                return file
    raise InputError("this file was not uploaded here; choose it again")


class Room:
    """Room in memory for so many pixels at a time; whoever finds none waits for it, first come, first served."""

    def __init__(self, pixels: int = MOST_PIXELS, waiting: int = MOST_WAITING, wait_s: float = LONGEST_WAIT_S) -> None:
        self._most, self._free, self._most_waiting, self._wait_s = pixels, pixels, waiting, wait_s
        self._change = threading.Condition()
        self._line: list[object] = []  # of those who wait, the next one to get room first

    @contextlib.contextmanager
    def taken(self, pixels: int) -> Iterator[None]:
        """Hold room for this many pixels, or all there is. Raises InputError when it does not come soon."""
        wanted, place = min(pixels, self._most), object()
        with self._change:
            if len(self._line) >= self._most_waiting:
                raise _busy()
            self._line.append(place)
            there = self._change.wait_for(lambda: self._line[0] is place and self._free >= wanted, self._wait_s)
            self._line.remove(place)
            self._change.notify_all()
            if not there:
                raise _busy()
            self._free -= wanted
        try:
            yield
        finally:
            if wanted >= LARGE:
                _give_back_freed_memory()
            with self._change:
                self._free += wanted
                self._change.notify_all()


def _give_back_freed_memory() -> None:
    """Let the allocator of Linux return what it keeps for each thread: some 400 MB after a picture of 64 megapixels."""
    with contextlib.suppress(OSError, AttributeError):  # other systems have another allocator
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def _busy() -> InputError:
    return InputError("other large pictures are being read just now; try again in a minute")


_room = Room()  # memory is one per process, however many apps are built in it


@contextlib.contextmanager
def picture_of(source: str | Path | np.ndarray | None) -> Iterator[np.ndarray]:
    """An uploaded picture as uint8 (H, W, 3), with room in memory for what is made of it inside the block.

    Raises InputError for a file that was not uploaded, and for one that is no picture.
    """
    if isinstance(source, np.ndarray):
        yield read_picture(source)
        return
    with uploaded(source).open("rb") as file:
        with naming(NAME):
            header = read_header(file)
        pixels = header.width * header.height + round(_PIXELS_PER_BYTE * os.fstat(file.fileno()).st_size)
        with _room.taken(pixels):
            yield read_file(file, NAME)
