"""Files of the model hub on this disk: where they are looked for, whether they are whole, where new ones go.

The layout is the hub client's own: blobs/DIGEST, and a link to it at snapshots/COMMIT/PATH, so that other programs find
what this one fetched and the other way round.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils.sha import git_hash, sha_fileobj

log = logging.getLogger(__name__)

# Where the original program, started in its own folder, kept its cache: HF_HOME was "hf_download" there.
ORIGINAL_CACHE = Path("hf_download") / "hub"
ORIGINAL_FOLDER = "Paints-UNDO"


@dataclass(frozen=True)
class HubFile:
    """One published file."""

    repository: str
    revision: str  # a commit; or a branch, where sha256 holds the content still
    path: str  # in the repository
    home: str  # in a folder that holds a whole family, like single_frame/unet/config.json
    sha256: str | None = None  # where the publisher's listing gives one

    def __str__(self) -> str:
        return f"{self.path} of {self.repository}"


def own_cache() -> Path:
    """The hub client's cache folder: HF_HUB_CACHE, or below HF_HOME."""
    return Path(constants.HF_HUB_CACHE)


def original_caches() -> list[Path]:
    """Caches of the original program that are in or beside the current folder or the one this program is in."""
    checkout = Path(str(files("paints_undo"))).parent  # wherever in the package this module is
    bases = (Path.cwd(), checkout)
    caches = [folder / ORIGINAL_CACHE for base in bases for folder in (base, base.parent / ORIGINAL_FOLDER)]
    return [cache for cache in dict.fromkeys(caches) if cache.is_dir()]


def find(file: HubFile, cache: Path) -> Path | None:
    """Where a file is in a cache; None if it is not there."""
    found = huggingface_hub.try_to_load_from_cache(file.repository, file.path, cache_dir=cache, revision=file.revision)
    return Path(found) if isinstance(found, str) else None


def find_in_folder(file: HubFile, folder: Path) -> Path | None:
    """Where a file is in a folder that somebody copied: a hub cache, a model family, or clones of the repositories."""
    for cache in (folder, folder / "hub", folder / ORIGINAL_CACHE):
        if found := find(file, cache):
            return found
    places = (file.home, f"{file.repository.split('/')[-1]}/{file.path}", file.path)
    # "main" of the original's tagger is the path alone; a part's path alone would be of either checkpoint
    some = [folder / place for place in (places if "/" not in file.path else places[:2])]
    return next((place for place in some if place.is_file()), None)


def repository_folder(file: HubFile, cache: Path) -> Path:
    """The folder of a file's repository in a cache."""
    return cache / repo_folder_name(repo_id=file.repository, repo_type="model")


def digest_in_cache(path: Path) -> str | None:
    """The digest that a cached file should have: the name of the blob it links to; None where it links to none."""
    blob = path.resolve()
    return blob.name if blob.parent.name == "blobs" and is_digest(blob.name) else None


def is_digest(text: str | None) -> bool:
    """Whether this names a content: a sha256 (large files), or a git blob's sha1 (small ones)."""
    return text is not None and re.fullmatch("[0-9a-f]{64}|[0-9a-f]{40}", text) is not None


def digest_of(path: Path, like: str) -> str:
    """A file's digest of the kind that `like` is: sha256, or the sha1 that git gives its blob."""
    with path.open("rb") as file:
        return sha_fileobj(file, 1 << 22).hex() if len(like) == 64 else git_hash(file.read())


def set_aside(path: Path) -> Path:
    """Rename a damaged file of a cache, so that nobody finds it under its name; the path it now has."""
    content = path.resolve()
    aside = content.with_name(f"{content.name}.damaged")
    os.replace(content, aside)
    if path.is_symlink():
        path.unlink()
    log.warning("%s is damaged and set aside as %s", path, aside)
    return aside


def place(whole: Path, file: HubFile, cache: Path, commit: str, digest: str) -> Path:
    """Move a whole file into a cache, where the hub client finds it, too; the path it now has."""
    folder = repository_folder(file, cache)
    pointer, blob = folder / "snapshots" / commit / file.path, folder / "blobs" / digest
    for parent in (pointer.parent, blob.parent):
        parent.mkdir(parents=True, exist_ok=True)
    os.replace(whole, blob)
    with contextlib.suppress(FileNotFoundError):
        pointer.unlink()
    try:
        pointer.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError:  # Windows without the right to make links: the client, too, keeps the file itself there
        os.replace(blob, pointer)
    if file.revision != commit:  # a branch
        reference = folder / "refs" / file.revision
        reference.parent.mkdir(parents=True, exist_ok=True)
        reference.write_text(commit)
    return pointer
