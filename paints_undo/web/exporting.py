"""The export panel of the page: a finished run in other formats, at the artwork's size, as files to download."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from paints_undo.errors import CheckpointError, InputError
from paints_undo.exports.formats import FORMATS, chosen_formats, export
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import CURVES, Pacing
from paints_undo.exports.source import Source
from paints_undo.runs import EXPORTS
from paints_undo.web import texts
from paints_undo.web.form import IN_THE_BROWSER
from paints_undo.web.run_files import handed_out
from paints_undo.web.studio import Studio
from paints_undo.web.texts import say

log = logging.getLogger(__name__)

LONGEST_S = 300  # of a film: while one is made, the exports of all others wait

# Who asks about which run, in which language: the scripts of the workbench keep that in the browser.
_ASKING = """(...values) => {
  const kept = (name) => sessionStorage.getItem("paints-undo-" + name) ?? localStorage.getItem("paints-undo-" + name);
  return [kept("visitor") ?? "", kept("run") ?? "", kept("language") ?? navigator.language, ...values.slice(3)];
}"""
_SHOWN = ("contact", "steps-png", "heatmap", "curves-png")  # pictures of the process, which the page shows, too
State = tuple[str, list[str], list[str]]


def export_panel(studio: Studio, bench: gr.HTML) -> gr.Button:
    """The panel, closed at first, in the language of the workbench; the button that starts it."""
    with gr.Accordion(say("export.panel"), open=False, elem_id="export", elem_classes="card") as panel:
        note = gr.Markdown(say("export.note"))
        asking = [gr.Textbox(visible=False) for _ in range(3)]
        formats = gr.CheckboxGroup(_choices("export.formats", FORMATS), value=["mp4"], label=say("export.formats"))
        with gr.Row():
            # text, because an empty number field arrives as 0
            fps, seconds, hold, side = (
                gr.Textbox("2" if name == "hold" else None, **_words(name), min_width=120)
                for name in ("fps", "seconds", "hold", "side")
            )
        pace = gr.Radio(_choices("export.pace", CURVES), value=CURVES[0], label=say("export.pace"))
        title = gr.Textbox(**_words("title"), max_length=200)
        button = gr.Button(say("export.button"), variant="primary", elem_id="export-now")
        status = gr.HTML("", elem_id="export-status", apply_default_css=False, padding=False)
        files = gr.Files(label=say("export.files"), interactive=False, visible=False, elem_id="export-files")
        gallery = gr.Gallery(
            label=say("export.pictures"), columns=2, format="png", visible=False, elem_id="export-gallery"
        )

        worded = {
            "panel": panel,
            "note": note,
            "formats": formats,
            "fps": fps,
            "seconds": seconds,
            "hold": hold,
            "side": side,
            "pace": pace,
            "title": title,
            "button": button,
            "files": files,
            "pictures": gallery,
        }
        keys = [f"export.{name}" for name in worded]
        words = f"() => paintsUndo.labelUpdates({json.dumps(keys)})"
        bench.reword(inputs=None, outputs=list(worded.values()), js=words, **IN_THE_BROWSER)

        def write(*values: Any) -> Iterator[tuple[str, gr.Files, gr.Gallery]]:
            for said, paths, pictures in write_exports(studio, *values):
                yield said, gr.Files(paths, visible=bool(paths)), gr.Gallery(pictures, visible=bool(pictures))

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


def _words(name: str) -> dict[str, str]:
    return {"label": say(f"export.{name}"), "info": say(f"export.{name}.info")}


def _choices(key: str, values: Iterable[str]) -> list[tuple[str, str]]:
    return [(say(f"{key}.of.{value}"), value) for value in values]


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
    done: dict[str, str] = {}
    folder = Path()
    try:
        if not run_id:
            raise InputError("there is no run yet: generate a video first")
        # the studio answers for the visitor's own runs alone
        folder = Path(studio.view(visitor, run_id)["artwork"]).parent
        rate, length, longest = (_number(*g) for g in (("fps", fps), ("seconds", seconds), ("longest side", side)))
        if length is not None and length > LONGEST_S:
            raise InputError(f"seconds is {length:g}; the page makes at most {LONGEST_S}, the command line longer ones")
        hold_end = _number("hold at the end", hold) or 0
        pacing = Pacing(rate, length, hold_end=hold_end, curve=pace)  # type: ignore[arg-type]  # it refuses halves
        options = ExportOptions(pacing, longest, title)  # type: ignore[arg-type]  # likewise
        wanted = chosen_formats(formats)
        source = Source.of_run(folder, title or studio.view(visitor, run_id)["title"] or "Paints-UNDO")
        for number, name in enumerate(wanted):
            yield _state(f"{name} ({number + 1}/{len(wanted)}) …", done)
            written = export(source, [name], folder / EXPORTS, options)
            done |= {name: handed_out(path) for name, path in written.items()}
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


def _state(words: str, done: dict[str, str], failed: bool = False) -> State:
    role = "alert" if failed else "status"
    files, shown = list(done.values()), [done[name] for name in _SHOWN if name in done]
    return f"<p role='{role}'>{escape(words)}</p>", files, shown
