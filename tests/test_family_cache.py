"""The hub's cache: what is found where, what is whole, and what is set aside."""

from __future__ import annotations

import hashlib
from pathlib import Path

import huggingface_hub
import pytest
from local_hub import git_digest

from paints_undo.family import cache as cache_module
from paints_undo.family.cache import (
    HubFile,
    digest_in_cache,
    digest_of,
    find,
    find_in_folder,
    is_digest,
    place,
    set_aside,
)

COMMIT = "ab" * 20
PINNED = HubFile("somebody/models", COMMIT, "unet/model.safetensors", "single_frame/unet/model.safetensors")
BRANCH = HubFile("somebody/misc", "main", "tags.csv", "tagger/selected_tags.csv")


def put(file: HubFile, cache: Path, content: bytes = b"content") -> Path:
    whole = cache.parent / "whole"
    whole.write_bytes(content)
    return place(whole, file, cache, COMMIT, hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("file", [PINNED, BRANCH])
@pytest.mark.parametrize("links", [True, False])
def test_what_is_placed_is_found_by_the_hub_client_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: HubFile, links: bool
) -> None:
    if not links:  # as on Windows
        monkeypatch.setattr(Path, "symlink_to", lambda path, target: (_ for _ in ()).throw(OSError("no right")))
    cache = tmp_path / "hub"
    assert find(file, cache) is None
    path = put(file, cache)
    assert path.is_symlink() == links and path.read_bytes() == b"content" and find(file, cache) == path
    theirs = huggingface_hub.hf_hub_download(
        file.repository, file.path, revision=file.revision, cache_dir=cache, local_files_only=True
    )
    assert theirs == str(path)
    assert digest_in_cache(path) == (hashlib.sha256(b"content").hexdigest() if links else None)
    assert put(file, cache, b"newer").read_bytes() == b"newer"


def test_a_file_set_aside_is_found_no_more(tmp_path: Path) -> None:
    cache = tmp_path / "hub"
    aside = set_aside(put(PINNED, cache))
    assert find(PINNED, cache) is None and aside.read_bytes() == b"content" and aside.name.endswith(".damaged")
    assert find(PINNED, cache) is None and put(PINNED, cache).exists()


def test_digests(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"hello\n")
    assert digest_of(file, like="0" * 40) == git_digest(b"hello\n") == "ce013625030ba8dba906f756967f9e9ca394464a"
    assert digest_of(file, like="0" * 64) == hashlib.sha256(b"hello\n").hexdigest()
    assert is_digest("a" * 64) and is_digest("0" * 40)
    assert not any(is_digest(text) for text in (None, "", "x", "A" * 64, "a" * 41))


@pytest.mark.parametrize(
    "layout",
    [
        "single_frame/unet/model.safetensors",
        "models/unet/model.safetensors",
        f"models--somebody--models/snapshots/{COMMIT}/unet/model.safetensors",
        f"hub/models--somebody--models/snapshots/{COMMIT}/unet/model.safetensors",
        f"hf_download/hub/models--somebody--models/snapshots/{COMMIT}/unet/model.safetensors",
    ],
)
def test_copied_folders_of_every_layout(tmp_path: Path, layout: str) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "model.safetensors").touch()  # of which checkpoint?
    assert find_in_folder(PINNED, tmp_path) is None
    file = tmp_path / layout
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    assert find_in_folder(PINNED, tmp_path) == file


def test_the_originals_tagger_lay_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "tags.csv").touch()
    assert find_in_folder(BRANCH, tmp_path) == tmp_path / "tags.csv"


@pytest.mark.parametrize("here", ["elsewhere/deep", "projects/rebuilt"])
@pytest.mark.parametrize("place", ["projects/rebuilt", "projects/Paints-UNDO", "{here}", "{here}/../Paints-UNDO"])
def test_the_original_programs_cache_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str, place: str
) -> None:
    """In the checkout, where the original's own folder was replaced by this one, in the current folder, or beside."""
    (tmp_path / here).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / here)
    monkeypatch.setattr(cache_module, "files", lambda package: tmp_path / "projects" / "rebuilt" / package)
    assert cache_module.original_caches() == []
    found = (tmp_path / place.format(here=here)).resolve() / "hf_download" / "hub"
    found.mkdir(parents=True)
    assert cache_module.original_caches() == [found]
