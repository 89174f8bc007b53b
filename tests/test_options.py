"""Options, help, records, exports and the page need none of the networks' libraries, which take seconds to load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLAIN = ["options", "commands", "video", "engine", "run.timeline", "run.folder", "run.replay", "run.draw"]
PLAIN += ["verification.verify", "exports.formats", "exports.source", "exports.artwork_size", "exports.charts"]
PLAIN += [
    "batch.items",
    "batch.ledger",
    "cli",
    "family.choice",
    "family.released",
    "doctor.published_files",
    "doctor.findings",
]
PLAIN += [f"web.{file.stem}" for file in sorted((ROOT / "paints_undo" / "web").glob("[a-z]*.py"))]
LIBRARIES = {"torch", "diffusers", "transformers"}


def loaded_by(program: str) -> set[str]:
    """Which of the libraries a program has loaded when it ends."""
    said = f"{program}\nimport sys\nprint(*({LIBRARIES!r} & sys.modules.keys()), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", said], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_plain_data_loads_no_networks_library() -> None:
    assert loaded_by("\n".join(f"import paints_undo.{name}" for name in PLAIN)) == set()
    assert (
        loaded_by("from paints_undo import KeyframeOptions, SegmentOptions, UndoOptions, Progress, Timelapse") == set()
    )


@pytest.mark.parametrize("command", ["export --list", "run --help", "batch --help", "verify README.md"])
def test_commands_that_draw_nothing_load_none(command: str) -> None:
    program = f"from paints_undo.cli import main\ntry:\n    main({command.split()!r})\nexcept SystemExit:\n    pass"
    done = f"import contextlib, io\nwith contextlib.redirect_stderr(io.StringIO()):\n    exec({program!r})"
    assert loaded_by(done) == set()


def test_the_page_of_a_family_on_disk_loads_none(tiny_family: Path, tmp_path: Path) -> None:
    program = f"""
from functools import partial
from pathlib import Path
import gradio_app
from paints_undo.family.choice import find_family
from paints_undo.web.engine import EngineOnUse
def load(): raise SystemExit("the engine was loaded")
engine = EngineOnUse(load, partial(find_family, {str(tiny_family)!r}))
app = gradio_app.build_app(engine, Path({str(tmp_path)!r}))
assert engine.find().name == "reference" and "Adjust" in str(app.get_config_file()["components"])
"""
    assert loaded_by(program) == set()
