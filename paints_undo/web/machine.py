"""The card of the page that says what this computer can do: what `doctor` prints, without the computer's paths."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from html import escape
from pathlib import Path

import gradio as gr

from paints_undo.doctor.findings import FINE, NOTE, PROBLEM, Report
from paints_undo.engine import Engine
from paints_undo.errors import CheckpointError, InputError, Sentence
from paints_undo.web.engine import EngineOnUse
from paints_undo.web.form import IN_THE_BROWSER
from paints_undo.words.languages import LANGUAGES, say, sentence_in

KEPT = 60.0  # seconds; an examination takes some, and every visitor may ask for one


def machine_card(engine: EngineOnUse, out: Path, bench: gr.HTML) -> None:
    """Lay out the card, whose words the scripts of the workbench change; runs are kept below `out`."""
    look = Examination(lambda: examine_engine(engine, out))
    words = "".join(f"<{tag} data-text='{key}'>{say(key)}</{tag}>" for tag, key in _WORDS)
    with gr.Column(elem_classes="card", elem_id="machine"):
        gr.HTML(words, apply_default_css=False, padding=False)
        button = gr.Button(say("button.examine"), size="sm", elem_id="examine")
        found = gr.HTML(elem_id="findings", apply_default_css=False)
        button.click(look, None, found, api_visibility="private", concurrency_limit=1)
        words = "() => paintsUndo.labelUpdates(['button.examine'])"
        bench.reword(inputs=None, outputs=[button], js=words, **IN_THE_BROWSER)


_WORDS = (("h2", "machine.title"), ("p", "machine.note"))


def examine_engine(engine: EngineOnUse, out: Path) -> Report:
    """What the app's own engine finds here; without one, what the best choice would."""
    try:
        loaded: Engine | None = engine.get()
    except (CheckpointError, InputError):
        loaded = None
    from paints_undo.doctor.examination import (
        examine,  # loads the networks' libraries: not before the engine has, or the page waits
    )

    if loaded is None:
        return examine("auto", out=out)
    told = loaded.describe()
    return examine(loaded.family, told.device, told.dtype, told.attention, told.vram, out)


class Examination:
    """One examination at a time, whose result is kept for a while, as HTML."""

    def __init__(self, look: Callable[[], Report]) -> None:
        self._look = look
        self._one_at_a_time = threading.Lock()
        self._kept, self._until = "", 0.0

    def __call__(self) -> str:
        with self._one_at_a_time:
            if time.monotonic() >= self._until:
                self._kept = as_table(self._look())
                self._until = time.monotonic() + KEPT
            return self._kept


def as_table(report: Report) -> str:
    """The findings as HTML, without paths: once in each language, of which the page shows its own."""
    own = ", ".join(f":root[lang='{language}'] #findings [lang='{language}']" for language in LANGUAGES)
    style = f"<style>#findings [lang] {{ display: none; }} {own} {{ display: block; }}</style>"
    return f"<div role='status'>{style}{''.join(_said(report, language) for language in LANGUAGES)}</div>"


def _said(report: Report, language: str) -> str:
    def words(sentence: str) -> str:
        return re.sub("`(.+?)`", r"<code>\1</code>", escape(sentence_in(language, Sentence(sentence))))

    rows = [
        f"<tr class='{found.state}'><th scope='row'>{words(found.subject)}</th>"
        f"<td>{_SIGNS[found.state]}</td><td>{words(found.text)}</td></tr>"
        for found in report.findings
    ]
    return f"<div lang='{language}'><table>{''.join(rows)}</table><p><strong>{words(report.verdict)}</strong></p></div>"


_SIGNS = {FINE: "✓", NOTE: "·", PROBLEM: "✗"}
