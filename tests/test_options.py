"""Options, help, records and exports are there without the networks' libraries, which take seconds to load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PLAIN = ["options", "profiles", "images", "video", "engine"]
PLAIN += ["run.timeline", "run.folder", "run.replay", "run.draw", "run.course"]
PLAIN += ["provenance.verify", "exports.formats", "exports.source", "finishing.artwork_size", "process.charts"]
PLAIN += ["batch.items", "batch.ledger", "commands", "cli"]
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
