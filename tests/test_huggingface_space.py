"""The Space template: its front matter, and app.py in the folder that its README makes, with a stand-in for ZeroGPU."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from gradio_client import Client, handle_file
from huggingface_hub import metadata_load
from packaging.requirements import Requirement
from served_elsewhere import free_port, served

from paints_undo import examples

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "huggingface_space"
# What ZeroGPU does as far as it matters here: arguments and results cross a process boundary.
SPACES = """
import functools, os, pickle
def GPU(duration):
    def lend(function):
        @functools.wraps(function)
        def call(*arguments):
            import gradio.context
            told = pickle.dumps(arguments)
            result = function(*pickle.loads(told))
            visitor = gradio.context.LocalContext.request.get(None)
            with open(os.environ["LENT"], "a") as file:
                file.write(f"{function.__name__} {duration} {visitor is not None}\\n")
            return pickle.loads(pickle.dumps(result))
        return call
    return lend
"""


def test_front_matter():
    said = metadata_load(FOLDER / "README.md")
    assert said["sdk"] == "gradio" and said["title"] == "Paints-UNDO" and said["license"] == "apache-2.0"
    assert (FOLDER / said["app_file"]).is_file()
    gradio = next(r for r in map(Requirement, requirements()) if r.name == "gradio")
    assert gradio.specifier.contains(said["sdk_version"])
    assert said["python_version"] in ("3.10", "3.11", "3.12", "3.13")
    assert len(said["short_description"]) <= 60
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {said["colorFrom"], said["colorTo"]} <= colours


def requirements() -> list[str]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def pretend_spaces(space: Path, lends: bool = True) -> None:
    """The package that every Space has; lends: on ZeroGPU."""
    package = space / "spaces"
    package.mkdir()
    (package / "__init__.py").write_text(SPACES)
    (package / "config.py").write_text(f"class Config:\n    zero_gpu = {lends}\n")


@pytest.fixture
def space(tmp_path) -> Path:
    """The folder that the commands of the README make."""
    folder = tmp_path / "space"
    folder.mkdir()
    text = (FOLDER / "README.md").read_text()
    for command in re.findall(r"(?m)^cp .* space/$", text):
        subprocess.run(command.removesuffix(" space/").split() + [str(folder)], cwd=ROOT, check=True)
    for variable in ("PAINTS_UNDO_MODELS", "PAINTS_UNDO_GPU_SECONDS"):
        assert variable in text and variable in (folder / "app.py").read_text()
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform == "win32", reason="shell commands")
def test_every_segment_is_a_gpu_call_of_its_own(space, tmp_path):
    pretend_spaces(space)
    shutil.copy(Path(examples.__file__).parent / "girl.png", tmp_path)
    port = free_port()
    settings = {"GRADIO_SERVER_PORT": str(port), "LENT": str(tmp_path / "lent"), "PAINTS_UNDO_GPU_SECONDS": "45"}
    settings["PAINTS_UNDO_MODELS"] = "mini"
    with served(["app.py"], space, port, **settings) as address:
        client = Client(address, verbose=False, analytics_enabled=False)
        given = {"prompt": "1girl", "operation_steps": [500, 999], "sampling_steps": 1}
        drawn = client.predict(handle_file(str(tmp_path / "girl.png")), api_name="/generate_keyframes", **given)
        _, frames = client.predict(sampling_steps=1, api_name="/generate_video")
    assert len(drawn) == 2 and len(frames) == 45
    calls = (tmp_path / "lent").read_text().splitlines()
    assert calls == ["borrow_for_keyframes 45 True"] + ["borrow_for_segment 45 True"] * 3
    assert (space / "outputs").is_dir()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="shell commands")
def test_strokes_borrow_no_gpu(space, tmp_path):
    pretend_spaces(space)
    code = "import app; engine = app.load(); engine.draw_keyframes('girl.png'); print(type(engine).__name__)"
    shutil.copy(Path(examples.__file__).parent / "girl.png", space)
    given = {**os.environ, "LENT": str(tmp_path / "lent")}
    done = subprocess.run([sys.executable, "-c", code], cwd=space, env=given, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.split() == ["Strokes"], done.stderr
    assert not (tmp_path / "lent").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="shell commands")
def test_a_space_that_lends_no_gpu_works_as_the_app_does(space, tmp_path):
    pretend_spaces(space, lends=False)
    code = "import app; print(type(app.load()).__name__, app.borrow_for_segment.__name__)"
    given = {**os.environ, "LENT": str(tmp_path / "lent"), "PAINTS_UNDO_MODELS": "mini"}
    done = subprocess.run([sys.executable, "-c", code], cwd=space, env=given, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.split() == ["PaintsUndo", "borrow_for_segment"], done.stderr
    assert not (tmp_path / "lent").exists()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="shell commands")
def test_without_zerogpu_it_is_the_app_itself(space):
    port = free_port()
    with served(["app.py"], space, port, GRADIO_SERVER_PORT=str(port), SPACE_HOST="ann-undo.hf.space") as address:
        for host, answer in (("ann-undo.hf.space", 200), ("evil.example", 421)):
            asked = urllib.request.Request(address, headers={"Host": host})
            try:
                assert urllib.request.urlopen(asked, timeout=60).status == answer
            except urllib.error.HTTPError as refused:
                assert refused.code == answer
        endpoints = Client(address, verbose=False).view_api(return_format="dict", print_info=False)
    assert set(endpoints["named_endpoints"]) == {"/generate_prompt", "/generate_keyframes", "/generate_video"}
