"""A part of a test as an account that file permissions bind."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """The block as nobody, where the tests run as root, whom no permission binds."""
    if os.name != "posix" or os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def open_to_all(folder: Path) -> None:
    """Let everyone look into a folder and those above it, as far as they are the tests' own."""
    for path in (folder, *folder.parents):
        if path.name.startswith("pytest-of-"):
            path.chmod(0o755)
            return
        path.chmod(0o755)
