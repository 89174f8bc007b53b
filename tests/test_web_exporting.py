"""The export panel: a job that leaves files of a visitor's own run, and a sentence for everything that goes wrong."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from export_runs import make_run
from running_app import until
from studio_desk import ME, OTHER, StudioDesk

from paints_undo.exports.formats import FORMATS
from paints_undo.web import exporting
from paints_undo.web.exporting import start_export
from paints_undo.web.history import CARD, owner_of
from paints_undo.web.jobs import queue_of
from paints_undo.web.workbench import answer
from paints_undo.words.languages import say

RUN = "20260102-030405-0123456789abcdef"
CARD_OF_RUN = {"owner": owner_of(ME), "title": "夏", "created": 1.0, "parent": None, "wanted": None}
CARD_OF_RUN |= {"state": "finished", "message": {"key": "", "values": {}}, "frames": 60}
OPTIONS: dict[str, Any] = {
    "fps": "",
    "seconds": "",
    "hold_end": "2",
    "longest_side": " ",
    "curve": "steps",
    "title": "",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an app with a finished run of the visitor ME."""
    out = tmp_path_factory.mktemp("secret") / "runs"
    (make_run(out / RUN) / CARD).write_text(json.dumps(CARD_OF_RUN))
    return out


@pytest.fixture
def desk(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudioDesk:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "handed out"))
    return StudioDesk(Path(shutil.copytree(runs, tmp_path / "secret" / "runs")))


def asked(desk: StudioDesk, formats: Any = None, visitor: str = ME, run: str | None = RUN, **options: Any) -> dict:
    """What the page gets for a press of the button."""
    formats = ["curves-png", "curves"] if formats is None else formats
    args = {"run_id": run, "formats": formats, "options": {**OPTIONS, **options}}
    return answer(desk.studio, {"do": "export", "visitor": visitor, "language": "en", "args": args})


def seen(desk: StudioDesk, language: str = "en") -> dict[str, Any]:
    """The view of the run when its job has ended."""
    assert desk.wait(RUN, 60)
    call = {"do": "view", "visitor": ME, "language": language, "args": {"run_id": RUN}}
    return answer(desk.studio, call)["result"]


def said(view: dict[str, Any]) -> str:
    return view["message"]["values"]["sentence"]


def test_an_export_is_a_job_of_the_run_and_leaves_files(desk):
    assert asked(desk) == {"result": None}
    view = seen(desk)
    assert view["message"] == {"key": "exports_ready", "values": {"count": 2}} and view["state"] == "finished"
    assert [(file["name"], file["picture"]) for file in view["exports"]] == [
        ("curves.png", True),
        ("curves.svg", False),
    ]
    for file in view["exports"]:
        assert Path(file["path"]).read_bytes() == (desk.out / RUN / "exports" / file["name"]).read_bytes()
        assert Path(file["path"]).stat().st_size == file["size"] and "secret" not in file["path"]
    assert "夏" in (desk.out / RUN / "exports" / "curves.svg").read_text("utf-8")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"run": None}, "there is no run yet"),
        ({"visitor": OTHER}, "this run is not there"),
        ({"formats": []}, "no format is given"),
        ({"formats": 7}, "this request is not understood"),
        ({"seconds": "0"}, "seconds is 0"),
        ({"seconds": "3600"}, "seconds is 3600; the page makes at most 300, the command line longer ones"),
        ({"fps": "99"}, "fps is 99"),
        ({"fps": "many"}, "fps is 'many'; use a number"),
        ({"fps": ["7"]}, "use a number"),
        ({"hold_end": "nan"}, "hold at the end is nan"),
        ({"longest_side": "5"}, "longest side is 5"),
        ({"curve": "fast"}, "curve is"),
        ({"title": "x" * 500}, "title has 500"),
        ({"formats": ["<b>"]}, "format is"),
        ({"language": "tlh"}, "language is 'tlh'; use one of en, ja"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_no_job(desk, changes, sentence):
    assert sentence in asked(desk, **changes)["error"]
    assert seen(desk)["job"] is None and not (desk.out / RUN / "exports").exists()


def test_a_step_sheet_speaks_the_language_of_the_page(desk):
    assert asked(desk, ["steps"], language="zh-TW") == {"result": None} and len(seen(desk)["exports"]) == 1
    assert b"/Lang (zh-TW)" in (desk.out / RUN / "exports" / "steps.pdf").read_bytes()
    scripts = Path(exporting.__file__).parent / "static"
    for panel in ("exports.js", "share.js"):
        assert "language: page.language" in (scripts / panel).read_text("utf-8")


def test_no_message_names_a_folder_of_the_server(desk):
    for segment in (desk.out / RUN / "segments").iterdir():
        segment.unlink()
    assert asked(desk) == {"result": None}
    assert "0 of 4 segments" in said(seen(desk)) and "secret" not in said(seen(desk))


def test_faults_of_the_program_are_no_tracebacks(desk, monkeypatch):
    monkeypatch.setattr("paints_undo.web.exporting.Source.of_run", lambda *a: 1 / 0)
    asked(desk)
    view = seen(desk)
    assert view["message"]["key"] == "internal_error" and view["state"] == "finished" and view["exports"] == []


def test_the_panel_calls_formats_what_the_command_line_does():
    for name, each in FORMATS.items():
        assert say(f"export.formats.of.{name}") == f"{name}: {each.words}"


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_ffmpeg_is_one_sentence_without_a_place_on_the_server(desk, monkeypatch, tmp_path, language):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "secret" / "nowhere"))
    asked(desk, ["curves", "mp4"])
    view = seen(desk, language)
    assert view["message"]["key"] == "export_failed" and view["state"] == "finished"
    assert "secret" not in said(view) and "IMAGEIO_FFMPEG_EXE" in said(view)
    assert ("does not start" in said(view)) == (language == "en")
    assert [file["name"] for file in view["exports"]] == ["curves.svg"]  # what was done before stays


def test_a_title_that_is_no_text_has_a_sign_in_its_place(desk):
    asked(desk, ["curves", "psd", "steps", "html"], title="x\ud800")
    assert len(seen(desk)["exports"]) == 4
    assert "x\ufffd" in (desk.out / RUN / "exports" / "curves.svg").read_text("utf-8")


def test_one_at_a_time_beside_the_device_and_each_can_be_cancelled(desk):
    asked(desk, ["mp4", "psd"])
    assert "wait until it is done" in asked(desk)["error"]
    until(lambda: queue_of("exports")._line != [] and queue_of("cpu")._line == [])
    desk.cancel(RUN)
    view = seen(desk)
    assert view["message"]["key"] == "cancelled" and view["state"] == "finished" and len(view["exports"]) < 2
    assert asked(desk) == {"result": None} and seen(desk)["message"]["key"] == "exports_ready"


def test_what_a_restart_left_undone_is_gone_on_with(desk):
    start_export(desk.studio._history.entry(ME, RUN), ["curves"], {**OPTIONS, "title": "春", "fps": "12"})
    kept = json.loads((desk.out / RUN / CARD).read_text())["wanted"]
    assert desk.wait(RUN, 60)
    card = {**CARD_OF_RUN, "wanted": kept}
    (desk.out / RUN / CARD).write_text(json.dumps(card))
    (desk.out / RUN / "exports" / "curves.svg").unlink()
    later = StudioDesk(desk.out)
    assert [run["run"] for run in later.unfinished()] == [RUN]
    later.resume(RUN)
    assert seen(later)["message"]["key"] == "exports_ready" and later.view(RUN)["state"] == "finished"
    assert "春" in (desk.out / RUN / "exports" / "curves.svg").read_text("utf-8")
