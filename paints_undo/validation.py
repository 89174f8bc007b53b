"""Checks of the values a user gives, with the field, the value and the allowed range in the message."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import TypeGuard

from paints_undo.errors import InputError

SEEDS = (0, 2**32 - 1)  # which every generator takes
STEPS = (0, 999)  # of the operations: finished, first stroke


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def whole_number(field: str, value: object, low: int, high: int) -> int:
    """`value` as an int within low..high; 50.0 counts as whole, 2.7 and True do not."""
    if _is_number(value) and value == int(value) and low <= value <= high:
        return int(value)
    raise InputError("{field} is {value!r}; use a whole number from {low} to {high}", field, value, low, high)


def seed(field: str, value: object) -> int:
    """`value` as a seed of 32 bits."""
    return whole_number(field, value, *SEEDS)


def one_of(field: str, value: object, choices: tuple[str, ...]) -> str:
    """`value` as one of these words."""
    for choice in choices:
        if value == choice:
            return choice
    raise InputError("{field} is {value!r}; use one of {choices}", field, value, ", ".join(choices))


def number(field: str, value: object, low: float, high: float) -> float:
    """`value` as a finite float within low..high."""
    if _is_number(value) and low <= value <= high:
        return float(value)
    raise InputError("{field} is {value!r}; use a number from {low:g} to {high:g}", field, value, low, high)


def interval(field: str, values: object, low: int, high: int) -> tuple[int, int]:
    """`values` as two ascending ints within low..high."""
    pair = tuple(values) if isinstance(values, list | tuple) else ()
    if len(pair) != 2 or whole_number(field, pair[0], low, high) > whole_number(field, pair[1], low, high):
        sentence = "{field} is {value!r}; give two whole numbers from {low} to {high}, the smaller one first"
        raise InputError(sentence, field, values, low, high)
    return int(pair[0]), int(pair[1])


def yes_or_no(field: str, value: object) -> bool:
    """`value` as a bool; nothing else counts as one."""
    if not isinstance(value, bool):
        raise InputError("{field} is {value!r}; use true or false", field, value)
    return value


def text(field: str, value: object, longest: int = 10_000) -> str:
    """`value` as a legible string of at most `longest` characters."""
    if not isinstance(value, str):
        raise InputError("{field} is {value!r}; use text", field, value)
    if len(value) > longest:
        raise InputError("{field} has {count:,} characters; use at most {longest:,}", field, len(value), longest)
    return legible(value)


def legible(text: str) -> str:
    """The text with the replacement sign for what is no character: half of a pair, or a byte of a file's name.

    Python has strings with such halves, from file names, command lines and JSON; no file or page can hold them.
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def operation_steps(values: Iterable[object]) -> tuple[int, ...]:
    """The operation steps in ascending order, each 0..999 and named once."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InputError("operation steps are {values!r}; give a list of whole numbers from 0 to 999", values)
    steps = [whole_number("operation step", value, *STEPS) for value in values]
    if not steps:
        raise InputError("operation steps are empty; give at least one from 0 (finished) to 999 (first stroke)")
    counts = Counter(steps)  # at once: programs may send a million
    repeated = sorted(step for step, count in counts.items() if count > 1)
    if repeated:
        raise InputError(
            "operation step {step} is given {times} times; name each step once", repeated[0], counts[repeated[0]]
        )
    return tuple(sorted(steps))
