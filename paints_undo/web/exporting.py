"""The export panel of the page and the job behind it: a finished run in other formats, as files to download."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

import gradio as gr

from paints_undo.errors import InputError
from paints_undo.exports.formats import FORMATS, chosen_formats, export
from paints_undo.exports.options import LONGEST_TITLE, ExportOptions
from paints_undo.exports.pacing import CURVES, Pacing
from paints_undo.exports.source import Source
from paints_undo.progress import OnProgress, Progress
from paints_undo.run.folder import EXPORTS
from paints_undo.web.form import IN_THE_BROWSER
from paints_undo.web.history import Entry, message
from paints_undo.web.run_files import handed_out
from paints_undo.web.work import submit
from paints_undo.words.languages import say

LONGEST_S = 300  # of a film: while one is made, the exports of all others wait
# The options that are numbers, and what they are called in sentences.
_NUMBERS = {"fps": "fps", "seconds": "seconds", "hold_end": "hold at the end", "longest_side": "longest side"}
_SHOWN = ("contact", "steps-png", "heatmap", "curves-png")  # pictures of the process, which the page shows, too


def export_panel(bench: gr.HTML) -> None:
    """The panel, closed at first; its button, words and files are the business of the workbench's scripts."""
    with gr.Accordion(say("export.panel"), open=False, elem_id="export", elem_classes="card") as panel:
        note = gr.Markdown(say("export.note"))
        formats = gr.CheckboxGroup(_choices("export.formats", FORMATS), value=["mp4"], label=say("export.formats"))
        options: dict[str, gr.components.Component] = {}
        with gr.Row():
            for name in _NUMBERS:  # text, because an empty number field arrives as 0
                options[name] = gr.Textbox("2" if name == "hold_end" else None, **_words(name), min_width=120)
        options["curve"] = gr.Radio(_choices("export.curve", CURVES), value=CURVES[0], label=say("export.curve"))
        options["title"] = gr.Textbox(**_words("title"), max_length=LONGEST_TITLE)
        button = gr.Button(say("export.button"), variant="primary", elem_id="export-now")
        gr.HTML("<div id='export-status'></div>", apply_default_css=False, padding=False)
        files = gr.Files(label=say("export.files"), interactive=False, visible=False, elem_id="export-files")
        gallery = gr.Gallery(
            label=say("export.pictures"), columns=2, format="png", visible=False, elem_id="export-gallery"
        )
        worded = {"panel": panel, "note": note, "formats": formats, **options}
        worded |= {"button": button, "files": files, "pictures": gallery}
        keys = json.dumps([f"export.{name}" for name in worded])
        label = f"() => paintsUndo.labelUpdates({keys})"
        bench.reword(inputs=None, outputs=list(worded.values()), js=label, **IN_THE_BROWSER)
        show = "() => paintsUndo.exportedFiles()"
        bench.exported(inputs=None, outputs=[files, gallery], js=show, **IN_THE_BROWSER)
        press = f"(formats, ...values) => {{ paintsUndo.exportRun(formats, {json.dumps(list(options))}, values); }}"
        button.click(inputs=[formats, *options.values()], js=press, **IN_THE_BROWSER)


def _words(name: str) -> dict[str, str]:
    return {"label": say(f"export.{name}"), "info": say(f"export.{name}.info")}


def _choices(key: str, values: Iterable[str]) -> list[tuple[str, str]]:
    return [(say(f"{key}.of.{value}"), value) for value in values]


def start_export(entry: Entry, formats: Any, given: Any) -> None:
    """Hand a run to the queue of the exports, whose cores are one export's at a time.

    given: ExportOptions by their names, numbers as a person wrote them. Raises InputError for what cannot be done.
    """
    if not isinstance(formats, list) or not isinstance(given, dict):
        raise InputError("this request is not understood; reload the page")
    chosen = {name: _number(words, given.get(name)) for name, words in _NUMBERS.items()}
    length = chosen["seconds"]
    if length is not None and length > LONGEST_S:
        raise InputError(
            "seconds is {value:g}; the page makes at most {limit}, the command line longer ones", length, LONGEST_S
        )
    hold_end = chosen["hold_end"] or 0 if "hold_end" in given else Pacing.hold_end
    more = {"hold_end": hold_end, "curve": given.get("curve", CURVES[0]), "title": given.get("title") or ""}
    more["language"] = given.get("language", ExportOptions.language)
    options, wanted = ExportOptions.of({**chosen, **more}), chosen_formats(formats)
    again = {"formats": wanted, "options": {**chosen, **more, "title": options.title}}
    entry.preview.clear()  # what was drawn last is not what is done now
    submit(entry, partial(_write, entry, wanted, options), again, "exports")


def _write(entry: Entry, wanted: list[str], options: ExportOptions, on_progress: OnProgress) -> None:
    """Write the formats into the run's folder, and keep which of them the page may show; no lock: it only reads."""
    entry.exports = []
    source = Source.of_run(entry.path, options.title or entry["title"] or "Paints-UNDO")

    def report(progress: Progress) -> None:
        entry.check_is_there()
        for name in wanted[len(entry.exports) : progress.done]:
            file = entry.path / EXPORTS / FORMATS[name].file
            about = {"name": file.name, "size": file.stat().st_size, "picture": name in _SHOWN}
            entry.exports = [*entry.exports, {"path": handed_out(file), **about}]
        on_progress(progress)

    export(source, wanted, entry.path / EXPORTS, options, report)
    entry.note(message=message("exports_ready", count=len(wanted)))


def _number(field: str, written: Any) -> float | None:
    """The number that a person wrote; None for nothing. Raises InputError for anything else."""
    text = "" if written is None else str(written).strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise InputError("{field} is {value!r}; use a number", field, text[:40]) from None
