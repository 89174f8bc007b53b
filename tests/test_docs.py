"""The documents' examples do what they say: Python with the mini family, HTTP against the app."""

from __future__ import annotations

import doctest
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from fake_engine import FakeEngine
from PIL import Image

import gradio_app
from paints_undo import examples

DOCS = Path(__file__).parent.parent / "docs"
OURS = ("paints_undo", "wd14_tagger", "tests", "docs", "comfyui", "huggingface_space", "colab", "docker", ".ci")
OPTIONS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


def run(document: str, changes: dict[str, str], known: dict[str, Any]) -> int:
    """Run the examples of a document as one session; returns how many there were."""
    text = (DOCS / document).read_text(encoding="utf-8")
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    text = re.sub(r"(?m)^```.*$", "", text)  # no part of what the last example prints
    test = doctest.DocTestParser().get_doctest(text, {"Path": Path, **known}, document, document, 0)
    said: list[str] = []
    failed, tried = doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=said.append)
    assert not failed, "".join(said)
    return tried


@pytest.fixture
def with_pictures(tmp_path, monkeypatch) -> None:
    for name in ("girl.png", "cat.png"):
        shutil.copy(Path(examples.__file__).parent / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_python(with_pictures):
    changes = {"PosixPath('outputs/girl/timelapse.mp4')": repr(Path("outputs/girl/timelapse.mp4"))}
    assert run("python.md", changes, {"artwork": Image.open("girl.png")}) > 30


def test_http(with_pictures):
    engine = FakeEngine(seconds_per_step=0.01)
    app = gradio_app.build_app(lambda: engine, Path("runs").absolute())
    options = gradio_app._arguments(["--out", "runs"])
    _, address, _ = app.launch(prevent_thread_lock=True, quiet=True, **gradio_app.launch_settings(options))
    try:
        assert run("http.md", {"http://127.0.0.1:7860/": address}, {}) > 8
    finally:
        app.close(verbose=False)


@pytest.mark.parametrize("document", ["python.md", "http.md"])
def test_every_block_of_python_is_an_example(document):
    text = (DOCS / document).read_text(encoding="utf-8")
    blocks = re.findall(r"(?s)```python\n(.*?)```", text)
    assert blocks and all(block.startswith(">>> ") and block.endswith("\n\n") for block in blocks)


@pytest.mark.parametrize(
    "document",
    sorted(file.relative_to(DOCS.parent).as_posix() for where in (DOCS.parent, DOCS) for file in where.glob("*.md")),
)
def test_every_file_that_a_document_names_is_there(document):
    """Tests that prove a promise, and the files where things are: by their name, or by their place in the package."""
    root = DOCS.parent
    named = set(re.findall(r"`((?:[\w.-]+/)*\w+\.py)[:`]", (root / document).read_text(encoding="utf-8")))
    # names alone stand beside a folder's; each must be some file of ours
    ours = {file.relative_to(root).as_posix() for file in root.glob("*.py")}
    ours |= {file.relative_to(root).as_posix() for folder in OURS for file in (root / folder).rglob("*.py")}
    assert not [name for name in sorted(named) if not any(f"/{each}".endswith(f"/{name}") for each in ours)]
