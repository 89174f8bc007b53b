"""The card that says what this computer can do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from paints_undo.checkpoints import open_family
from paints_undo.doctor import PROBLEM, Report
from paints_undo.errors import CheckpointError
from paints_undo.web import machine
from paints_undo.web.machine import Examination, examine_engine


def test_strangers_see_no_path_and_no_markup() -> None:
    report = Report()
    report.add("disk", "3 GiB free", where="/home/somebody")
    report.add("models", "<none>", PROBLEM, where="/srv/models")
    page = Examination(lambda: report)()
    assert "/home" not in page and "/srv" not in page and "3 GiB free" in page
    assert "&lt;none&gt;" in page and "class='problem'" in page and "not ready" in page


def test_it_is_kept_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, now = [], [100.0]
    monkeypatch.setattr(machine.time, "monotonic", lambda: now[0])
    look = Examination(lambda: looks.append(1) or Report())
    assert look() == look() and len(looks) == 1
    now[0] += machine.KEPT
    look()
    assert len(looks) == 2


def test_the_engine_of_the_app_is_examined(tiny_family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(machine, "examine", lambda *arguments, **options: asked.append((arguments, options)))
    parts = SimpleNamespace(device=torch.device("cpu"), dtype=torch.bfloat16)
    family = open_family(tiny_family)
    pipeline = SimpleNamespace(family=family, parts=parts, attention="plain", vram="4")
    examine_engine(SimpleNamespace(get=lambda: pipeline), tmp_path)

    def missing() -> None:
        raise CheckpointError("gone")

    examine_engine(SimpleNamespace(get=missing), tmp_path)
    assert asked == [((family, "cpu", "bf16", "plain", "4", tmp_path), {}), (("auto",), {"out": tmp_path})]
