"""The job script gives each task of an array its own shard."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "docs" / "slurm" / "batch.sbatch"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="shell scripts")


def submitted(folder, task, first=1, count=3):
    """The command line that one task of an array would run."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    numbers = {"SLURM_ARRAY_TASK_ID": task, "SLURM_ARRAY_TASK_MIN": first, "SLURM_ARRAY_TASK_COUNT": count}
    environment = {**os.environ, "PAINTS_UNDO": str(folder), **{name: str(n) for name, n in numbers.items()}}
    command = ["bash", str(SCRIPT), "my pictures", "the results", "--models", "released"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("first", [0, 1])
def test_every_task_has_its_shard(tmp_path, first):
    lines = [submitted(tmp_path, task, first) for task in range(first, first + 3)]
    assert [line[line.index("--shard") + 1] for line in lines] == ["1/3", "2/3", "3/3"]
    expected = ["-m", "paints_undo", "batch", "my pictures", "--out", "the results", "--shard", "1/3"]
    assert lines[0] == [*expected, "--models", "released"]


def test_what_is_missing_is_named(tmp_path):
    failed = subprocess.run(["bash", str(SCRIPT)], capture_output=True, text=True)
    assert failed.returncode and "give the pictures" in failed.stderr
