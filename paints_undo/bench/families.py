"""Model families without training: every tensor random, or every byte zero and no disk used."""

from __future__ import annotations

import json
import logging
import math
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from paints_undo.atomic import temporary_for
from paints_undo.bench.sizes import SIZES, FamilySizes
from paints_undo.errors import InputError
from paints_undo.family.model_family import CONFIG_FILE, PARTS, TOKENIZERS, ModelFamily, open_family
from paints_undo.family.weights import BUILD
from paints_undo.options import FAMILY_FILE
from paints_undo.training.tokenizer import known_words, write_tokenizer

log = logging.getLogger(__name__)

CACHE = Path.home() / ".cache" / "paints_undo" / "bench"
SEED = 0
BYTES_PER_WEIGHT = 2

WriteTensor = Callable[[BinaryIO, str, tuple[int, ...], np.random.Generator], None]


def random_family(size: str, cache: Path = CACHE) -> ModelFamily:
    """The random family "small" or "full" in half precision, written to `cache` the first time (full: 6.8 GiB).

    Raises OSError, one sentence, where the disk has too little room.
    """
    if size not in SIZES:
        raise InputError(f"size is {size!r}; use one of {', '.join(SIZES)}")
    folder = cache / size
    if not (folder / FAMILY_FILE).exists():
        write_family(folder, SIZES[size], random_tensor)
    return open_family(folder)


def sizes_of(family: ModelFamily) -> FamilySizes:
    """The sizes of any family, for a copy of it without weights."""
    width, height = family.keyframe_size
    described = {
        "name": family.name,
        "keyframe_size": {"width": width, "height": height},
        "video_sizes": [list(size) for size in family.video_sizes],
        "segment_hint": family.segment_hint,
        "keyframe_prediction": family.keyframe_prediction,
    }
    return FamilySizes({part: family.config(part) for part in PARTS}, described)


def write_family(folder: Path, sizes: FamilySizes, write_tensor: WriteTensor, data_type: str = "F16") -> ModelFamily:
    """Write a family aside and rename it to `folder` when it is whole.

    data_type: safetensors' name of a format of two bytes, "F16" or "BF16".
    """
    aside = temporary_for(folder)
    aside.mkdir(parents=True)
    try:
        for part, config in sizes.configs.items():
            place = aside / part
            place.mkdir(parents=True)
            (place / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
            write_weights(place / PARTS[part].weights, shapes_of(part, config), write_tensor, data_type)
        for tokenizer in TOKENIZERS:
            write_tokenizer(aside / tokenizer, known_words([]))
        (aside / FAMILY_FILE).write_text(json.dumps(sizes.described, indent=2) + "\n", encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return open_family(folder)


def shapes_of(part: str, config: dict) -> dict[str, tuple[int, ...]]:
    """Key in the part's file -> shape, from a network built without memory."""
    with torch.device("meta"):
        network = BUILD[part](config)
    return {PARTS[part].prefix + key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}


def write_weights(file: Path, shapes: dict[str, tuple[int, ...]], write_tensor: WriteTensor, data_type: str) -> None:
    """A safetensors file, tensor by tensor, so that no more than one of them is ever in memory."""
    if write_tensor is random_tensor:
        room = BYTES_PER_WEIGHT * sum(math.prod(shape) for shape in shapes.values())
        log.info("writing %s, %.2f GiB", file, room / 2**30)
        if shutil.disk_usage(file.parent).free < room:
            raise OSError(f"{file.parent} has less than {room / 2**30:.1f} GiB free; free some space or choose --cache")
    header, position = {}, 0
    for key, shape in shapes.items():
        end = position + BYTES_PER_WEIGHT * math.prod(shape)
        header[key] = {"dtype": data_type, "shape": list(shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # so that the tensors, mapped from disk, are aligned
    generator = np.random.Generator(np.random.PCG64([SEED, len(shapes), position]))
    with open(file, "wb") as stream:
        stream.write(struct.pack("<Q", len(text)) + text)
        for key, shape in shapes.items():
            write_tensor(stream, key, shape, generator)


def random_tensor(stream: BinaryIO, key: str, shape: tuple[int, ...], generator: np.random.Generator) -> None:
    """Normal values over the root of the inputs of each output, so that activations keep their scale; norms near 1."""
    values = generator.standard_normal(shape, dtype=np.float32)
    if len(shape) >= 2:
        values *= math.prod(shape[1:]) ** -0.5
    else:
        values *= 0.1
        if key.endswith("weight"):
            values += 1
    stream.write(values.astype("<f2").tobytes())


def no_tensor(stream: BinaryIO, key: str, shape: tuple[int, ...], generator: np.random.Generator) -> None:
    """Zeros that take no room on the disk: a hole in the file."""
    stream.truncate(stream.seek(BYTES_PER_WEIGHT * math.prod(shape), 1))
