"""The form: every widget has words in every language, and everything between page and widgets stays in the browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_engine import FakeEngine

import gradio_app
from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.web.settings import changed
from paints_undo.words.languages import table

STATIC = Path(gradio_app.__file__).parent / "paints_undo" / "web" / "static"


def workbench_of(app) -> dict:
    (bench,) = [c for c in app.get_config_file()["components"] if c["props"].get("elem_id") == "workbench"]
    return bench["props"]


def test_every_widget_has_its_words(tmp_path: Path) -> None:
    props = workbench_of(gradio_app.build_app(FakeEngine, tmp_path))["props"]
    assert {named.split(" ")[0] for named in props["labelled"]} <= set(table())
    assert {"prompt", "operation_steps", "seed", "size", "fit", "width", "video_prompt", "fps"} <= set(props["fields"])


def test_what_the_options_take_the_form_takes(tmp_path: Path) -> None:
    props = workbench_of(gradio_app.build_app(FakeEngine, tmp_path))["props"]
    assert {"seed", "width", "fps", "video_guidance_scale"} < set(props["limits"]) <= set(props["fields"])
    for name, (low, high) in props["limits"].items():
        for value in (low, high):
            changed(UndoOptions(), {name: value})
        for value in (low - 1, high + 1):
            with pytest.raises(InputError):
                changed(UndoOptions(), {name: value})


def test_the_widgets_are_wired_in_the_browser_and_the_scripts_know_the_events(tmp_path: Path) -> None:
    config = gradio_app.build_app(FakeEngine, tmp_path).get_config_file()
    at_server = {each["id"] for each in config["dependencies"] if each["backend_fn"]}
    assert all(each["js"] for each in config["dependencies"] if each["id"] not in at_server)
    bench = next(each["id"] for each in config["components"] if each["props"].get("elem_id") == "workbench")
    events = {event for each in config["dependencies"] for target, event in each["targets"] if target == bench}
    scripts = "".join(file.read_text(encoding="utf-8") for file in STATIC.glob("*.js"))
    assert len(events) == 6 and all(f'trigger("{event}")' in scripts for event in events)
