"""The words of the page: every text in every language, and error sentences in the visitor's own."""

from __future__ import annotations

import ast
import json
import pickle
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import paints_undo
from paints_undo import validation
from paints_undo.errors import InputError, OutOfMemory, Sentence, Told
from paints_undo.family import released
from paints_undo.web import texts
from paints_undo.web.texts import LANGUAGES, say, sentence_in, sentences, table

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
    said = sentence_in(language, refused.value.sentence)
    assert said != str(refused.value) and "101" in said and "100" in said
    with pytest.raises(InputError) as refused:
        validation.operation_steps([400, 400])
    assert "400" in sentence_in(language, refused.value.sentence) != str(refused.value)


PACKAGE = Path(paints_undo.__file__).parent
# What no visitor meets: errors of the command line, of training, of MCP, and of values that only a program can give.
UNSEEN: tuple[str, ...] = ("bench", "training", "cli", "commands", "doctor", "run/plain_values")
UNSEEN += (
    "batch",
    "diffusers_pipelines",
    "exports/command",
    "execution/workers",
    "verification/content_credentials",
    "verification/verify",
    "verification/command",
    "run/replay",
    "web/mcp_tools",
    "web/starting",
)
TOLD = {"Sentence", "DamagedFile", "MovedFolder", *(kind.__name__ for kind in Told.__subclasses__())}


def templates() -> Iterator[tuple[str, str]]:
    """Every template that is told where visitors may meet it, and its place: an argument, or kept as `sentence`."""
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE).with_suffix("")
        if place.parts[0] in UNSEEN or place.as_posix() in UNSEEN:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TOLD and node.args:
                said = node.args[0]
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "sentence":
                said = node.value
            else:
                continue
            for choice in (said.body, said.orelse) if isinstance(said, ast.IfExp) else (said,):
                assert not isinstance(choice, ast.JoinedStr), ast.unparse(choice)
                if isinstance(choice, ast.Constant) and choice.value:
                    yield choice.value, f"{file.relative_to(PACKAGE)}:{node.lineno}"


def test_every_error_that_a_visitor_can_meet_is_translated() -> None:
    told = dict(templates())
    assert {template: place for template, place in told.items() if template not in sentences()} == {}
    assert set(sentences()) - set(told) == set()


def test_translations_have_the_same_fields_all_of_them_known() -> None:
    for template, said in sentences().items():
        named = [fields(text) for text in said.values()]
        assert all(text.strip() for text in said.values()) and named[0] <= fields(template), template
        assert all(each == named[0] for each in named), template


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("family", ["mini", "released", "strokes"])
def test_the_line_about_the_family_is_translated(device: str, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for here in (True, False):
        monkeypatch.setattr(released, "is_released_here", lambda here=here: here)
        for language in ("ja", "zh-CN", "zh-TW"):
            for said in released.what_else(family, device):
                assert sentence_in(language, said) != said and "{" not in sentence_in(language, said)


def test_a_sentence_without_a_translation_stays() -> None:
    assert sentence_in("ja", Sentence("the disk is {full}")) == "the disk is {full}"
    assert sentence_in("en", Sentence("{field} is {value!r}; use text", "fps", 0)) == "fps is 0; use text"


def test_a_sentence_in_a_sentence_is_translated_too() -> None:
    inner = InputError("is empty (0 bytes), not a picture: choose the file again")
    error = InputError("{name} {problem}", "{a}.png", inner)
    assert str(error) == "{a}.png is empty (0 bytes), not a picture: choose the file again"
    kept = Sentence.from_record(json.loads(json.dumps(error.sentence.to_record())))
    assert kept == str(error) and sentence_in("zh-CN", kept) == sentence_in("zh-CN", inner.sentence) != str(inner)


def test_an_error_keeps_its_sentence_on_the_way_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(OutOfMemory("{device} has {part:,}", "cpu", 1000)))
    assert str(error) == "cpu has 1,000" and error.sentence.values == {"device": "cpu", "part": "1,000"}
