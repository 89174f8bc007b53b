"""The exceptions that callers of this package may want to tell apart, and the sentences that they tell people."""

from __future__ import annotations

import sys
from collections.abc import Callable
from string import Formatter
from typing import Any

_FORMATTER = Formatter()


class Sentence(str):
    """What people are told, in English and on one line, with what it takes to say it in another language.

    template: English, with named fields; translations are found by it. values: of the fields, as text or sentences.
    """

    template: str
    values: dict[str, str]

    def __new__(cls, template: str, *values: object) -> Sentence:
        """The sentence with its values in the order of the fields; without values the text is taken as it is."""
        if isinstance(template, Sentence):
            return template
        fields = [(name, spec, how) for _, name, spec, how in _FORMATTER.parse(template) if name] if values else []
        given = zip(fields, values, strict=True)
        return cls._of(template, {name: _text(value, spec, how) for (name, spec, how), value in given})

    @classmethod
    def _of(cls, template: str, values: dict[str, str]) -> Sentence:
        said = filled(template, values) if values else template
        # whatever a file or a person put into a value: a log or a terminal gets one line
        sentence = super().__new__(cls, " ".join(said.splitlines()))
        sentence.template, sentence.values = template, values
        return sentence

    def changed(self, change: Callable[[str], str]) -> Sentence:
        """The sentence after a change of its values; of the whole text where it has none."""
        if not self.values:
            return Sentence._of(change(self.template), {})
        values = {name: v.changed(change) if isinstance(v, Sentence) else change(v) for name, v in self.values.items()}
        return Sentence._of(self.template, values)

    def to_record(self) -> dict[str, Any]:
        """Plain values for JSON; :meth:`from_record` gives the sentence back."""
        values = {name: v.to_record() if isinstance(v, Sentence) else v for name, v in self.values.items()}
        return {"template": self.template, "values": values}

    @classmethod
    def from_record(cls, record: Any) -> Sentence:
        """The sentence of a record, or of the plain English that earlier versions kept."""
        if isinstance(record, str):
            return cls(record)
        values = {name: v if isinstance(v, str) else cls.from_record(v) for name, v in record["values"].items()}
        return cls._of(record["template"], values)


def filled(template: str, values: dict[str, str]) -> str:
    """The template with its values, which are formatted already, in place of its fields."""
    return "".join(text + (values[name] if name else "") for text, name, _, _ in _FORMATTER.parse(template))


def sentence_of(error: BaseException) -> Sentence:
    """What an error tells people, whether it is one of ours or another library's."""
    if isinstance(error, Told):
        return error.sentence
    if isinstance(error, MemoryError) and str(error):  # NumPy's names the size
        return Sentence("{shortage}", str(error))
    return Sentence(str(error))


def _text(value: object, spec: str | None, conversion: Any) -> str:
    if isinstance(value, BaseException) and not conversion:
        value = sentence_of(value)
    if isinstance(value, Sentence):
        return value
    return str(_FORMATTER.format_field(_FORMATTER.convert_field(value, conversion), spec or ""))


class Told(Exception):
    """An error that tells people one sentence; its arguments are those of Sentence."""

    def __init__(self, template: str, *values: object) -> None:
        self.sentence = Sentence(template, *values)
        super().__init__(self.sentence)


class InputError(Told, ValueError):
    """A value or a file given by the user cannot be used.

    The message is one sentence a person can act on: what was wrong, where, the value found and the remedy.
    Interfaces show it as it stands, without a traceback.
    """


class CheckpointError(Told, RuntimeError):
    """A model file is missing, damaged or does not fit the network it is meant for.

    The message names the file or tensor, what was found, what was expected and how to put it right.
    """


class FileError(Told, OSError):
    """The system does not let a file be read or written, or ffmpeg does not work: one sentence with the remedy."""


class OutOfMemory(Told, MemoryError):
    """A device has too little memory: one sentence with the remedy."""


class NotFinite(Told, FloatingPointError):
    """The networks gave values that are no numbers: one sentence with the remedy."""


class Cancelled(Exception):
    """The user asked a run to stop.

    Raised from a progress callback; the run ends without leaving a half-written file behind. It is no error, so it
    derives from neither :class:`InputError` nor :class:`CheckpointError`.
    """


def check_descriptions() -> None:
    """Raises CheckpointError where Python left out what the networks' libraries need, which would fail on import."""
    if sys.flags.optimize > 1:
        raise CheckpointError(
            "Python was started with -OO or PYTHONOPTIMIZE=2, which takes out the descriptions that diffusers and "
            "transformers read; start it without"
        )


# What their message says is enough for the person at the program; everything else is a fault of the program itself.
EXPECTED = (InputError, CheckpointError, OSError, MemoryError, FloatingPointError)
