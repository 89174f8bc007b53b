"""The program's words in every language: one file each, beside this one, named by the language's code.

In a file: the language's own name; the texts of the page by their keys; and, by their English templates, the sentences
of errors, of step sheets and of what a computer can do. English has its sentences in the code.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from paints_undo.errors import Sentence, filled

_FOLDER = Path(__file__).parent
LANGUAGES = tuple(sorted((file.stem for file in _FOLDER.glob("*.json")), key=lambda code: (code != "en", code)))
SPOKEN = ("errors", "step_sheet", "computer")  # the parts of a file with sentences


@cache
def words(language: str) -> dict[str, Any]:
    """What the file of one of LANGUAGES holds."""
    return json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))


@cache
def table() -> dict[str, dict[str, str]]:
    """Every text of the page by its key, then by its language."""
    pages = {language: words(language)["page"] for language in LANGUAGES}
    return {key: {language: page[key] for language, page in pages.items() if key in page} for key in pages["en"]}


def say(key: str, language: str = "en", **values: object) -> str:
    """The text of a key; English where the language is not one of ours."""
    texts = table()[key]
    return texts.get(language, texts["en"]).format(**values)


@cache
def sentences(language: str) -> dict[str, str]:
    """What a language says for a template of errors.Sentence, with the same fields."""
    parts = words(language) if language in LANGUAGES else {}
    return {template: said for part in SPOKEN for template, said in parts.get(part, {}).items()}


def sentence_in(language: str, sentence: str) -> str:
    """A sentence of the program in another language, its values too; as it is where no translation is known."""
    if not isinstance(sentence, Sentence) or (said := sentences(language).get(sentence.template)) is None:
        return str(sentence)
    values = {name: sentence_in(language, value) for name, value in sentence.values.items()}
    # what the page calls a field that an error names
    if (key := f"field.{values.get('field', '').replace(' ', '_')}") in table():
        values["field"] = say(key, language)
    return filled(said, values)
