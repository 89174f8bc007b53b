"""What the page and the server say, in four languages: one table, static/texts.json, for both."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

LANGUAGES = {"en": "English", "ja": "日本語", "zh-CN": "简体中文", "zh-TW": "繁體中文"}
_FOLDER = Path(__file__).parent / "static"


@cache
def table() -> dict[str, dict[str, str]]:
    """Every text by its key, then by its language."""
    rows = json.loads((_FOLDER / "texts.json").read_text(encoding="utf-8"))
    return {key: dict(zip(LANGUAGES, texts, strict=True)) for key, texts in rows.items()}


def say(key: str, language: str = "en", **values: object) -> str:
    """The text of a key; English where the language is not one of ours."""
    texts = table()[key]
    return texts.get(language, texts["en"]).format(**values)


def sentence_in(language: str, sentence: str) -> str:
    """An error sentence of the program in another language; as it is where no translation is known.

    Errors are raised as English sentences far from any page. static/sentences.json lists their shapes with what the
    other languages say; the values inside stay.
    """
    for pattern, translations in _sentences():
        if language in translations and (found := pattern.fullmatch(sentence)):
            return translations[language].format(*(_field(group or "", language) for group in found.groups()))
    return sentence


def _field(words: str, language: str) -> str:
    """What the page calls a field that an error names."""
    key = f"field.{words.replace(' ', '_')}"
    return say(key, language) if key in table() else words


@cache
def _sentences() -> list[tuple[re.Pattern[str], dict[str, str]]]:
    rows = json.loads((_FOLDER / "sentences.json").read_text(encoding="utf-8"))
    others = [language for language in LANGUAGES if language != "en"]
    return [
        (re.compile(pattern, re.IGNORECASE | re.DOTALL), dict(zip(others, texts, strict=True)))
        for pattern, *texts in rows
    ]
