"""Weights and tables that may not be read are not called damaged or missing, and nothing is done to them."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from as_nobody import as_nobody, open_to_all
from local_hub import LocalHub
from test_family_released import gets, hub  # noqa: F401

from paints_undo import PaintsUndo
from paints_undo.errors import CheckpointError
from paints_undo.family import readable_files
from paints_undo.family.model_family import PARTS, open_family
from paints_undo.family.released import download_released, find_released, own_cache
from paints_undo.family.weights import count_weights, load_part, load_tokenizer
from wd14_tagger import Tagger

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")

ARTWORK = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
UNET = f"multi_frame/unet/{PARTS['multi_frame/unet'].weights}"
LOADS: dict[str, Callable[[Path], object]] = {
    UNET: lambda folder: load_part(open_family(folder), "multi_frame/unet", torch.float32),
    f"single_frame/unet/{PARTS['single_frame/unet'].weights}": lambda folder: count_weights(
        open_family(folder), "single_frame/unet"
    ),
    "multi_frame/unet/config.json": open_family,
    "model_family.json": open_family,
    "single_frame/tokenizer/vocab.json": lambda folder: load_tokenizer(open_family(folder), "single_frame/tokenizer"),
    "multi_frame/tokenizer/merges.txt": lambda folder: load_tokenizer(open_family(folder), "multi_frame/tokenizer"),
    "tagger/model.onnx": lambda folder: PaintsUndo.load(folder, "cpu").tag(ARTWORK),
    "tagger/selected_tags.csv": lambda folder: PaintsUndo.load(folder, "cpu").tag(ARTWORK),
    "multi_frame/unet": open_family,
    "single_frame": open_family,
    "tagger": open_family,
}


@pytest.fixture(scope="module")
def family(tiny_family: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the tiny family that anyone may read, everything loaded once, so that no import is left to do."""
    folder = shutil.copytree(tiny_family, tmp_path_factory.mktemp("readable") / "family")
    open_to_all(folder)
    PaintsUndo.load(folder, "cpu").tag(ARTWORK)
    for place in ("multi_frame/unet/config.json", UNET, "single_frame/tokenizer/vocab.json"):
        LOADS[place](folder)
    return folder


@pytest.mark.parametrize("place", LOADS)
def test_without_permission(family: Path, place: str) -> None:
    closed = family / place
    closed.chmod(0)
    try:
        with as_nobody(), pytest.raises(CheckpointError) as refused:
            LOADS[place](family)
    finally:
        closed.chmod(0o755)
    said = str(refused.value)
    assert said.startswith(str(closed)) and "may not be read by this account" in said, said
    assert "permission to read that file and its folders" in said
    assert not any(word in said for word in ("damaged", "missing", "delete", "download", "copy", "Errno"))
    LOADS[place](family)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE])
def test_a_drive_that_fails_is_named(family: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library gives up on a file that the drive does not give whole."""

    def failing(file: Path, mode: str) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("paints_undo.family.weights.safe_open", lambda *_, **__: failing(Path(), ""))
    monkeypatch.setattr(readable_files, "open", failing, raising=False)
    with pytest.raises(CheckpointError) as refused:
        LOADS[UNET](family)
    reason = os.strerror(number).lower()
    assert str(refused.value) == f"{family / UNET} cannot be read ({reason}); check the disk or drive that it is on"


def test_the_tagger_alone(family: Path) -> None:
    """wd14_tagger says the same in its own words, as an OSError."""
    for name in ("model.onnx", "selected_tags.csv"):
        file = family / "tagger" / name
        file.chmod(0)
        with as_nobody(), pytest.raises(PermissionError, match=f"{file} may not be read by this account: give it"):
            Tagger(family / "tagger" / "model.onnx", family / "tagger" / "selected_tags.csv")
        file.chmod(0o644)


@pytest.mark.parametrize("what", ["weights", "snapshot", "blobs", "repository", "cache"])
def test_published_files_are_neither_set_aside_nor_fetched_again(hub: LocalHub, what: str, tmp_path: Path) -> None:  # noqa: F811
    family = download_released()
    load_part(family, "multi_frame/unet", torch.float32)
    link = family.part_folder("multi_frame/unet") / PARTS["multi_frame/unet"].weights
    snapshot, cache = link.parents[1], own_cache()
    open_to_all(tmp_path)
    for folder in cache.rglob("*"):
        folder.chmod(0o777 if folder.is_dir() else 0o644)
    closed = {
        "weights": link.resolve(),
        "snapshot": snapshot,
        "blobs": link.resolve().parent,
        "repository": snapshot.parents[1],
        "cache": cache,
    }[what]
    before = sorted(str(path) for path in cache.rglob("*"))
    hub.got.clear()
    closed.chmod(0)
    try:
        for attempt in (lambda: load_part(find_released(), "multi_frame/unet", torch.float32), download_released):
            with as_nobody(), pytest.raises(CheckpointError) as refused:
                attempt()
            said = str(refused.value)
            assert "may not be read by this account" in said, said
            assert str(closed) in said or str(link) in said, said
            assert not any(word in said for word in ("damaged", "missing", "delete", "download"))
    finally:
        closed.chmod(0o755)
    assert sorted(str(path) for path in cache.rglob("*")) == before and gets(hub) == []
    assert download_released() == family and gets(hub) == []
