"""What networks of one thread are told beside their inputs: context variables that hold for a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Value = TypeVar("Value")


@contextmanager
def within(variable: ContextVar[Value], value: Value) -> Iterator[None]:
    """Within this block of the calling thread the variable has this value."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)
