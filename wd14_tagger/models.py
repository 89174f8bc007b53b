"""Where the published WD14 model is, and its download.

``lllyasviel/misc`` is a drawer of many files that grows, hence its branch; the sha256 holds the model still.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MODEL = "wd-v1-4-moat-tagger-v2"  # the one the keyframe model was trained with


@dataclass(frozen=True)
class TaggerModel:
    """A published model: two files of one repository on the Hugging Face hub."""

    repository: str
    revision: str
    model_sha256: str | None  # None: not known
    tags_sha256: str | None = None
    model_file: str = "model.onnx"
    tags_file: str = "selected_tags.csv"


MODELS: dict[str, TaggerModel] = {
    DEFAULT_MODEL: TaggerModel(
        "lllyasviel/misc",
        "main",
        "b8cef913be4c9e8d93f9f903e74271416502ce0b4b04df0ff1e2f00df488aa03",
        model_file=f"{DEFAULT_MODEL}.onnx",
        tags_file=f"{DEFAULT_MODEL}.csv",
    ),
}


def download_tagger(
    name: str = DEFAULT_MODEL, cache: str | Path | None = None, local_files_only: bool = False
) -> tuple[Path, Path]:
    """Return the paths of a published model's ONNX file and csv, fetched when they are not there yet.

    Args:
        name: a key of :data:`MODELS`.
        cache: the hub client's cache folder; its own default (``HF_HOME``) when None.
        local_files_only: never use the network.

    Raises:
        KeyError: an unknown name.
        ValueError: a file whose sha256 is wrong.
        huggingface_hub.errors.HfHubHTTPError, LocalEntryNotFoundError, OSError: a file cannot be fetched.
    """
    from huggingface_hub import hf_hub_download  # imported where it is used: a model on disk needs no hub client

    model, paths = MODELS[name], []
    for file, sha256 in ((model.model_file, model.model_sha256), (model.tags_file, model.tags_sha256)):
        path = Path(
            hf_hub_download(
                model.repository,
                file,
                revision=model.revision,
                cache_dir=cache,
                local_files_only=local_files_only,
            )
        )
        if sha256 is not None and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
            raise ValueError(f"{path} of the repository {model.repository} is damaged: delete it and download it again")
        paths.append(path)
    return paths[0], paths[1]
