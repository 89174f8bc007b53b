"""The program's words: every text in every language, and sentences in the visitor's own."""

from __future__ import annotations

import ast
import json
import pickle
import re
import string
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from awkward_pictures import scene

import paints_undo
from paints_undo import validation
from paints_undo.errors import InputError, OutOfMemory, Sentence, Told
from paints_undo.exports.lessons import what_is_done
from paints_undo.exports.phases import BLANK, NAMES
from paints_undo.family import released
from paints_undo.pictures.pixels import read_picture
from paints_undo.provenance.records import CONTENTS, MIXED
from paints_undo.strokes.look import KINDS
from paints_undo.strokes.operations import Operation
from paints_undo.strokes.painting import TITLES
from paints_undo.strokes.process import plan_process
from paints_undo.words.languages import LANGUAGES, say, sentence_in, sentences, table, words

PACKAGE = Path(paints_undo.__file__).parent
STATIC = PACKAGE / "web" / "static"
OTHERS = LANGUAGES[1:]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_every_text_of_the_page(language: str) -> None:
    page, english = words(language)["page"], words("en")["page"]
    assert list(page) == list(english) and words(language)["name"]
    for key, text in page.items():
        assert text.strip() and fields(text) == fields(english[key]), key


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


# What no visitor meets: errors of the command line, of training, of MCP, and of values that only a program can give.
UNSEEN: tuple[str, ...] = ("bench", "training", "cli", "commands", "run/plain_values")
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
TOLD = {"report.add", "Sentence", "DamagedFile", "MovedFolder", *(kind.__name__ for kind in Told.__subclasses__())}


def templates() -> Iterator[tuple[str, str]]:
    """Every template that is told where visitors may meet it, and its place: an argument, or kept as `sentence`."""
    for file in sorted(PACKAGE.rglob("*.py")):
        place = file.relative_to(PACKAGE).with_suffix("")
        if place.parts[0] in UNSEEN or place.as_posix() in UNSEEN:
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            called = [*map(ast.unparse, (node.func, *node.args))] if isinstance(node, ast.Call) else []
            if isinstance(node, ast.Call) and called[0] in TOLD and node.args:
                said = node.args[0]
            elif isinstance(node, ast.Call) and called[:2] == ["partial", "Sentence"]:
                said = node.args[1]
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "sentence":
                said = node.value
            else:
                continue
            for choice in (said.body, said.orelse) if isinstance(said, ast.IfExp) else (said,):
                assert not isinstance(choice, ast.JoinedStr) or place.name == "lessons", ast.unparse(choice)
                if isinstance(choice, ast.Constant) and choice.value:
                    yield choice.value, f"{file.relative_to(PACKAGE)}:{node.lineno}"


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_that_a_visitor_can_meet_is_translated(language: str) -> None:
    told = dict(templates())
    assert {template: place for template, place in told.items() if template not in sentences(language)} == {}
    assert {*words(language)["errors"], *words(language)["computer"]} - set(told) == set()
    for template, said in sentences(language).items():
        named = fields(sentences(OTHERS[0])[template])
        assert said.strip() and fields(said) == named <= fields(template), template
        assert template in words(language)["errors"] or named == fields(template), template


@pytest.fixture(scope="module")
def titles() -> list[str]:
    """Of strokes: of a scene that is painted and a person that is drawn, and whatever else the route has a name for."""
    girl = read_picture("paints_undo/examples/girl.png")
    drawn = [one for picture in (scene(), girl) for one in plan_process(picture, 1).operations if one.kind == "stroke"]
    painted = [f"{word} {where}" for word in ("block in", "model", "details of", "highlight on") for where in TITLES]
    flat = [f"{word} {kind}" for word in ("flat colour of", "shadow on", "light on") for kind in KINDS]
    return sorted(
        {one.title for one in drawn} | {*painted, *flat, "rub out the skull", "rub out what is not right yet"}
    )


@pytest.mark.parametrize("language", OTHERS)
def test_a_step_sheet_says_everything_in_every_language(language: str, titles: list[str]) -> None:
    assert set(NAMES) - {BLANK} | {CONTENTS[MIXED][1]} <= set(words(language)["step_sheet"])
    for title in titles:
        done = what_is_done([Operation("ink", "ink", "ink", np.zeros((0, 3), np.float32), title=title)])
        said = sentence_in(language, done)
        assert said and re.search("[A-Za-z{}]", said) is None, said
        assert sentence_in("en", done) == done


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("family", ["mini", "released", "strokes"])
def test_the_line_about_the_family_is_translated(device: str, family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for here in (True, False):
        monkeypatch.setattr(released, "is_released_here", lambda here=here: here)
        for language in ("ja", "zh-CN", "zh-TW"):
            for said in released.what_else(family, device):
                assert sentence_in(language, said) != said and "{" not in sentence_in(language, said)


def test_what_a_person_wrote_and_what_nobody_translated_stays() -> None:
    assert sentence_in("ja", "line art") == "line art"
    told = Sentence("{one} and {other}", Sentence("skin"), Sentence("unheard of"))
    assert sentence_in("zh-CN", told) == "皮肤和unheard of" and told == "skin and unheard of"
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
