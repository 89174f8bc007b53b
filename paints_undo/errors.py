"""The exceptions that callers of this package may want to tell apart."""

from __future__ import annotations


class _OneLine(Exception):
    """A sentence stays on one line of a log or a terminal, whatever a file or a person put into the value it quotes."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.splitlines()))


class InputError(_OneLine, ValueError):
    """A value or a file given by the user cannot be used.

    The message is one sentence a person can act on: what was wrong, where, the value found and the remedy.
    Interfaces show it as it stands, without a traceback.
    """


class CheckpointError(_OneLine, RuntimeError):
    """A model file is missing, damaged or does not fit the network it is meant for.

    The message names the file or tensor, what was found, what was expected and how to put it right.
    """


class Cancelled(Exception):
    """The user asked a run to stop.

    Raised from a progress callback; the run ends without leaving a half-written file behind. It is no error, so it
    derives from neither :class:`InputError` nor :class:`CheckpointError`.
    """


# What their message says is enough for the person at the program; everything else is a fault of the program itself.
EXPECTED = (InputError, CheckpointError, OSError, MemoryError, FloatingPointError)
