"""What is said of the cache and of the hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import constants
from local_hub import local_hub

from paints_undo.doctor import published_files
from paints_undo.doctor.findings import FINE, NOTE, Report


def test_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(published_files, "hub_answer", lambda: ("the hub answers", FINE))
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
        assert published_files.hub_answer() == (f"{hub.url} answers", FINE)
        hub.contents["/"] = b""
        hub.faults["/"] = ["503"]
        said, state = published_files.hub_answer()
        assert "status 503" in said and state == NOTE
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    said, state = published_files.hub_answer()
    assert "does not answer" in said and "HF_ENDPOINT" in said and state == NOTE
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert published_files.hub_answer() == ("HF_HUB_OFFLINE is set: nothing is downloaded", NOTE)
