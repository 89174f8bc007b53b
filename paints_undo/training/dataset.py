"""Drawing processes by the thousand: built once by several workers, kept as compressed shards, loaded as one tensor."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from paints_undo.atomic import written_atomically
from paints_undo.errors import InputError
from paints_undo.training.process import (
    MAP_COUNT,
    Habits,
    apply_habits,
    compose_with_moments,
    draw_habits,
    moments_of,
)
from paints_undo.training.scenes import draw_scene
from paints_undo.training.sources import fetch
from paints_undo.training.vector_art import process_from_svg

log = logging.getLogger(__name__)

DATA_FOLDER = Path.home() / ".cache" / "paints_undo" / "data"
SHARD_SIZE = 100
Set = TypeVar("Set", bound="Pictures")


@dataclass(frozen=True)
class Pictures(ABC):
    """What every training loop reads: rendered processes and own time-lapses alike.

    `names` and `tags` have one entry a picture. Indices and operation steps are tensors of the CPU; pictures come on
    `device`, float32 in -1..1.
    """

    names: list[str]
    tags: list[tuple[str, ...]]
    device: torch.device = field(default=torch.device("cpu"), kw_only=True)

    def __len__(self) -> int:
        return len(self.names)

    def on(self: Set, device: torch.device) -> Set:
        """The same pictures, which come on this device."""
        return replace(self, device=device)

    @abstractmethod
    def canvases(self, indices: Tensor, steps: Tensor) -> Tensor:
        """The pictures (n, 3, H, W) each at its operation step (0 to 999)."""

    def finished(self, indices: Tensor) -> Tensor:
        """The finished pictures (n, 3, H, W)."""
        return self.canvases(indices, torch.zeros(len(indices)))


@dataclass(frozen=True)
class PictureSet(Pictures):
    """Pictures with all maps, uint8 (n, 12, H, W).

    The maps stay in the memory of the host; those of a batch go to the device, where its canvases are composed.
    moments: of flip checks and hidden lines, as `moments_of` gives them.
    """

    maps: Tensor
    moments: Tensor

    def finished(self, indices: Tensor) -> Tensor:
        """The finished pictures (n, 3, H, W), without composing them."""
        return self.maps[indices, :3].to(self.device).float() / 127.5 - 1

    def canvases(self, indices: Tensor, steps: Tensor) -> Tensor:
        """The canvases of the processes (n, 3, H, W)."""
        return compose_with_moments(self.maps[indices].to(self.device), steps, self.moments[indices])


def draw_pictures(split: str, count: int, size: int, folder: Path | None = None) -> PictureSet:
    """The first `count` pictures of a split, `size` pixels square; what the cache `folder` lacks is drawn first.

    Safe to stop and start again. Raises InputError for impossible numbers, RuntimeError when the art packages cannot
    be fetched, OSError when the disk is full.
    """
    if count < 1:
        raise InputError(f"--pictures is {count}; use 1 or more")
    if not (32 <= size <= 1024 and size % 8 == 0):
        raise InputError(f"--size is {size}; use a multiple of 8 in 32 to 1024 pixels")
    target = (folder or DATA_FOLDER) / f"{split}-{size}"
    target.mkdir(parents=True, exist_ok=True)
    # a shard is named after its first picture and the one after its last
    bounds = [(first, min(first + SHARD_SIZE, count)) for first in range(0, count, SHARD_SIZE)]
    shards = {bound: target / f"{bound[0]:06d}-{bound[1]:06d}.npz" for bound in bounds}
    missing = {bound: path for bound, path in shards.items() if not path.exists()}
    if missing:
        fetch()
        with ProcessPoolExecutor() as pool:
            jobs = [pool.submit(_build_shard, split, size, *bound, path) for bound, path in missing.items()]
            for number, job in enumerate(jobs, start=1):
                log.info("%s: %d of %d shards, %d pictures in this one", target.name, number, len(jobs), job.result())
    maps, names, tags = [], [], []
    for path in shards.values():
        with np.load(path) as shard:
            maps.append(shard["maps"])
            described = json.loads(bytes(shard["descriptions"]).decode())
        names += [entry["name"] for entry in described]
        tags += [tuple(entry["tags"]) for entry in described]
    moments = moments_of([_habits(split, name) for name in names])
    return PictureSet(names, tags, torch.from_numpy(np.concatenate(maps)), moments)


def _habits(split: str, name: str) -> Habits:
    return draw_habits(name) if split == "train" else Habits()


def _build_shard(split: str, size: int, first: int, end: int, path: Path) -> int:
    """Draw one shard and return how many pictures it holds; a picture that shows no shape is left out."""
    torch.set_num_threads(1)  # one worker a core; more threads would only get into each other's way
    maps, described = [], []
    for number in range(first, end):
        try:
            picture, light = draw_scene(number, split)
            process = process_from_svg(picture.svg, size, light)
        except ValueError as error:
            log.warning("picture %d of %s is left out: %s", number, split, error)
            continue
        maps.append(apply_habits(process, _habits(split, picture.name)).to_maps())
        described.append({"name": picture.name, "tags": picture.tags})
    stacked = np.array(maps, np.uint8).reshape(-1, MAP_COUNT, size, size)
    descriptions = np.frombuffer(json.dumps(described).encode(), np.uint8)
    # a stop in the middle leaves no broken shard
    with written_atomically(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, maps=stacked, descriptions=descriptions)
    return len(maps)
