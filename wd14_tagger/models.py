"""Where the published WD14 models are, and their download.

Revisions are commits, so that a model never changes under a finished run. ``lllyasviel/misc`` is a drawer of many
files that grows, hence its branch; the sha256 holds its model still.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

DEFAULT_MODEL = "wd-v1-4-moat-tagger-v2"  # the one the keyframe model was trained with
_V2_TAGS = "8c8750600db36233a1b274ac88bd46289e588b338218c2e4c62bbc9f2b516368"
_V3_TAGS = "298633d94d0031d2081c0893f29c82eab7f0df00b08483ba8f29d1e979441217"


@dataclass(frozen=True)
class TaggerModel:
    """A published model: two files of one repository on the Hugging Face hub.

    A sha256 of None means that the published value is not known; the revision still names the content.
    """

    repository: str
    revision: str
    model_sha256: str | None
    tags_sha256: str | None = None
    model_file: str = "model.onnx"
    tags_file: str = "selected_tags.csv"

    def __post_init__(self) -> None:
        for field in ("model_sha256", "tags_sha256"):
            value = getattr(self, field)
            if value is not None and (len(value) != 64 or set(value) - set("0123456789abcdef")):
                raise ValueError(f"{field} is {value!r}, but it must be 64 hexadecimal digits or None")


MODELS: dict[str, TaggerModel] = {
    "wd-v1-4-moat-tagger-v2": TaggerModel(
        "lllyasviel/misc",
        "main",
        "b8cef913be4c9e8d93f9f903e74271416502ce0b4b04df0ff1e2f00df488aa03",
        model_file="wd-v1-4-moat-tagger-v2.onnx",
        tags_file="wd-v1-4-moat-tagger-v2.csv",
    ),
    "wd-v1-4-swinv2-tagger-v2": TaggerModel(
        "SmilingWolf/wd-v1-4-swinv2-tagger-v2",
        "cdb0c7fdc70646f0af29c6f80f8df564344a69b6",
        "04ec04fdf7db74b4fed7f4b52f52e04dec4dbad9e4d88d2d178f334079a29fde",
        _V2_TAGS,
    ),
    "wd-v1-4-convnext-tagger-v2": TaggerModel(
        "SmilingWolf/wd-v1-4-convnext-tagger-v2",
        "4b34d1b07bdd8e95494072648960b8a6adcbc0ff",
        "71f06ecb7b9df81d8f271da4d43997ea2ed363cdac29aa64fcb256c9631e656a",
    ),
    "wd-v1-4-convnextv2-tagger-v2": TaggerModel(
        "SmilingWolf/wd-v1-4-convnextv2-tagger-v2",
        "dbd4dbe553ee51feb3bc745b614fb762080e3912",
        "e91daa19cd9e8725125b7d70702d1560855fb687f8d8c4218eddaa821f41834a",
    ),
    "wd-v1-4-vit-tagger-v2": TaggerModel(
        "SmilingWolf/wd-v1-4-vit-tagger-v2",
        "1f3f3e8ae769634e31e1ef696df11ec37493e4f2",
        "8a21cadd1f88a095094cafbffe3028c3cc3d97f4d58c54344c5994bcf48e24ac",
    ),
    "wd-v1-4-convnext-tagger": TaggerModel(
        "SmilingWolf/wd-v1-4-convnext-tagger",
        "4036ca51f1c082b0e7c4496890bbf9eadad5764a",
        "b7d7c9923e0056a2def0f4418df01a1274467b3da8480f146b851289257734de",
    ),
    "wd-v1-4-vit-tagger": TaggerModel(
        "SmilingWolf/wd-v1-4-vit-tagger",
        "213a7bd66d93407911b8217e806a95edc3593eed",
        "22e88a3226e427998fdf669bdbd035ee7040f3229796dd66ec35b8dd90e852b5",
    ),
    "wd-vit-tagger-v3": TaggerModel(
        "SmilingWolf/wd-vit-tagger-v3",
        "7f6b584d0bd3f55c4531f14ba3d4761b2bccdc0f",
        "35f23693620b668f4d53fd3c62bf65e40af739bc52c7eb0fbc49258b58d065b6",
        _V3_TAGS,
    ),
    "wd-swinv2-tagger-v3": TaggerModel(
        "SmilingWolf/wd-swinv2-tagger-v3",
        "627aef95638667ddcaa3ac8ae625e88ea5b02f51",
        "e6774bff34d43bd49f75a47db4ef217dce701c9847b546523eb85ff6dbba1db1",
        _V3_TAGS,
    ),
    "wd-convnext-tagger-v3": TaggerModel(
        "SmilingWolf/wd-convnext-tagger-v3",
        "d39e46de298d27340111b64965e20b8185c407e6",
        "1b8a7abf13d9b8368267df47501d523789c4aeae66b2296ad98483239dfa32eb",
        _V3_TAGS,
    ),
    "wd-vit-large-tagger-v3": TaggerModel(
        "SmilingWolf/wd-vit-large-tagger-v3",
        "ae469aa2e4706a3af08d3673cf73a11d1add314c",
        "e4c8001b000a6c98f2db10794f7c406daa79873d071d6ca924330fa053fa1845",
        _V3_TAGS,
    ),
    "wd-eva02-large-tagger-v3": TaggerModel(
        "SmilingWolf/wd-eva02-large-tagger-v3",
        "b25b82a03f7282e41aa2f257a52c7583b710bd1c",
        "9e768793060c7939b277ccb382783e8670e8a042d29d77aa736be0c8cc898bfc",
        _V3_TAGS,
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
        ValueError: an unknown name, or a file whose sha256 is wrong even after a second download.
        FileNotFoundError: a file is not there and cannot be fetched.
    """
    if name not in MODELS:
        raise ValueError(f"there is no tagger {name!r}: choose one of {', '.join(sorted(MODELS))}")
    model = MODELS[name]
    return (
        _fetch(model, model.model_file, model.model_sha256, cache, local_files_only),
        _fetch(model, model.tags_file, model.tags_sha256, cache, local_files_only),
    )


