"""Addresses and sentences that do not tell where on the server things are."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from asgi import asked, stays

from paints_undo.errors import Sentence
from paints_undo.web.run_files import RunFiles, without_folders, without_place

OUT = Path("/srv/somewhere/outputs")


SHOWN = ("artwork.png", "timelapse.mp4", "keyframes/0400.png", "previews/a/00.jpg", "frames/00000.png")
KEPT = ("run.json", "run.log", ".lock", "segments/a.npz", "exports/a.html", "keyframes/.a.png.tmp")
RUN = "20260102-030405-0123456789abcdef"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Runs of the app and of the command line under one folder, each with everything that a run may hold."""
    out = tmp_path / "out"
    for run in (RUN, "girl", "20260102-030405-0123456789abcdee"):
        for name in (*SHOWN, *KEPT):
            file = out / run / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{run}/{name}")
    (out / RUN / "app.json").write_text("whose it is")
    (out / RUN / "keyframes" / "link.png").symlink_to(out / "girl" / "artwork.png")
    (tmp_path / "outside.png").write_text("not a run's")
    return out


def fetched(out: Path, path: str, method: str = "GET") -> tuple[int, str]:
    """The status and the text of what the middleware answers by itself; (0, path) for what it hands on."""
    sent, passed = asked(partial(RunFiles, out=out), stays, path=path, method=method)
    if passed:
        return 0, passed[0]["path"]
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:]).decode()


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("prefix", ["", "/below/a/proxy"])
def test_what_the_page_shows_of_its_runs_is_handed_out(out: Path, prefix: str, name: str) -> None:
    assert fetched(out, f"{prefix}/gradio_api/file=runs/{RUN}/{name}") == (200, f"{RUN}/{name}")
    assert fetched(out, f"{prefix}/gradio_api/file=runs/{RUN}/{name}", "HEAD") == (200, "")


@pytest.mark.parametrize(
    "rest",
    [
        *(f"girl/{name}" for name in (*SHOWN, "run.json", "run.log")),
        *(f"20260102-030405-0123456789abcdee/{name}" for name in SHOWN),  # named like one of the app's, but none
        *(f"{RUN}/{name}" for name in (*KEPT, "app.json")),
        f"{RUN}/keyframes/link.png",
        f"{RUN}/keyframes/../../girl/artwork.png",
        f"{RUN}/../girl/artwork.png",
        f"{RUN}//../girl/artwork.png",
        f"{RUN}\\..\\girl\\artwork.png",
        f"{RUN}/keyframes",
        f"{RUN}/nothing.png",
        f"{RUN}/keyframes/\0.png",
        f"{RUN}",
        "",
        ".",
        "..",
        "../outside.png",
        "/etc/passwd",
        f"/{RUN}/artwork.png/",
    ],
)
def test_nothing_else_below_that_folder_is(out: Path, rest: str) -> None:
    status, said = fetched(out, f"/gradio_api/file=runs/{rest}")
    assert status == 404 and said.startswith("There is no such file of a run that this page made")


@pytest.mark.parametrize("path", ["/gradio_api/file=/tmp/a.png", "/config", "/gradio_api/file=runsx/a"])
def test_other_addresses_are_not_touched(out: Path, path: str) -> None:
    assert fetched(out, path) == (0, path)


def test_paths_are_told_from_the_folder_of_runs_on() -> None:
    view = {"video": f"{OUT}/a/timelapse.mp4", "frames": [f"{OUT}/a/1.jpg"], "n": 3, "title": "srv", "none": None}
    told = {**view, "video": "runs/a/timelapse.mp4", "frames": ["runs/a/1.jpg"]}
    assert without_place(view, OUT) == told


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        (f"Cannot write a in the folder {OUT}/b: disk full.", "Cannot write a in the folder runs/b: disk full."),
        (f"no model family at {Path.home()}/models/x; give one", "no model family at ~/models/x; give one"),
        ("/usr/lib/python3/site-packages/x.py is odd", "x.py is odd"),
        ("C:\\Users\\ann\\a.png is odd", "a.png is odd"),
        ("use 16/9 or and/or, see https://pytorch.org/get/x", "use 16/9 or and/or, see https://pytorch.org/get/x"),
        ("keyframes/0400-1.png is gone", "keyframes/0400-1.png is gone"),
    ],
)  # fmt: skip
def test_sentences_name_files_and_no_folders_of_the_server(sentence: str, told: str) -> None:
    assert without_folders(Sentence(sentence), OUT) == told


def test_values_lose_their_folders_before_a_language_puts_its_own_words_beside_them() -> None:
    sentence = without_folders(Sentence("the run in {folder} has {count} of {wanted} segments", f"{OUT}/b", 0, 4), OUT)
    assert sentence.values["folder"] == "runs/b" and str(sentence) == "the run in runs/b has 0 of 4 segments"
