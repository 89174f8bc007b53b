"""The published weights: which files they are, where they are on this disk, and how they get there."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from paints_undo.errors import CheckpointError, Sentence
from paints_undo.family.cache import (
    HubFile,
    digest_in_cache,
    digest_of,
    find,
    find_in_folder,
    original_caches,
    own_cache,
    place,
    repository_folder,
    set_aside,
)
from paints_undo.family.downloads import Remote, ask, check_disk, download, partial_of
from paints_undo.family.model_family import CONFIG_FILE, PARTS, TOKENIZER_FILES, TOKENIZERS, ModelFamily
from paints_undo.family.readable_files import permitted
from wd14_tagger import DEFAULT_MODEL, MODELS

log = logging.getLogger(__name__)

REMEDY = "run `python -m paints_undo download` with a network (7.6 GB), or use --models strokes or a folder"
IMPORTED = "imported"  # stands for the commit of files that came from a folder and whose branch nobody was asked about

# checkpoint -> repository of the hub, held at one commit
REPOSITORIES = {
    "single_frame": ("lllyasviel/paints_undo_single_frame", "2184fb267be2c03bb106f9ba91b223d7dc94e4e3"),
    "multi_frame": ("lllyasviel/paints_undo_multi_frame", "fd84e82a615dfcb759248cd1adcb8c1d85b99363"),
}

# Where the published listing gives one; the hub's own answer holds the other files.
SHA256 = {
    "single_frame/unet": "c0580514df2a046b29c7fbf6b86668aa6b09c4f891016e04bc4ad3e987be15ba",
    "single_frame/vae": "2be0a148d5c9a0a79fc76def213e29e97f6b0825dfaba1bef139c38059f71fe3",
    "multi_frame/unet": "811c4019971d6dd316367a630cd4ea382258c20cdeff64998e0dde23f0bb8464",
}


def published(home: str, sha256: str | None = None) -> HubFile:
    """The published file that has this place in a model family."""
    checkpoint, path = home.split("/", 1)
    return HubFile(*REPOSITORIES[checkpoint], path, home, sha256)


def weights_file(part: str) -> HubFile:
    """The published weights of a part such as "single_frame/unet"."""
    return published(f"{part}/{PARTS[part].weights}", SHA256.get(part))


def tagger_files() -> tuple[HubFile, HubFile]:
    """The published tagger and its table of tags."""
    model = MODELS[DEFAULT_MODEL]
    where = (model.repository, model.revision)
    return (
        HubFile(*where, model.model_file, "tagger/model.onnx", model.model_sha256),
        HubFile(*where, model.tags_file, "tagger/selected_tags.csv", model.tags_sha256),
    )


def files() -> Iterator[HubFile]:
    """Every file of the family, small ones first."""
    yield from (published(f"{tokenizer}/{name}") for tokenizer in TOKENIZERS for name in TOKENIZER_FILES)
    yield from (published(f"{part}/{CONFIG_FILE}") for part in PARTS)
    yield from reversed(tagger_files())
    yield from (weights_file(part) for part in PARTS)


def find_released(cache: Path | None = None) -> ModelFamily:
    """The published family, from the hub's cache or the original program's; CheckpointError says what is not there.

    cache: the only one to look into, laid out as the hub's.
    """
    own, wanted = cache or own_cache(), list(files())
    missing = [file for file in wanted if find(file, own) is None]
    if not missing:
        return assemble(own)
    for original in original_caches() if cache is None else ():
        # the original kept the tagger's two files in its own folder
        if all(_in_original(file, original) for file in wanted):
            log.info("the published family is taken from the original program's cache %s", original)
            return assemble(original)
    check_access(own)
    more = f" and {len(missing) - 1} more files are" if len(missing) > 1 else " is"
    raise _missing(missing[0], more, own)


def _missing(file: HubFile, more: str, place: object) -> CheckpointError:
    sentence = "{file} of {repository}{more} not in {place}; {remedy}"
    return CheckpointError(sentence, file.path, file.repository, more, place, REMEDY)


def check_access(cache: Path) -> None:
    """Raises CheckpointError where a folder of the files in a cache may not be looked into: they may be there."""
    for repository in {repository_folder(file, cache) for file in files()}:
        for folder in (cache, repository, repository / "blobs", *_entries(repository / "snapshots")):
            _entries(folder)


def _entries(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError), permitted(folder):
        return list(folder.iterdir())
    return []


def _in_original(file: HubFile, cache: Path) -> Path | None:
    return find(file, cache) or find(file, own_cache()) or find_in_folder(file, cache.parents[1])


def assemble(cache: Path) -> ModelFamily:
    """The family from a cache that holds it."""
    folders = {}
    for part in PARTS:
        if (weights := find(weights_file(part), cache)) is None:
            raise _missing(weights_file(part), " is", f"{cache} any more")
        folders[part.split("/")[0]] = weights.parents[1]
    model, tags = (_in_original(file, cache) for file in tagger_files())
    return ModelFamily(
        name="released",
        folders=folders,
        revision=" ".join(f"{name}@{revision[:8]}" for name, revision in REPOSITORIES.values()),
        tagger_model=model,
        tagger_tags=tags,
        run_defaults={"fit": "crop"},  # the original's pictures are the original's framing
        renew=renew_weights if cache == own_cache() else None,  # another program's files are not ours to move
    )


def is_released_here() -> bool:
    """Whether every published file is in the Hugging Face cache."""
    try:
        find_released()
    except CheckpointError:
        return False
    return True


def what_else(name: str, device_type: str) -> tuple[Sentence, Sentence]:
    """The family that is not loaded: what it is and needs, and how to get it.

    name: of the loaded family; device_type: "cuda", "mps" or "cpu", where it computes.
    """
    if name == "released":
        sentence = "The family strokes draws stroke by stroke at the picture's own size, without networks or a GPU."
        return Sentence(sentence), Sentence("Start with `--models strokes`.")
    fetch = Sentence("`python -m paints_undo download` fetches it.")
    start = Sentence("Start with `--models released`.") if is_released_here() else fetch
    slow = Sentence(" On this CPU a run of it takes hours.") if device_type == "cpu" else ""
    sentence = "The published family has learnt from far more pictures; it needs 7.6 GB of disk and a GPU.{slow}"
    if name == "strokes":
        sentence = (
            "The published family imagines the steps with networks, in a small video; it needs 7.6 GB of disk and a "
            "GPU.{slow}"
        )
    return Sentence(sentence, slow), start


def download_released(source: Path | None = None, cache: Path | None = None) -> ModelFamily:
    """The published family, every file fetched that is not whole in the hub's cache, or in `cache`, laid out as that.

    source: a folder to copy files from before the network is asked: a hub cache, a model family, or clones of the
    repositories.  Raises CheckpointError naming repository, file, folder and remedy; what is there by then stays.
    """
    if source is not None and not source.is_dir():
        raise CheckpointError("there is no folder {source}; give the one with the copied files", source)
    elsewhere, cache = cache, cache or own_cache()
    check_access(cache)
    folders = [*([source] if source else []), *(found.parents[1] for found in original_caches())]
    missing = [file for file in files() if not is_whole(file, cache)]
    lacking = [file for file in missing if not any(copy_from(folder, file, cache) for folder in folders)]
    remotes = {file: ask(file) for file in lacking}
    fetched = {file: _size(partial_of(file, remote, cache)) for file, remote in remotes.items()}
    check_disk(sum(remote.size - fetched[file] for file, remote in remotes.items()), cache)
    for number, (file, remote) in enumerate(remotes.items(), start=1):
        log.info("file %d of %d: %s, %.1f MB", number, len(remotes), file, remote.size / 1e6)
        download(file, remote, cache)
    return find_released(elsewhere)


def is_whole(file: HubFile, cache: Path) -> bool:
    """Whether a file is in a cache with the right content; one with other content is set aside."""
    path = find(file, cache)
    if path is None:
        return False
    expected = file.sha256 or digest_in_cache(path)
    with permitted(path):
        if expected is None or digest_of(path, like=expected) == expected:
            return True
    set_aside(path)
    return False


def copy_from(folder: Path, file: HubFile, cache: Path) -> bool:
    """Copy a file from a folder into a cache; False where the folder has none, or one of other content."""
    found = find_in_folder(file, folder)
    if found is None:
        return False
    # large files are named after their sha256, text after the sha1 that git gives it
    with permitted(found):
        digest = digest_of(found, like=file.sha256 or "0" * (64 if found.suffix in (".safetensors", ".onnx") else 40))
    if digest != (file.sha256 or digest):
        log.warning("%s is not %s as published (sha256 %s); it is not used", found, file, digest)
        return False
    commit = file.revision if len(file.revision) == 40 else IMPORTED
    partial = partial_of(file, Remote(commit, digest, found.stat().st_size), cache)
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial = partial.with_suffix(f".{os.getpid()}.partial")
    check_disk(found.stat().st_size, cache)
    log.info("copying %s from %s", file, found)
    try:
        shutil.copyfile(found, partial)
        place(partial, file, cache, commit, digest)
    finally:
        partial.unlink(missing_ok=True)
    return True


def renew_weights(part: str) -> Path:
    """The weights of a part, fetched anew, the damaged file set aside; CheckpointError where that cannot be."""
    file, cache = weights_file(part), own_cache()
    remote = ask(file)  # first: without a network everything stays as it is
    damaged = find(file, cache)
    if damaged is not None:
        set_aside(damaged)
    return download(file, remote, cache)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
