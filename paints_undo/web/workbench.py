"""The workbench of the page (player, timeline, history) and the one door through which it asks the studio."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import gradio as gr

from paints_undo import examples
from paints_undo.errors import CheckpointError, InputError, Sentence, sentence_of
from paints_undo.run.edits import EDITS
from paints_undo.web.form import Form
from paints_undo.web.run_files import handed_out, without_folders, without_place
from paints_undo.web.studio import Studio
from paints_undo.web.work import WORK
from paints_undo.words import languages

logger = logging.getLogger(__name__)

_STATIC = Path(__file__).parent / "static"
_SCRIPTS = (
    "core.js",
    "fields.js",
    "files.js",
    "player.js",
    "operations.js",
    "timeline.js",
    "history.js",
    "form.js",
    "welcome.js",
    "shelf.js",
    "exports.js",
    "share.js",
    "gradio.js",
    "main.js",
)
EXAMPLES = {name: Path(examples.__file__).parent / f"{name}.png" for name in ("girl", "cat", "house", "flower")}
FILM = _STATIC / "show.mp4"  # docs/make_show.py makes it
# What a page may ask for.
_CALLS = {"family", "count_tokens", "runs", "unfinished", "view", "set_settings"}
_CALLS |= {"duplicate", "branch", "delete", "recipe", "open", "look_into", "at_stake", "rename"}
_CALLS |= {"replace_keyframe", "export", "cancel", "pause", "resume", "operations", "canvases", "take_back"}
_CALLS |= {"generate", "side_by_side"}


def workbench(studio: Studio, form: Form, title: str) -> gr.HTML:
    """The component; its scripts are the files in static/, run as one. title: of the page."""
    script = "\n".join(["'use strict';", *map(_static, _SCRIPTS)])

    def ask(call: Any) -> dict[str, Any]:
        return without_place(answer(studio, call), studio.out)

    return gr.HTML(
        html_template=_static("workbench.html"),
        js_on_load=script,
        server_functions=[ask],
        apply_default_css=False,
        elem_id="workbench",
        texts=languages.table(),
        languages={code: languages.words(code)["name"] for code in languages.LANGUAGES},
        fields=list(form.fields),
        labelled=list(form.worded),
        limits=form.limits,
        title=title,
        in_strokes=form.in_strokes,
    )


def answer(studio: Studio, call: Any) -> dict[str, Any]:
    """What the page gets for {"do", "visitor", "language", "args"}: {"result"} or an error as _told has it.

    Nothing that a page sends makes this raise.
    """
    language = "en"
    try:
        if not isinstance(call, dict) or not isinstance(call.get("args", {}), dict):
            raise InputError("this request is not understood; reload the page")
        language = str(call.get("language", "en"))
        visitor = call.get("visitor")
        if not isinstance(visitor, str) or not 16 <= len(visitor) <= 128:
            raise InputError("this browser has no name yet; reload the page")
        result = _do(studio, call.get("do"), visitor, call.get("args", {}))
        return {"result": _in_words_of(language, result)}
    except (InputError, CheckpointError, OSError, MemoryError) as error:
        return _told(language, without_folders(sentence_of(error), studio.out))
    except Exception:
        logger.exception("a request of the page failed")
        said = languages.table()["message.internal_error"]
        return {"error": said.get(language, said["en"]), "said": said, "internal": True}


def _told(language: str, error: str) -> dict[str, Any]:
    """An error in words; in every language, too, because the page's may change while it is on show."""
    said = {code: languages.sentence_in(code, error) for code in languages.LANGUAGES}
    return {"error": said.get(language, said["en"]), "said": said}


def _in_words_of(language: str, result: Any) -> Any:
    """What the page gets, with every sentence in it in the visitor's language."""
    if isinstance(result, dict):
        if "sentences" in result:
            return {**result, "sentences": [languages.sentence_in(language, said) for said in result["sentences"]]}
        if "error" in result:
            return {**result, **_told(language, result["error"])}
        if record := result.get("message", {}).get("values", {}).get("sentence"):
            told = languages.sentence_in(language, Sentence.from_record(record))
            return {**result, "message": {**result["message"], "values": {"sentence": told}}}
    return result


def _do(studio: Studio, name: Any, visitor: str, given: dict[str, Any]) -> Any:
    arguments = dict(given)
    if name == "show":  # before there is a run: a finished film, and pictures to begin with
        pictures = [{"name": example, "path": handed_out(path)} for example, path in EXAMPLES.items()]
        return {"film": handed_out(FILM), "examples": pictures}
    if name == "press":
        return _press(studio, visitor, **_only(arguments, "step", "run_id", "artwork", "settings"))
    if isinstance(name, str) and name in EDITS:
        return studio.edit(visitor, arguments.pop("run_id", None), name, **arguments)
    if not isinstance(name, str) or name not in _CALLS:
        raise InputError("this request is not understood; reload the page")
    known = arguments.pop("known", None) if name == "view" else None
    if known is not None and studio.version(visitor, **arguments) == known:
        return None  # the page has it already
    return getattr(studio, name)(visitor, **arguments)


def _press(studio: Studio, visitor: str, step: Any, run_id: Any, artwork: Any, settings: Any) -> dict[str, Any]:
    """One of the buttons: the settings of the form, then its job; the run it works on, new if there was none."""
    if step not in tuple(WORK) or not isinstance(settings, dict):  # before there is a run
        raise InputError("this request is not understood; reload the page")
    if run_id is None:
        run_id = studio.open(visitor, artwork, settings)
    else:
        studio.set_settings(visitor, run_id, **settings)
    try:
        studio.generate(visitor, run_id, step)
    except (InputError, CheckpointError) as error:  # the run is there all the same
        return {"run": run_id, "error": error.sentence}
    return {"run": run_id}


def _only(arguments: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: arguments.get(name) for name in names}


def _static(name: str) -> str:
    return (_STATIC / name).read_text(encoding="utf-8")
