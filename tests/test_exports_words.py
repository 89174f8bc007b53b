"""What a step sheet says: all of it in every language."""

import ast
import re
import string
from pathlib import Path

import numpy as np
import pytest
from awkward_pictures import scene

from paints_undo import exports
from paints_undo.exports.lessons import what_is_done
from paints_undo.exports.phases import BLANK, NAMES
from paints_undo.exports.words import LANGUAGES, Phrase, said, table
from paints_undo.pictures.pixels import read_picture
from paints_undo.provenance.records import CONTENTS, MIXED
from paints_undo.strokes.look import KINDS
from paints_undo.strokes.operations import Operation
from paints_undo.strokes.painting import TITLES
from paints_undo.strokes.process import plan_process

OTHERS = LANGUAGES[1:]


def test_all_that_is_written_in_the_program_is_there_in_every_language():
    written = set(NAMES) - {BLANK} | {CONTENTS[MIXED][1]}
    for file in Path(exports.__file__).parent.glob("*.py"):
        calls = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
        named = [[ast.unparse(node.func), *map(ast.unparse, node.args[:1])] for node in calls]
        given = [node.args[name[0] == "partial"] for node, name in zip(calls, named, strict=True) if "Phrase" in name]
        for said_there in given:
            choices = (said_there.body, said_there.orelse) if isinstance(said_there, ast.IfExp) else (said_there,)
            written |= {str(each.value) for each in choices if isinstance(each, ast.Constant)} - {""}
    assert len(written) > 20
    for language in OTHERS:
        assert written <= set(table()[language])
        for template, words in table()[language].items():
            fields = [
                sorted(name for _, name, _, _ in string.Formatter().parse(each) if name) for each in (template, words)
            ]
            assert words.strip() and fields[0] == fields[1], template


@pytest.fixture(scope="module")
def titles():
    """Of strokes: of a scene that is painted and a person that is drawn, and whatever else the route has a name for."""
    girl = read_picture("paints_undo/examples/girl.png")
    drawn = [one for picture in (scene(), girl) for one in plan_process(picture, 1).operations if one.kind == "stroke"]
    painted = [f"{word} {where}" for word in ("block in", "model", "details of", "highlight on") for where in TITLES]
    flat = [f"{word} {kind}" for word in ("flat colour of", "shadow on", "light on") for kind in KINDS]
    return sorted(
        {one.title for one in drawn} | {*painted, *flat, "rub out the skull", "rub out what is not right yet"}
    )


@pytest.mark.parametrize("language", OTHERS)
def test_whatever_is_done_is_said_in_every_language(language, titles):
    for title in titles:
        done = what_is_done([Operation("ink", "ink", "ink", np.zeros((0, 3), np.float32), title=title)])
        assert done and re.search("[A-Za-z{}]", said(done, language)) is None, said(done, language)
        assert said(done, "en") == done


def test_what_a_person_wrote_and_what_nobody_translated_stays():
    assert said("line art", "ja") == "line art"
    told = Phrase("{one} and {other}", Phrase("skin"), Phrase("unheard of"))
    assert said(told, "zh-CN") == "皮肤和unheard of" and told == "skin and unheard of"
