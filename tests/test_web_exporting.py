"""The export panel: files of a visitor's own run, and a sentence for everything that goes wrong."""

import re
from pathlib import Path
from typing import Any

import pytest
from export_runs import make_run

from paints_undo.errors import InputError
from paints_undo.exports.formats import FORMATS
from paints_undo.web.exporting import write_exports
from paints_undo.web.studio import Studio
from paints_undo.web.texts import say


class OneRun(Studio):
    """One run of one visitor."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder.parent

    def view(self, visitor: str, run_id: str) -> dict[str, Any]:
        if (visitor, run_id) != ("mine", "run"):
            raise InputError(
                "this run is not there (any more); choose one from the history or start with a new picture"
            )
        return {"artwork": str(self.folder / "artwork.png"), "title": "夏"}


@pytest.fixture
def studio(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "handed out"))
    return OneRun(make_run(tmp_path / "secret" / "run"))


GIVEN: dict[str, Any] = {
    "visitor": "mine",
    "run_id": "run",
    "language": "en",
    "formats": ["curves-png", "curves"],
    "fps": "",
    "seconds": "",
    "hold": "2",
    "side": " ",
    "pace": "steps",
    "title": "",
}


def test_files_appear_one_after_the_other(studio):
    states = list(write_exports(studio, **GIVEN))
    assert [len(files) for _, files, _ in states] == [0, 1, 2]
    words, files, pictures = states[-1]
    assert "✓" in words and pictures == [files[0]] and files[0].endswith("/curves.png")
    for file in files:
        assert Path(file).read_bytes() == (studio.folder / "exports" / Path(file).name).read_bytes()
    assert "夏" in (studio.folder / "exports" / "curves.svg").read_text("utf-8")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"run_id": ""}, "there is no run yet"),
        ({"visitor": "other"}, "this run is not there"),
        ({"formats": []}, "no format is given"),
        ({"seconds": "0"}, "seconds is 0"),
        ({"seconds": "3600"}, "seconds is 3600; the page makes at most 300, the command line longer ones"),
        ({"fps": "99"}, "fps is 99"),
        ({"fps": "many"}, "fps is &#x27;many&#x27;; use a number"),
        ({"hold": "nan"}, "hold at the end is nan"),
        ({"side": "5"}, "longest side is 5"),
        ({"pace": "fast"}, "curve is"),
        ({"title": "x" * 500}, "title has 500"),
        ({"formats": ["<b>"]}, "format is"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(studio, changes, sentence):
    (*_, (words, files, _)) = write_exports(studio, **{**GIVEN, **changes})
    assert sentence in words and "role='alert'" in words and "<b>" not in words and files == []


def test_no_message_names_a_folder_of_the_server(studio):
    for segment in (studio.folder / "segments").iterdir():
        segment.unlink()
    (*_, (words, _, _)) = write_exports(studio, **GIVEN)
    assert "0 of 4 segments" in words and "secret" not in words


def test_faults_of_the_program_are_no_tracebacks(studio, monkeypatch):
    monkeypatch.setattr("paints_undo.web.exporting.Source.of_run", lambda *a: 1 / 0)
    (*_, (words, _, _)) = write_exports(studio, **GIVEN)
    assert "ZeroDivision" not in words and re.search("role='alert'>.+<", words)


def test_the_panel_calls_formats_what_the_command_line_does():
    for name, each in FORMATS.items():
        assert say(f"export.formats.of.{name}") == f"{name}: {each.words}"


@pytest.mark.parametrize("language", ["en", "ja"])
def test_no_ffmpeg_is_one_sentence_without_a_place_on_the_server(studio, monkeypatch, tmp_path, language):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "secret" / "nowhere"))
    (*_, (words, files, _)) = write_exports(studio, **{**GIVEN, "formats": ["curves", "mp4"], "language": language})
    assert "role='alert'" in words and "secret" not in words and "IMAGEIO_FFMPEG_EXE" in words
    assert ("does not start" in words) == (language == "en")
    assert [file.rpartition("/")[2] for file in files] == ["curves.svg"]  # what was done before stays


def test_a_title_that_is_no_text_has_a_sign_in_its_place(studio):
    formats = ["curves", "psd", "steps", "html"]
    (*_, (words, files, _)) = write_exports(studio, **{**GIVEN, "formats": formats, "title": "x\ud800"})
    assert "✓" in words and len(files) == 4
    assert "x\ufffd" in (studio.folder / "exports" / "curves.svg").read_text("utf-8")
