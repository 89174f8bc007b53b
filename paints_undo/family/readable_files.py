"""Files that the system does not let be read: one sentence, which does not call them damaged or missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from paints_undo.errors import CheckpointError


@contextmanager
def permitted(file: Path) -> Iterator[None]:
    """Turns a refusal of the system to read a file into CheckpointError: it says nothing of what is in the file."""
    try:
        yield
    except PermissionError as error:
        raise CheckpointError(
            "{file} may not be read by this account; give it the permission to read that file and its folders",
            error.filename or file,
        ) from None
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CheckpointError(
            "{file} cannot be read ({reason}); check the disk or drive that it is on", file, reason
        ) from None


def check_readable(file: Path) -> None:
    """Raises CheckpointError where there is a file and the system does not let all of it be read."""
    with suppress(FileNotFoundError), permitted(file), open(file, "rb") as content:
        while content.read(1 << 22):
            pass
