"""What the page and the server say, in four languages: one table, static/texts.json, for both."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from paints_undo.errors import Sentence, filled

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
    """A sentence of the program in another language, its values too; as it is where no translation is known."""
    if not isinstance(sentence, Sentence) or language not in (said := sentences().get(sentence.template, {})):
        return str(sentence)
    values = {name: sentence_in(language, value) for name, value in sentence.values.items()}
    # what the page calls a field that an error names
    if (key := f"field.{values.get('field', '').replace(' ', '_')}") in table():
        values["field"] = say(key, language)
    return filled(said[language], values)


@cache
def sentences() -> dict[str, dict[str, str]]:
    """What the other languages say for a template of errors.Sentence, with the same fields."""
    rows = json.loads((_FOLDER / "sentences.json").read_text(encoding="utf-8"))
    others = [language for language in LANGUAGES if language != "en"]
    return {template: dict(zip(others, texts, strict=True)) for template, texts in rows.items()}
