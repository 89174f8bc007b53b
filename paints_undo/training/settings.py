"""What the settings of every part have in common: fields that say what they may hold, batches, picture sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, TypeVar

T = TypeVar("T", bound="Settings")


def within(default: Any, low: float, high: float = math.inf) -> Any:
    """A dataclass field that holds `low` to `high`, both included; so does each number of a tuple, of one or more."""
    return field(default=default, metadata={"within": (low, high)})


def share(default: float) -> Any:
    """A dataclass field that holds 0 to 1."""
    return within(default, 0, 1)


@dataclass(frozen=True)
class Checked:
    """A dataclass that raises ValueError naming its first field with a value out of range."""

    def __post_init__(self) -> None:
        for one in fields(self):
            value, (low, high) = getattr(self, one.name), one.metadata.get("within", (-math.inf, math.inf))
            numbers = value if isinstance(value, tuple) else (value,)
            if "within" in one.metadata and not (numbers and all(n is None or low <= n <= high for n in numbers)):
                allowed = f"be at least {low:g}" if high == math.inf else f"lie in {low:g} to {high:g}"
                raise ValueError(f"{one.name} must {allowed}, got {value}")


@dataclass(frozen=True)
class Settings(Checked):
    """How one part is built and trained."""

    COUNTED: ClassVar[str] = "batch"
    """The field that says how many pictures, pieces of pictures or clips an update has."""

    @property
    def count(self) -> int:
        return getattr(self, self.COUNTED)

    def with_batch(self: T, count: int) -> T:
        """The same with `count` pictures, pieces or clips in an update."""
        return replace(self, **{self.COUNTED: count})

    def for_size(self: T, size: int) -> T:
        """The same for pictures of `size` pixels."""
        return self
