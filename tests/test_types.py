"""What the type checker of continuous integration looks at, and that it finds what tests with stand-ins do not."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from test_packaging import pyproject

ROOT = Path(__file__).parent.parent
SETTINGS = pyproject()["tool"]["mypy"]
NEEDED = {"attr-defined", "call-arg", "arg-type", "return-value", "override", "assignment", "name-defined"}

# A file, what stands there, what a change might make of it, where that is told if elsewhere, and mypy's code.
FAULTS: list[tuple[str, ...]] = [
    ("paints_undo/web/machine.py", "told.attention, told.vram", "told.attention, loaded.vram", "attr-defined"),
    ("paints_undo/web/work.py", "engine.tag(run.artwork)", "engine.tag(run.artwork, 3)", "call-arg"),
    ("paints_undo/web/endpoints.py", "-> str:\n", "-> Iterator[Any]:\n", "return-value"),
    ("paints_undo/exports/midpoints.py", "engine.fill_segments(", "engine.fill_segment(", "attr-defined"),
    ("tests/studio_desk.py", "EngineOnUse(lambda: self.engine)", "EngineOnUse(lambda: object())", "return-value"),
    ("tests/fake_engine.py", "def describe(", "def described(", "tests/running_app.py", "assignment"),
    ("tests/batch_pictures.py", "QuickEngine(FakeEngine)", "QuickEngine", "call-arg"),
]


def looked_at() -> set[Path]:
    return {found for pattern in SETTINGS["files"] for found in ROOT.glob(pattern)}


def test_every_package_and_every_double_is_looked_at() -> None:
    folders = {place for place in looked_at() if place.is_dir()}
    for file in ROOT.rglob("*.py"):
        place = file.relative_to(ROOT)
        if place.parts[0] in ("tests", "build", "__init__.py") or place.parts[0].startswith("."):
            continue
        assert file in looked_at() or folders & set(file.parents), f"mypy does not look at {place}"
    doubles = {file for file in (ROOT / "tests").glob("*.py") if not file.name.startswith("test_")}
    assert doubles <= looked_at() and not any(file.name.startswith("test_") for file in looked_at())


def test_nothing_that_is_needed_is_switched_off() -> None:
    script = (ROOT / ".ci" / "check").read_text("utf-8")
    assert script.index("-m mypy ||") < script.index('-m mypy "${lenient[@]}" tests') < script.index('exit "$worst"')
    run = (ROOT / ".ci" / "run").read_text("utf-8")
    assert run.index(".ci/check || worst=1") < run.index("./test.sh") < run.index('exit "$worst"')
    (lenient,) = re.findall(r"for code in (.+); do", script)
    assert not NEEDED & {*SETTINGS["disable_error_code"], *lenient.split()}
    assert SETTINGS["check_untyped_defs"] and "union-attr" not in SETTINGS["disable_error_code"]
    ours = {"paints_undo", "wd14_tagger", "memory_management", "gradio_app", "comfyui", "huggingface_space"}
    for override in SETTINGS["overrides"]:
        assert set(override) == {"module", "follow_imports"}
        assert not {name.split(".")[0] for name in override["module"]} & ours


@pytest.mark.slow
def test_it_finds_what_stand_ins_would_hide(tmp_path: Path) -> None:
    arguments, expected = [], set()
    for number, (place, before, after, *told) in enumerate(FAULTS):
        content = (ROOT / place).read_text("utf-8")
        assert before in content, f"{place} says it otherwise now: {before}"
        changed = tmp_path / f"{number}.py"
        changed.write_text(content.replace(before, after), "utf-8")
        arguments += ["--shadow-file", place, str(changed)]
        expected.add(tuple([place, *told][-2:]))
    command = [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "--no-color-output"]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)
    found = set(re.findall(r"(?m)^([\w/]+\.py):\d+: error: .*\[([a-z-]+)\]$", done.stdout))
    assert done.returncode == 1 and expected <= found, done.stdout + done.stderr
