"""The card that says what this computer can do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from huggingface_hub import constants
from running_app import real_app

from paints_undo.doctor.findings import FINE, PROBLEM, Report
from paints_undo.errors import CheckpointError, Sentence
from paints_undo.pipeline import PaintsUndo
from paints_undo.web import machine
from paints_undo.web.engine import EngineOnUse
from paints_undo.web.machine import Examination, examine_engine
from paints_undo.words.languages import LANGUAGES


def test_strangers_see_no_path_and_no_markup() -> None:
    report = Report()
    report.add("disk", Sentence("3 GiB free"), where="/home/somebody")
    report.add("models", Sentence("<none>"), PROBLEM, where="/srv/models")
    page = Examination(lambda: report)()
    assert "/home" not in page and "/srv" not in page and "3 GiB free" in page
    assert "&lt;none&gt;" in page and "class='problem'" in page and "not ready" in page


def test_it_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, now = [], [100.0]
    monkeypatch.setattr(machine.time, "monotonic", lambda: now[0])
    look = Examination(lambda: looks.append(1) or Report())
    assert look() == look() and len(looks) == 1
    now[0] += machine.KEPT
    look()
    assert len(looks) == 2


def test_without_weights_the_best_choice_is_examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> PaintsUndo:
        raise CheckpointError("gone")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    report = examine_engine(EngineOnUse(missing), tmp_path)
    assert next(found for found in report.findings if found.subject == "models").values["family"] == "strokes"


# Names, which are the same in every language: of programs, of formats and of what a person may choose.
NAMED = """CPU GPU GiB GB SDPA PNG JPEG WebP GIF HF_HUB_OFFLINE Python PyTorch Pillow Linux Windows Darwin float64 bf16
    x86_64 arm64 AMD64 ffmpeg paints_undo torch cpu diffusers transformers onnxruntime numpy opencv sdpa plain xformers
    fp32 fp16 reference resident H.264"""
NUMBER = r"\d+(\.\d+)?(e-\d+)?"
TABLE = [  # state, what was looked at, and what every CPU says of it
    ("fine", "Python", r"3\.\d+\.\d+, 64 bit, on .+"),
    ("fine", "packages", r"paints_undo .+, torch .+, numpy .+"),
    ("fine", "device", r"cpu, \d+ threads, PyTorch \S+"),
    ("fine", "dtype", "fp32, .*bf16 work; a run computes in bf16"),
    ("fine", "attention", f"sdpa agrees with SDPA in float64 within {NUMBER}"),
    ("note", "attention", "xformers .+"),
    ("fine", "attention", f"plain agrees with SDPA in float64 within {NUMBER}"),
    ("fine", "memory", f"{NUMBER} of {NUMBER} GiB of this computer free"),
    ("fine", "disk", f"{NUMBER} GiB free for runs"),
    ("fine", "video", "ffmpeg encodes H.264"),
    ("fine|note", "pictures", "PNG, JPEG, WebP and GIF, with Pillow .+"),
    ("fine", "cache", r"\d+ of 26 published files are in the cache.*"),
    ("note", "hub", "HF_HUB_OFFLINE is set: nothing is downloaded"),
    ("fine", "models", "reference, with its tagger"),
    ("fine", "", r"The published family .+ On this CPU a run of it takes hours\. .+"),
    ("fine", "run", f"the default run: plan resident, about {NUMBER} GiB"),
]


def test_the_button_examines_the_engine_that_the_app_has(
    tiny_family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(tmp_path)
    with real_app(tiny_family, tmp_path / "runs", dtype="bf16", attention="plain", vram="4") as app:
        (shown,) = app.press("Examine")
    told = dict(re.findall(r"<div lang='(.*?)'>(.*?)</div>", shown))
    rows = re.findall(r"<tr class='(\w+)'><th scope='row'>(.*?)</th><td>(.)</td><td>(.*?)</td></tr>", told["en"])
    found = "".join(f"{state} {subject}: {text}\n" for state, subject, _, text in rows)
    expected = "".join(f"({state}) {subject}: {text}\n" for state, subject, text in TABLE)
    assert re.fullmatch(expected, found), found
    assert [sign for *_, sign, _ in rows] == ["·" if state == "note" else "✓" for state, *_ in rows]
    assert told.keys() == set(LANGUAGES) and told["en"].endswith("<p><strong>ready: a run can start</strong></p>")
    for language in LANGUAGES[1:]:
        text = re.sub("<code>.*?</code>|<.*?>", " ", told[language])
        left = set(re.findall(r"[A-Za-z][\w.]+", text, re.ASCII)) - set(NAMED.split())
        assert told[language].count("<tr") == len(rows) and left == set(), language


def test_the_choices_of_the_engine_are_those_examined(tiny_family: Path, tmp_path: Path) -> None:
    """The budget decides about the plan, and attention that is not installed is told."""
    engine = PaintsUndo.load(tiny_family, "cpu", attention="xformers", vram="0.001")
    found = {(f.subject, f.state): f.text for f in examine_engine(EngineOnUse(lambda: engine), tmp_path).findings}
    assert found["run", FINE].startswith("the default run: plan sliced, ")
    assert "xformers is not installed" in found["attention", PROBLEM]
