"""What training writes of a model family: its parts, as `family.weights` reads them, and its own file."""

from __future__ import annotations

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer, PreTrainedModel

from paints_undo.atomic import write_atomically, written_atomically
from paints_undo.family.weights import CONFIG_FILE, PARTS, TOKENIZER_FILES
from paints_undo.options import FAMILY_FILE

READABLE = 0o644  # safetensors writes files that their owner alone can read


def write_stage(folder: Path, networks: nn.Module, vae: nn.Module, tokenizer: CLIPTokenizer) -> None:
    """Write a family's folder single_frame or multi_frame: config.json and weights of every network, and the tokenizer.

    The weights are float16. The tokenizer's files are copied from the folder that it was read from. Everyone may read
    what is written. Raises OSError, one sentence, when the disk does not take them.
    """
    for name, network in (*networks.named_children(), ("vae", vae)):
        part, target = PARTS[f"{folder.name}/{name}"], folder / name
        target.mkdir(parents=True, exist_ok=True)
        values = network.state_dict().items()
        weights = {part.prefix + key: value.to("cpu", torch.float16).contiguous() for key, value in values}
        with written_atomically(target / part.weights) as path:
            save_file(weights, path, {"format": "pt"})
            path.chmod(READABLE)
        write_json(target / CONFIG_FILE, config_of(network))
    (folder / "tokenizer").mkdir(exist_ok=True)
    for name in TOKENIZER_FILES:
        write_atomically(folder / "tokenizer" / name, (Path(tokenizer.name_or_path) / name).read_bytes())


def config_of(network: nn.Module) -> dict[str, Any]:
    """The sizes of a network of transformers, of diffusers or of ours, as its config.json has them."""
    config: Any = network.config
    if isinstance(network, CLIPTextModel):
        return {**config.to_diff_dict(), "architectures": ["CLIPTextModel"]}
    if isinstance(network, PreTrainedModel):
        return config.to_diff_dict()
    if is_dataclass(config):
        return asdict(config)  # type: ignore[arg-type]
    values = json.loads(network.to_json_string())  # diffusers
    values.pop("_name_or_path", None)  # a folder of this machine
    return values


def update_family_file(folder: Path, **values: Any) -> None:
    """Set these fields of the family's model_family.json and leave all others as they are."""
    file = folder / FAMILY_FILE
    described = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    write_json(file, {**described, **values})


def write_json(file: Path, values: dict[str, Any]) -> None:
    """Write a JSON file that people can read, whole or not at all."""
    write_atomically(file, (json.dumps(values, indent=2, default=str) + "\n").encode())
