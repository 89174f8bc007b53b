"""The container: hadolint's rules, what is copied, and the app started from exactly that, without an engine."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import httpx
import pytest
import yaml
from packaging.requirements import Requirement
from served_elsewhere import free_port, served
from test_packaging import extra

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docker"


def instructions(name: str) -> list[str]:
    """The arguments of every instruction of this name, continued lines joined."""
    text = re.sub(r"\\\n\s*", "", (FOLDER / "Dockerfile").read_text())
    return re.findall(rf"(?m)^\s*{name} (.*)$", text)


def test_hadolint_finds_nothing():
    hadolint = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([hadolint, "--no-color", str(FOLDER / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stdout, done.stdout + done.stderr


def test_it_runs_as_nobody_special_from_debian_slim():
    assert re.fullmatch(r"python:3\.1[0-3]-slim-\w+", *instructions("FROM"))
    (user,) = instructions("USER")
    assert int(user) >= 1000 and f"--uid {user} " in instructions("RUN")[0]
    last = (FOLDER / "Dockerfile").read_text().rindex("\nUSER ")
    assert "\nRUN" not in (FOLDER / "Dockerfile").read_text()[last:]
    assert json.loads(*instructions("VOLUME")) == ["/models", "/outputs"]
    assert "HF_HOME=/models" in instructions("ENV")[0] and instructions("ARG") == ["COMPUTE=cu130"]


def test_what_the_flag_for_mcp_needs_is_installed():
    (wanted,) = extra("mcp")
    (named,) = re.findall(r"'(mcp[^']*)'", instructions("RUN")[1])
    assert Requirement(named) == wanted


def test_the_ignore_file_lets_through_what_is_copied():
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {source for arguments in instructions("COPY") for source in arguments.split()[:-1]}
    assert copied == allowed and "*" in lines
    assert all((ROOT / source).exists() for source in copied)
    assert any(fnmatch("paints_undo/web/__pycache__", line) for line in lines if line.startswith("**"))


def test_compose():
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    services = compose["services"]
    assert set(services) == {"cuda", "cpu"} and set(compose["volumes"]) == {"models", "outputs"}
    for name, service in services.items():
        build = service["build"]
        assert (FOLDER / build["context"] / build["dockerfile"]).is_file()
        assert build["args"]["COMPUTE"].startswith("cu" if name == "cuda" else "cpu")
        assert service["ports"] == ["127.0.0.1:7860:7860"] and service["profiles"] == [name]
        assert [volume.partition(":")[2] for volume in service["volumes"]] == json.loads(*instructions("VOLUME"))
    (device,) = services["cuda"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"] and "deploy" not in services["cpu"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_app_starts_from_what_is_copied_and_is_healthy(tmp_path):
    for arguments in instructions("COPY"):
        *sources, target = arguments.split()
        for source in sources:
            place = tmp_path / (target if (ROOT / source).is_dir() else source)
            copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
            copy(ROOT / source, place)
    port, entry = free_port(), json.loads(*instructions("ENTRYPOINT"))
    assert entry == ["python"]
    command = [part.replace("/outputs", str(tmp_path / "outputs")) for part in json.loads(*instructions("CMD"))]
    command[command.index("7860")] = str(port)
    with_tools = importlib.util.find_spec("mcp") is not None
    (health,) = instructions("HEALTHCHECK")
    check = json.loads(health.partition("CMD ")[2].replace("7860", str(port)))
    with served([*command, *(["--mcp"] if with_tools else [])], tmp_path, port) as address:
        assert subprocess.run([sys.executable, *check[1:]], timeout=60).returncode == 0
        if with_tools:
            question = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
            accepted = {"Accept": "application/json, text/event-stream"}
            told = httpx.post(f"{address}gradio_api/mcp", json=question, headers=accepted, timeout=60)
            assert told.status_code == 200 and "make_timelapse" in told.text
    assert subprocess.run([sys.executable, *check[1:]], capture_output=True, timeout=60).returncode != 0
