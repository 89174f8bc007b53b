"""The door through which the page asks: whatever comes in, the answer is a result or a sentence."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from gradio.utils import get_upload_folder

from paints_undo import examples
from paints_undo.errors import CheckpointError
from paints_undo.web.engine import EngineOnUse
from paints_undo.web.studio import Studio
from paints_undo.web.workbench import answer

ME = "a-secret-of-sixteen"
SETTINGS = {"prompt": "1girl", "operation_steps": [400], "sampling_steps": 2, "width": 128, "height": 128}


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    return Studio(EngineOnUse(FakeEngine), tmp_path / "runs")


@pytest.fixture
def upload(studio: Studio) -> str:
    folder = Path(get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)
    return str(shutil.copy(Path(examples.__file__).parent / "cat.png", folder / "cat.png"))


def ask(studio: Studio, what: Any, visitor: Any = ME, language: str = "en", **args: Any) -> dict[str, Any]:
    return answer(studio, {"do": what, "visitor": visitor, "language": language, "args": args})


def press(studio: Studio, upload: str | None, **settings: Any) -> dict[str, Any]:
    return ask(studio, "press", step="keyframes", run_id=None, artwork=upload, settings={**SETTINGS, **settings})


def test_a_button_opens_a_run_and_works_on_it(studio: Studio, upload: str) -> None:
    run = press(studio, upload)["result"]["run"]
    assert studio.wait(ME, run, 30)
    view = ask(studio, "view", run_id=run, known=None)["result"]
    assert [keyframe["state"] for keyframe in view["keyframes"]] == ["ready"]
    assert ask(studio, "view", run_id=run, known=view["version"])["result"] is None, "nothing new is not sent again"


@pytest.mark.parametrize("call", [None, 3, "view", [], {}, {"do": "view"}, {"do": "view", "visitor": "short"}])
def test_anything_else_is_answered_with_a_sentence(studio: Studio, call: Any) -> None:
    assert answer(studio, call)["error"]


@pytest.mark.parametrize("what", [None, ["view"], "__init__", "_history", "wait", "nothing"])
def test_only_what_the_page_needs_can_be_asked(studio: Studio, what: Any) -> None:
    assert "not understood" in ask(studio, what)["error"]
    assert "not understood" in ask(studio, "generate", run_id="x", step=what)["error"]


@pytest.mark.parametrize("step", [None, ["video"], {}, "nothing"])
def test_a_button_that_there_is_not_makes_no_run(studio: Studio, upload: str, step: Any) -> None:
    pressed = {"step": step, "run_id": None, "artwork": upload, "settings": {}}
    assert "not understood" in ask(studio, "press", **pressed)["error"]
    assert ask(studio, "runs")["result"] == []


def test_impossible_settings_are_refused_in_the_visitors_language(studio: Studio, upload: str) -> None:
    for settings in ({"sampling_steps": 0}, {"guidance_scale": float("nan")}, {"operation_steps": [5] * 2000}):
        assert press(studio, upload, **settings)["error"]
    args = {"step": "keyframes", "run_id": None, "artwork": upload, "settings": {**SETTINGS, "fps": 0}}
    assert "整数" in ask(studio, "press", language="ja", **args)["error"]
    assert ask(studio, "runs")["result"] == [], "nothing is left of what was refused"


def test_an_unexpected_error_stays_in_the_log(studio: Studio) -> None:
    told = ask(studio, "view", nonsense=1)
    assert told["internal"] and "log" in told["error"]


def test_the_tokens_of_a_prompt_are_counted(studio: Studio) -> None:
    assert ask(studio, "count_tokens", prompt="1girl, solo")["result"] == 3
    assert "10,000" in ask(studio, "count_tokens", prompt="a" * 1_000_000)["error"]
    assert "error" in ask(studio, "count_tokens", prompt=None)


def test_the_line_about_the_family_is_in_the_visitors_language(tmp_path: Path) -> None:
    told = ask(Studio(EngineOnUse(FakeEngine), tmp_path), "family", language="ja")["result"]["sentences"]
    assert told[0] == "モデル fake（cpu、float32）" and "GPU" in told[1] and "needs" not in told[1]

    def missing() -> FakeEngine:
        raise CheckpointError("the model file {file} is missing; copy or download the whole model family again", "unet")

    lost = ask(Studio(EngineOnUse(missing), tmp_path), "family", language="zh-CN")["result"]
    assert lost["missing"] and "unet 缺失" in lost["sentences"][0]