def _fetch(model: TaggerModel, file: str, sha256: str | None, cache: str | Path | None, local_only: bool) -> Path:
    path = _from_hub(model, file, cache, local_only, again=False)
    if sha256 is None or file_sha256(path) == sha256:
        return path
    log.warning("%s of %s is damaged", path, model.repository)
    if not local_only:
        path = _from_hub(model, file, cache, local_only, again=True)
        if file_sha256(path) == sha256:
            return path
    found = file_sha256(path)
    raise ValueError(
        f"{path} of the repository {model.repository} has the sha256 {found} instead of {sha256}: "
        "delete it and download it again"
    )


def _from_hub(model: TaggerModel, file: str, cache: str | Path | None, local_only: bool, again: bool) -> Path:
    import huggingface_hub  # imported where it is used: a model on disk needs no hub client
    from huggingface_hub import constants

    folder = Path(cache) if cache is not None else Path(constants.HF_HUB_CACHE)
    try:
        path = huggingface_hub.hf_hub_download(
            model.repository,
            file,
            revision=model.revision,
            cache_dir=folder,
            local_files_only=local_only,
            force_download=again,
        )
    except Exception as error:  # the hub's, the HTTP client's and the system's errors, depending on where it broke
        reason = next(iter(str(error).splitlines()), "").rstrip(".") or type(error).__name__
        offline = "local_files_only is set" if local_only else "the download failed"
        raise FileNotFoundError(
            f"{file} of the repository {model.repository} is not in {folder} and {offline} ({reason}): check the "
            "connection, HF_ENDPOINT and HF_HUB_OFFLINE, or fetch the file elsewhere and give the tagger its path"
        ) from error
    return Path(path)


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with readable(path), path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turns a refusal of the system to read a file into one sentence: it says nothing of what is in the file."""
    try:
        yield
    except PermissionError:
        raise PermissionError(
            f"{path} may not be read by this account: give it the permission to read that file and its folders"
        ) from None
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OSError(f"{path} cannot be read ({reason}): check the disk or drive that it is on") from None
