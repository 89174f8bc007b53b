"""The words of the page: every text in every language, and error sentences in the visitor's own."""

from __future__ import annotations

import re
import string
from pathlib import Path

import pytest

from paints_undo import validation
from paints_undo.errors import InputError
from paints_undo.web import texts
from paints_undo.web.texts import LANGUAGES, say, sentence_in, table

STATIC = Path(texts.__file__).parent / "static"


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_is_there_in_every_language() -> None:
    for key, said in table().items():
        assert set(said) == set(LANGUAGES) and all(text.strip() for text in said.values()), key
        assert all(fields(text) == fields(said["en"]) for text in said.values()), key


def test_every_text_that_the_page_uses_is_there() -> None:
    used = set(re.findall(r'data-(?:text|name)="([^"]+)"', (STATIC / "workbench.html").read_text("utf-8")))
    for script in STATIC.glob("*.js"):
        used |= set(re.findall(r'\bsay\("([a-z_0-9.]+)"', script.read_text("utf-8")))
    assert used and used <= set(table())


def test_values_are_filled_in_and_other_languages_get_english() -> None:
    assert say("history.frames", "ja", count=7) == "7 フレーム"
    assert say("history.frames", "de", count=7) == "7 frames"


@pytest.mark.parametrize("language", ["ja", "zh-CN", "zh-TW"])
def test_errors_are_said_in_the_visitors_language(language: str) -> None:
    with pytest.raises(InputError) as refused:
        validation.whole_number("sampling steps", 101, 1, 100)
    said = sentence_in(language, str(refused.value))
    assert said != str(refused.value) and "101" in said and "100" in said
    with pytest.raises(InputError) as refused:
        validation.operation_steps([400, 400])
    assert "400" in sentence_in(language, str(refused.value)) != str(refused.value)


def test_a_sentence_without_a_translation_stays() -> None:
    assert sentence_in("ja", "the disk is full") == "the disk is full"
    assert sentence_in("en", "fps is 0; use a whole number from 1 to 60").startswith("fps is 0")
