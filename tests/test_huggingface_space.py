"""The Space template: its front matter, and app.py in the folder that its README makes, with a stand-in for ZeroGPU."""

from __future__ import annotations

import importlib
import math
import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from huggingface_hub import metadata_load
from packaging.requirements import Requirement
from served_elsewhere import free_port, served

from paints_undo import KeyframeOptions, SegmentOptions, examples
from paints_undo.family.choice import MINI_FOLDER
from paints_undo.family.model_family import ModelFamily, open_family

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "huggingface_space"
# What ZeroGPU does as far as it matters here: arguments and results cross a process boundary.
SPACES = """
import functools, os, pickle
from collections.abc import Callable
from typing import ParamSpec, TypeVar
Given, Made = ParamSpec("Given"), TypeVar("Made")
def GPU(*, duration: Callable[Given, int]) -> Callable[[Callable[Given, Made]], Callable[Given, Made]]:
    def lend(function: Callable[Given, Made]) -> Callable[Given, Made]:
        @functools.wraps(function)
        def call(*arguments: Given.args, **named: Given.kwargs) -> Made:
            import gradio.context
            seconds = duration(*arguments, **named)
            assert type(seconds) is int and not named
            told = pickle.dumps(arguments)
            result = function(*pickle.loads(told))
            visitor = gradio.context.LocalContext.request.get(None)
            with open(os.environ["LENT"], "a") as file:
                file.write(f"{function.__name__} {seconds} {visitor is not None}\\n")
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
    settings = {"GRADIO_SERVER_PORT": str(port), "LENT": str(tmp_path / "lent"), "PAINTS_UNDO_MODELS": "mini"}
    settings["PAINTS_UNDO_GPU_SECONDS"] = "16"
    with served(["app.py"], space, port, **settings) as address:
        client = Client(address, verbose=False, analytics_enabled=False)
        given = {"prompt": "1girl", "operation_steps": [500, 999], "sampling_steps": 1}
        drawn = client.predict(handle_file(str(tmp_path / "girl.png")), api_name="/generate_keyframes", **given)
        _, frames = client.predict(sampling_steps=1, api_name="/generate_video")
    assert len(drawn) == 2 and len(frames) == 45
    calls = (tmp_path / "lent").read_text().splitlines()
    assert calls == ["borrow_for_keyframes 16 True"] + ["borrow_for_segment 16 True"] * 3
    assert (space / "outputs").is_dir()


def test_a_gpu_call_asks_for_what_its_work_takes(monkeypatch):
    """At the published sizes: more for more keyframes, sampling steps, guidance, pixels and bytes of weights."""
    monkeypatch.syspath_prepend(FOLDER)
    app = importlib.import_module("app")
    monkeypatch.setattr(app, "LONGEST", math.inf)
    published = replace(open_family(MINI_FOLDER), name="released", video_sizes=ModelFamily.video_sizes)
    monkeypatch.setattr(app, "family", lambda: published)
    small = np.zeros((640, 512, 3), np.uint8)

    def keyframes(**chosen):
        return app.seconds_for_keyframes(small, KeyframeOptions(**chosen), None)

    def segment(**chosen):
        return app.seconds_for_segment([small, small], SegmentOptions(**chosen))

    usual = keyframes(), segment()
    assert 25 < usual[0] < 40 and 35 < usual[1] < 60
    assert keyframes(operation_steps=(500,)) < keyframes(sampling_steps=10) < keyframes(guidance_scale=1) < usual[0]
    assert keyframes(width=1024, height=1280) > 2 * usual[0]
    assert segment(sampling_steps=10) < segment(guidance_scale=1) < usual[1] < segment(sampling_steps=100)
    monkeypatch.setattr(app, "READ_A_SECOND", app.READ_A_SECOND / 1000)
    assert keyframes() > usual[0] + 20 and segment() > usual[1] + 60
    monkeypatch.setattr(app, "LONGEST", 20.0)
    assert (keyframes(), segment()) == (20, 20)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="shell commands")
@pytest.mark.parametrize(
    ("lends", "models", "code", "said"),
    [
        (True, "strokes", "engine.draw_keyframes('girl.png')", "Strokes borrow_for_segment"),
        (False, "mini", "", "PaintsUndo borrow_for_segment"),
    ],
)
def test_who_borrows_no_gpu_works_as_the_app_does(space, tmp_path, lends, models, code, said):
    pretend_spaces(space, lends)
    code = f"import app; engine = app.load(); {code}\nprint(type(engine).__name__, app.borrow_for_segment.__name__)"
    shutil.copy(Path(examples.__file__).parent / "girl.png", space)
    given = {**os.environ, "LENT": str(tmp_path / "lent"), "PAINTS_UNDO_MODELS": models}
    done = subprocess.run([sys.executable, "-c", code], cwd=space, env=given, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.strip() == said, done.stderr
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
