"""What a person may choose for an export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from paints_undo import validation
from paints_undo.exports.pacing import Pacing
from paints_undo.exports.source import Source
from paints_undo.words.languages import LANGUAGES

LONGEST_TITLE = 200  # characters


@dataclass(frozen=True)
class ExportOptions:
    """What a person may choose for an export; each format takes of it what it can use."""

    pacing: Pacing = field(default_factory=Pacing)
    longest_side: int | None = None  # pixels; by default the artwork's own, in animations less
    title: str = ""  # what the picture is called in layers, sheets and pages; the run's name by default
    language: str = "en"  # one of LANGUAGES: of what a step sheet says

    def __post_init__(self) -> None:
        if self.longest_side is not None:
            checked = validation.whole_number("longest side", self.longest_side, 32, 16384)
            object.__setattr__(self, "longest_side", checked)
        object.__setattr__(self, "title", validation.text("title", self.title, LONGEST_TITLE))
        validation.one_of("language", self.language, LANGUAGES)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ExportOptions:
        """The options out of values by name, those of the pacing beside the others; what is no option is left out."""
        given = {each.name: values[each.name] for each in (*fields(Pacing), *fields(cls)) if each.name in values}
        pacing = Pacing(**{each.name: given.pop(each.name) for each in fields(Pacing) if each.name in given})
        return cls(pacing, **given)

    def fps(self, source: Source) -> int:
        """Frames a second of an export."""
        return self.pacing.frames_a_second(source.fps)
