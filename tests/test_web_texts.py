"""The words of the page: every text in every language, and error sentences in the visitor's own."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import paints_undo
from paints_undo import validation
from paints_undo.errors import InputError
from paints_undo.hub import released
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


PACKAGE = Path(paints_undo.__file__).parent
# What no visitor meets: errors of the command line, of training, and of values that only a program can give.
UNSEEN: tuple[str, ...] = ("bench", "training", "cli", "doctor", "profiles", "plain_values")
UNSEEN += (
    "batch",
    "diffusers_pipelines",
    "diffusers_values",
    "exports/command",
    "execution/workers",
    "provenance/content_credentials",
    "provenance/verify",
    "provenance/command",
    "hub/released",
    "replay",
    "web/starting",
)
# Raised with a sentence that is made elsewhere: that one counts.
PASSED_ON = {
    "str(error)",
    "_GONE",
    "_refusal(start)",
    "str(error).replace(temporary.name, path.name)",
    "f'{name} {error}'",
    "sentence or 'something went wrong inside the program; its log says what'",
}
RAISED = ("InputError", "CheckpointError", "MemoryError", "OSError", "MovedFolder", "FloatingPointError")
# Values that are words of the sentence.
WORDS = {"reason": "is not in", "kind": "the locked"}


def raised_sentences() -> Iterator[tuple[str, str]]:
    """Where an error for people is raised, and its sentence with 7 in place of every value."""
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE).with_suffix("")
        if place.parts[0] in UNSEEN or place.as_posix() in UNSEEN:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in RAISED):
                continue
            if node.args and ast.unparse(node.args[0]) not in PASSED_ON:
                said = sentence_of(node.args[0])
                # what is said of a picture begins with its name, which is put before it on the way up
                said = f"7 {said}" if said.startswith(("is ", "has ")) else said
                yield f"{file.relative_to(PACKAGE)}:{node.lineno}", said


def sentence_of(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(
            WORDS.get(ast.unparse(part.value), "7") if isinstance(part, ast.FormattedValue) else ast.literal_eval(part)
            for part in node.values
        )
    said = isinstance(node, ast.Constant) and isinstance(node.value, str)
    assert said, f"{ast.unparse(node)}: say where its sentence comes from"
    return ast.literal_eval(node)


@pytest.mark.parametrize("language", ["ja", "zh-CN", "zh-TW"])
def test_every_error_that_a_visitor_can_meet_is_translated(language: str) -> None:
    found = dict(raised_sentences())
    assert len(found) > 60
    english = {place: said for place, said in found.items() if sentence_in(language, said) == said}
    assert english == {}


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("family", ["mini", "released"])
def test_the_line_about_the_family_is_translated(device: str, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for here in (True, False):
        monkeypatch.setattr(released, "is_released_here", lambda here=here: here)
        for language in ("ja", "zh-CN", "zh-TW"):
            for said in (released.what_else(family, device), f"Model family {family}, on {device} in float32"):
                assert sentence_in(language, said) != said


def test_a_sentence_without_a_translation_stays() -> None:
    assert sentence_in("ja", "the disk is full") == "the disk is full"
    assert sentence_in("en", "fps is 0; use a whole number from 1 to 60").startswith("fps is 0")
