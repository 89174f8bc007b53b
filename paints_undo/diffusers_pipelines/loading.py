"""Where a pipeline's components come from: a model family, or what diffusers itself saved or finds on the hub."""

import os
from pathlib import Path
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.pipelines.pipeline_utils import SUPPORTED_DEVICE_MAP

from memory_management import pick_device, picture_vae_dtype
from paints_undo.errors import CheckpointError, InputError
from paints_undo.family.choice import find_networks
from paints_undo.family.model_family import ModelFamily
from paints_undo.family.released import REPOSITORIES, download_released, find_released
from paints_undo.family.weights import load_part, load_tokenizer

DEVICES = dict.fromkeys(device for device in SUPPORTED_DEVICE_MAP if device != "balanced")
DTYPES = (torch.float32, torch.float16, torch.bfloat16)
PUBLISHED = ("released", *(repository for repository, _ in REPOSITORIES.values()))

# What diffusers' from_pretrained takes, and why it can be nothing else than this for a model family.
FIXED: dict[str, tuple[tuple[Any, ...], str]] = {
    "low_cpu_mem_usage": ((True,), "its networks are never in memory twice"),
    "use_safetensors": ((None, True), "files that may hold programs are not opened"),
    "variant": ((None,), "it has one file for each network; dtype= says in which numbers to have it"),
    "revision": ((None,), "it has one revision"),
    "force_download": ((False,), "`python -m paints_undo download` looks at every file, and fetches what is not whole"),
    "token": ((None,), "nothing of it asks for one"),
    "proxies": ((None,), "HTTPS_PROXY says which one to use"),
}


def is_family(name: str) -> bool:
    """Whether this names a model family, and not a pipeline that diffusers saved, or one on the hub."""
    if os.path.isdir(name):
        return not os.path.isfile(os.path.join(name, DiffusionPipeline.config_name))
    return name in PUBLISHED or name.count("/") != 1 or os.path.isabs(name) or name.startswith(".")


def find(name: str, cache_dir: str | Path | None, local_files_only: bool | None) -> ModelFamily:
    """The family; the published one is downloaded where it is not there, unless local_files_only."""
    if name not in PUBLISHED:
        if cache_dir is not None:
            raise InputError(f"cache_dir has no meaning for {name}, which is on this disk; leave it out")
        return find_networks(name)
    cache = None if cache_dir is None else Path(cache_dir)
    try:
        return find_released(cache)
    except CheckpointError:
        if local_files_only:
            raise
    return download_released(cache=cache)


def check_fixed(name: str, options: dict[str, Any], components: list[str]) -> None:
    """Raises InputError for the first option that a family has no use for, or that nobody knows."""
    for option, value in options.items():
        if option not in FIXED:
            raise InputError(
                f"{option} is no component of the pipeline, nor an option for the model family {name}; its components "
                f"are {', '.join(components)}"
            )
        allowed, reason = FIXED[option]
        if value not in allowed:
            raise InputError(f"{option} is {value!r}, which has no meaning for the model family {name}: {reason}")


def dtypes_of(dtype: Any, checkpoint: str) -> dict[str, torch.dtype]:
    """The number format of each component, as diffusers' dtype= says it: one for all, or by name and "default"."""
    chosen = dict(dtype) if isinstance(dtype, dict) else {"default": dtype}
    for name, value in chosen.items():
        if (value or torch.float32) not in DTYPES:
            raise InputError(f"dtype is {value}; use one of {', '.join(str(known) for known in DTYPES)}")
        chosen[name] = value or torch.float32
    chosen.setdefault("default", torch.float32)
    if checkpoint == "single_frame":  # where the pipeline will compute is not known yet: as on the best device here
        chosen["vae"] = picture_vae_dtype(pick_device(), chosen.get("vae", chosen["default"]))
    return chosen


def load(family: ModelFamily, part: str, dtype: torch.dtype) -> Any:
    """A network or tokenizer of the family, such as "single_frame/unet"."""
    return load_tokenizer(family, part) if part.endswith("/tokenizer") else load_part(family, part, dtype)
