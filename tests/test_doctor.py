"""What the doctor says of machines that are well, and of those that are not."""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import imageio_ffmpeg
import pytest
import torch
from huggingface_hub import constants
from local_hub import local_hub

from paints_undo.cli import doctor_command
from paints_undo.doctor import examination as doctor
from paints_undo.doctor import published_files
from paints_undo.doctor.examination import examine
from paints_undo.doctor.findings import FINE, NOTE, PROBLEM, Finding, Report
from paints_undo.models.attention import BACKENDS

hub_answer = published_files.hub_answer


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_files, "hub_answer", lambda: ("the hub answers", FINE))


def found(report: Report, subject: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.subject == subject]


def test_a_machine_that_is_well(tiny_family: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    report = examine(str(tiny_family), "cpu", out=tmp_path)
    assert report.ready
    subjects = {finding.subject for finding in report.findings}
    wanted = {"Python", "packages", "device", "dtype", "attention", "memory", "disk", "video", "pictures", "cache"}
    assert subjects >= wanted | {"hub", "models", "run"}
    (run,) = found(report, "run")
    assert run.values["plan"] == "resident" and "the default run: plan resident" in run.text
    assert found(report, "dtype")[0].values["works"][0] == "fp32"
    assert str(tmp_path) in report.text() and str(tmp_path) not in report.text(paths=False)
    assert report.text().endswith("ready: a run can start") and len(report.text().splitlines()) < 30
    chosen = {"models": str(tiny_family), "device": "cpu", "dtype": None, "attention": "sdpa", "vram": "auto"}
    assert doctor_command(argparse.Namespace(**chosen, out=tmp_path, json=True)) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["ready"] is True
    assert all(set(f) == {"subject", "text", "state", "where", "values"} for f in said["findings"])


def test_the_mini_family_has_minutes(tmp_path: Path) -> None:
    (run,) = found(examine("mini", "cpu", out=tmp_path), "run")
    assert 0 < run.values["minutes"] < 600 and ("min" in run.text)


def test_models_that_are_not_there(tmp_path: Path) -> None:
    report = examine(str(tmp_path / "nowhere"), "cpu", out=tmp_path)
    (models,) = found(report, "models")
    assert models.state == PROBLEM and "no model family at" in models.where and not report.ready
    assert "! models" in report.text() and "not ready" in report.text()
    assert "nowhere" not in report.text(paths=False)


@pytest.mark.parametrize(("device", "dtype"), [("tpu", None), ("cpu", "fp16"), ("cuda:99", None)])
def test_impossible_devices(device: str, dtype: str | None) -> None:
    report = examine("mini", device, dtype)
    assert not report.ready and report.findings[-1].subject == "device"


@pytest.mark.parametrize(
    ("capability", "system", "build", "quote"),
    [("8.9\n7.5\n", "posix", "cu130", "'"), ("6.1\n8.9\n", "posix", "cu126", "'"), ("7.0", "nt", "cu126", '"')],
)
def test_a_cpu_build_beside_an_nvidia_gpu(
    monkeypatch: pytest.MonkeyPatch, capability: str, system: str, build: str, quote: str
) -> None:
    monkeypatch.setattr(doctor, "misses_an_nvidia_gpu", lambda: True)
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: SimpleNamespace(stdout=capability))
    monkeypatch.setattr(doctor, "os", SimpleNamespace(name=system))
    monkeypatch.setattr(torch, "__version__", "2.13.0+cpu")
    report = Report()
    doctor.examine_device(report, torch.device("cpu"), chosen=None)
    assert report.findings[-1].state == NOTE and report.findings[-1].values["fix"] == (
        f"{quote}{sys.executable}{quote} -m pip install --force-reinstall --no-deps torch==2.13.0 "
        f"--index-url https://download.pytorch.org/whl/{build}"
    )
    doctor.examine_device(chosen := Report(), torch.device("cpu"), chosen="cpu")
    assert len(chosen.findings) == 1  # somebody wants the CPU


def test_a_driver_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object, **options: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", broken)
    assert doctor.compute_capability() is None and "cu130" in doctor.cuda_install_command(None)


@pytest.mark.parametrize("wrong", ["numbers", "kernel"])
def test_an_attention_backend_that_does_not_work(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    def broken(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        if wrong == "kernel":
            raise RuntimeError("no kernel image is available\nsecond line")
        return query + 1e-3

    monkeypatch.setitem(BACKENDS, "plain", broken)
    report = Report()
    doctor.examine_attention(report, "sdpa", torch.device("cpu"), torch.float32)
    assert report.ready and [f.state for f in report.findings if f.text.startswith("plain")] == [NOTE]
    report = Report()
    doctor.examine_attention(report, "plain", torch.device("cpu"), torch.float32)
    assert not report.ready


def test_a_disk_that_is_full_or_closed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    doctor.examine_disk(full := Report(), tmp_path / "a" / "b")
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    doctor.examine_disk(closed := Report(), tmp_path)
    assert not full.ready and "free some space" in full.text()
    assert not closed.ready and "nothing may be written there" in closed.text()


def test_a_video_encoder_that_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "/no/such/ffmpeg")
    doctor.examine_tools(report := Report())
    assert not report.ready and "pip install --force-reinstall imageio-ffmpeg" in report.text()


def test_too_little_device_memory(tiny_family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not examine(str(tiny_family), "cpu", vram="none", out=tmp_path).ready


def test_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    blobs = tmp_path / "models--lllyasviel--misc" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / "a.partial").write_bytes(bytes(3_000_000))
    (blobs / "b.damaged").write_bytes(bytes(5_000_000))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(published_files, "original_caches", lambda: [tmp_path])
    published_files.examine(report := Report())
    assert report.findings[0].text == (
        "0 of 26 published files are in the cache, 3 MB begun, 5 MB set aside as damaged may be deleted"
    )
    assert "the original program's is here, too" in report.text() and report.ready


def test_whether_the_hub_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with local_hub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        assert hub_answer() == (f"{hub.url} answers", FINE)
        hub.contents["/"] = b""
        hub.faults["/"] = ["503"]
        said, state = hub_answer()
        assert "status 503" in said and state == NOTE
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    said, state = hub_answer()
    assert "does not answer" in said and "HF_ENDPOINT" in said and state == NOTE
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert hub_answer() == ("HF_HUB_OFFLINE is set: nothing is downloaded", NOTE)
