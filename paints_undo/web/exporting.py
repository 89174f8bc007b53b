"""The export panel of the page: a finished run in other formats, at the artwork's size, as files to download."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from paints_undo.errors import CheckpointError, InputError
from paints_undo.exports.formats import FORMATS, chosen_formats, export
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.source import Source
from paints_undo.finishing.pacing import CURVES, Pacing
from paints_undo.web import texts
from paints_undo.web.studio import Studio
from paints_undo.web.texts import say

log = logging.getLogger(__name__)

# Who asks about which run, in which language: the scripts of the workbench keep that in the browser.
_ASKING = """(...values) => {
  const kept = (name) => sessionStorage.getItem("paints-undo-" + name) ?? localStorage.getItem("paints-undo-" + name);
  return [kept("visitor") ?? "", kept("run") ?? "", kept("language") ?? navigator.language, ...values.slice(3)];
}"""
_SHOWN = ("contact", "steps-png", "heatmap", "curves-png")  # pictures of the process, which the page shows, too
State = tuple[str, list[str], list[str]]


def export_panel(studio: Studio) -> gr.Button:
    """The panel, closed at first; the button that starts it."""
    with gr.Accordion("Export", open=False, elem_id="export", elem_classes="card"):
        note = f"<p data-text='export.note'>{say('export.note')}</p>"
        gr.HTML(note, apply_default_css=False, padding=False)
        asking = [gr.Textbox(visible=False) for _ in range(3)]
        choices = [(f"{name}: {each.words}", name) for name, each in FORMATS.items()]
        formats = gr.CheckboxGroup(choices, value=["mp4"], label="Formats")
        with gr.Row():
            # text, because an empty number field arrives as 0
            fps = gr.Textbox(label="Frames per second", info="Empty: as the run", min_width=120)
            seconds = gr.Textbox(label="Seconds", info="Empty: as long as it takes", min_width=120)
            hold = gr.Textbox("2", label="Hold at the end", info="Seconds", min_width=120)
            side = gr.Textbox(label="Longest side", info="Pixels; empty: as the artwork", min_width=120)
        pace = gr.Radio(
            [("each frame as long as any other", CURVES[0]), ("as much change in each second", CURVES[1])],
            value=CURVES[0],
            label="Pace",
        )
        title = gr.Textbox(label="Title", info="In layers, sheets and pages", max_length=200)
        button = gr.Button("Export", variant="primary", elem_id="export-now")
        status = gr.HTML("", elem_id="export-status", apply_default_css=False, padding=False)
        files = gr.Files(label="Files", interactive=False, elem_id="export-files")
        gallery = gr.Gallery(label="The process", columns=2, format="png", elem_id="export-gallery")

        def write(*values: Any) -> Iterator[State]:
            yield from write_exports(studio, *values)

        button.click(
            write,
            [*asking, formats, fps, seconds, hold, side, pace, title],
            [status, files, gallery],
            js=_ASKING,
            api_visibility="private",
            concurrency_limit=1,  # the processor's cores are one export's
            concurrency_id="exports",
            show_progress="hidden",
        )
    return button


def write_exports(
    studio: Studio,
    visitor: str,
    run_id: str,
    language: str,
    formats: list[str],
    fps: str,
    seconds: str,
    hold: str,
    side: str,
    pace: str,
    title: str,
) -> Iterator[State]:
    """Yield what the panel shows after each file: a line of HTML, the files so far, and those that are pictures.

    Whatever goes wrong becomes that line, one sentence in the visitor's language.
    """
    done: dict[str, Path] = {}
    folder = Path()
    try:
        if not run_id:
            raise InputError("there is no run yet: generate a video first")
        # the studio answers for the visitor's own runs alone
        folder = Path(studio.view(visitor, run_id)["artwork"]).parent
        numbers = [_number(*given) for given in (("fps", fps), ("seconds", seconds), ("longest side", side))]
        pacing = Pacing(numbers[0], numbers[1], hold_end=_number("hold at the end", hold) or 0, curve=pace)
        options, wanted = ExportOptions(pacing, numbers[2], title), chosen_formats(formats)
        source = Source.of_run(folder, title or studio.view(visitor, run_id)["title"] or "Paints-UNDO")
        for number, name in enumerate(wanted):
            yield _state(f"{name} ({number + 1}/{len(wanted)}) …", done)
            done |= export(source, [name], folder / "exports", options)
        yield _state("✓", done)
    except (InputError, CheckpointError, OSError, MemoryError) as error:
        # a visitor need not know where on the server a run is
        sentence = str(error).replace(str(folder), run_id) if folder.name else str(error)
        yield _state(texts.sentence_in(language, sentence), done, failed=True)
    except Exception:
        log.exception("an export failed")
        yield _state(say("message.internal_error", language), done, failed=True)


def _number(field: str, text: str) -> float | None:
    """The number that a person wrote; None for nothing. Raises InputError for anything else."""
    if not text.strip():
        return None
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{field} is {text[:40]!r}; use a number") from None


def _state(words: str, done: dict[str, Path], failed: bool = False) -> State:
    role = "alert" if failed else "status"
    files = [str(path) for path in done.values()]
    return f"<p role='{role}'>{escape(words)}</p>", files, [str(done[name]) for name in _SHOWN if name in done]
