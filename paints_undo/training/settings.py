"""What the settings of every part have in common: what their fields may hold, batches, picture sizes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, TypeVar

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

T = TypeVar("T", bound="Settings")

CHECKED = ConfigDict(strict=True)
"""Of every dataclass of settings: a field takes its own type alone, and what its Field says."""
Count = Annotated[int, Field(ge=1)]
Counts = Annotated[tuple[Count, ...], Field(min_length=1)]
Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True, config=CHECKED)
class Settings:
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


def first_fault(error: ValidationError, section: str = "") -> str:
    """What is wrong first, in half a sentence: the field, its value and what it may hold."""
    fault = error.errors()[0]
    allowed = fault["msg"].removeprefix("Value error, ").replace("Input", "it")
    if not fault["loc"]:
        return f"{section}: {allowed}" if section else allowed
    name = ".".join(map(str, (section, *fault["loc"]) if section else fault["loc"]))
    return f"{name} is {fault['input']!r}; {allowed}"
