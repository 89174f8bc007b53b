"""The published weights: whether they are in the Hugging Face cache, and how they get there."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

import wd14_tagger
from paints_undo.checkpoints import CONFIG_FILE, PARTS, TOKENIZER_FILES, TOKENIZERS, ModelFamily
from paints_undo.errors import CheckpointError
from wd14_tagger.models import file_sha256

log = logging.getLogger(__name__)

REMEDY = "run `python -m paints_undo download` with a network (7.6 GB), or use --models mini or a folder"


@dataclass(frozen=True)
class Repository:
    """A repository of the hub, held at one commit."""

    name: str
    revision: str


REPOSITORIES = {
    "single_frame": Repository("lllyasviel/paints_undo_single_frame", "2184fb267be2c03bb106f9ba91b223d7dc94e4e3"),
    "multi_frame": Repository("lllyasviel/paints_undo_multi_frame", "fd84e82a615dfcb759248cd1adcb8c1d85b99363"),
}

# Where the published listing gives one. huggingface_hub itself checks no content.
SHA256 = {
    "single_frame/unet": "c0580514df2a046b29c7fbf6b86668aa6b09c4f891016e04bc4ad3e987be15ba",
    "single_frame/vae": "2be0a148d5c9a0a79fc76def213e29e97f6b0825dfaba1bef139c38059f71fe3",
    "multi_frame/unet": "811c4019971d6dd316367a630cd4ea382258c20cdeff64998e0dde23f0bb8464",
}


def files() -> Iterator[tuple[str, str, str | None]]:
    """Every file of the family: checkpoint, path inside its repository, sha256 where known. Small files first."""
    for tokenizer in TOKENIZERS:
        checkpoint, folder = tokenizer.split("/")
        yield from ((checkpoint, f"{folder}/{name}", None) for name in TOKENIZER_FILES)
    for part in PARTS:
        checkpoint, folder = part.split("/")
        yield checkpoint, f"{folder}/{CONFIG_FILE}", None
    for part, recipe in PARTS.items():
        checkpoint, folder = part.split("/")
        yield checkpoint, f"{folder}/{recipe.weights}", SHA256.get(part)


def fetch(checkpoint: str, path: str, local_files_only: bool) -> Path:
    """The local path of one published file, downloaded if that is allowed and it is not there yet.

    Raises CheckpointError naming repository, file, folder and remedy.
    """
    repository = REPOSITORIES[checkpoint]
    try:
        return Path(
            huggingface_hub.hf_hub_download(
                repository.name, path, revision=repository.revision, local_files_only=local_files_only
            )
        )
    except LocalEntryNotFoundError:
        reason = "is not in"
    except (HfHubHTTPError, OSError) as error:
        reason = f"could not be downloaded ({type(error).__name__}: {str(error).splitlines()[0]}) to"
    cache = huggingface_hub.constants.HF_HUB_CACHE
    raise CheckpointError(f"{path} of {repository.name} {reason} {cache}; {REMEDY}")


def find_released() -> ModelFamily:
    """The published family, from the Hugging Face cache alone; CheckpointError says which file is not there."""
    return assemble(local_files_only=True)


def is_released_here() -> bool:
    """Whether every published file is in the Hugging Face cache."""
    try:
        find_released()
    except CheckpointError:
        return False
    return True


def what_else(name: str, device_type: str) -> str:
    """One or two sentences on the family that is not loaded: what it would bring, and what it needs.

    name: of the loaded family; device_type: "cuda", "mps" or "cpu", where it computes.
    """
    if name == "released":
        return "The small family mini needs no GPU: start with --models mini."
    start = "start with --models released" if is_released_here() else "`python -m paints_undo download` fetches it"
    slow = " On this CPU a run of it takes hours." if device_type == "cpu" else ""
    return f"The published family knows far more and needs 7.6 GB of disk and a GPU: {start}.{slow}"


def download_released() -> ModelFamily:
    """The published family, with every file downloaded, and compared with its sha256 where one is published."""
    for checkpoint, path, expected in files():
        log.info("fetching %s of %s", path, REPOSITORIES[checkpoint].name)
        file = fetch(checkpoint, path, local_files_only=False)
        if expected:
            found = file_sha256(file)
            if found != expected:
                raise CheckpointError(
                    f"{path} of {REPOSITORIES[checkpoint].name} at {file} has sha256 {found} instead of {expected}; "
                    "delete this file and the one it links to, and download again"
                )
    return assemble(local_files_only=False)


def assemble(local_files_only: bool) -> ModelFamily:
    folders = {}
    for checkpoint, path, _ in files():
        folders[checkpoint] = fetch(checkpoint, path, local_files_only).parents[1]
    try:
        model, tags = wd14_tagger.download_tagger(local_files_only=local_files_only)
    except (OSError, ValueError) as error:
        raise CheckpointError(str(error)) from None
    return ModelFamily(
        name="released",
        folders=folders,
        revision=" ".join(f"{r.name}@{r.revision[:8]}" for r in REPOSITORIES.values()),
        tagger_model=model,
        tagger_tags=tags,
    )
