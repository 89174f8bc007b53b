"""What a step sheet says, in the languages of the page: one table, words.json, by what is said in English."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from paints_undo.errors import Sentence, filled

LANGUAGES = ("en", "ja", "zh-CN", "zh-TW")


class Phrase(Sentence):
    """Words of a step sheet, English as they stand; their values may be phrases themselves."""


def said(words: str, language: str) -> str:
    """The words in one of LANGUAGES; as they are where they are a person's, or no translation is known."""
    if language == "en" or not isinstance(words, Sentence):
        return str(words)
    template = table()[language].get(words.template, words.template)
    values = {name: said(value, language) for name, value in words.values.items()}
    return filled(template, values) if values else template


@cache
def table() -> dict[str, dict[str, str]]:
    """For each other language what it says for the template of a phrase."""
    rows = json.loads((Path(__file__).parent / "words.json").read_text(encoding="utf-8"))
    return {other: {words: row[place] for words, row in rows.items()} for place, other in enumerate(LANGUAGES[1:])}
