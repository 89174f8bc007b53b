"""Drawing processes by the thousand: built once by several workers, kept as compressed shards, loaded as one tensor."""

from __future__ import annotations

import json
import logging
import os
from abc import ABC, abstractmethod
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from paints_undo.atomic import written_atomically
from paints_undo.training.process import (
    HABIT_SHARE,
    LAST_STEP,
    MAP_COUNT,
    Habits,
    apply_habits,
    compose_batch,
    compose_with_moments,
    draw_habits,
    moments_of,
)
from paints_undo.training.scenes import SPLITS, draw_scene
from paints_undo.training.settings import Checked, share, within
from paints_undo.training.sources import ART_FOLDER, fetch

log = logging.getLogger(__name__)

DATA_FOLDER = Path.home() / ".cache" / "paints_undo" / "data"
SHARD_SIZE = 100


@dataclass(frozen=True)
class DatasetOptions(Checked):
    """What to build: `count` pictures of one `split`, `size` pixels square, numbered from 0.

    `habit_share` of the training pictures show each of the four habits (:mod:`paints_undo.training.process`).
    """

    split: str = "train"
    count: int = within(5000, 1, 1_000_000)
    size: int = 128
    habit_share: float = share(HABIT_SHARE)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {self.split!r}")
        if not (32 <= self.size <= 1024 and self.size % 8 == 0):
            raise ValueError(f"size must be a multiple of 8 in 32 to 1024 pixels, got {self.size}")

    @property
    def folder_name(self) -> str:
        return f"{self.split}-{self.size}"


class Pictures(ABC):
    """What every training loop reads: rendered processes and own time-lapses alike.

    `names` and `tags` have one entry a picture. Indices and operation steps are tensors of the CPU; pictures come on
    `device`, float32 in -1..1.
    """

    names: list[str]
    tags: list[tuple[str, ...]]
    device: torch.device

    def __len__(self) -> int:
        return len(self.names)

    @abstractmethod
    def on(self, device: torch.device) -> Pictures:
        """The same pictures, which come on this device."""

    @abstractmethod
    def canvases(self, indices: Tensor, steps: Tensor) -> Tensor:
        """The pictures (n, 3, H, W) each at its operation step (0 to 999)."""

    def finished(self, indices: Tensor) -> Tensor:
        """The finished pictures (n, 3, H, W)."""
        return self.canvases(indices, torch.zeros(len(indices)))

    def clips(self, indices: Tensor, begin: Tensor, end: Tensor, frames: int = 16) -> Tensor:
        """Evenly spaced canvases from step `begin` to step `end`, (n, 3, frames, H, W)."""
        steps = begin[:, None] + (end - begin)[:, None] * torch.linspace(0, 1, frames)
        flat = self.canvases(indices.repeat_interleave(frames), steps.flatten().clamp(0, LAST_STEP))
        return flat.unflatten(0, (len(indices), frames)).transpose(1, 2)


@dataclass(frozen=True)
class PictureSet(Pictures):
    """Pictures with all maps, uint8 (n, 12, H, W).

    The maps stay in the memory of the host; those of a batch go to the device, where its canvases are composed.
    moments: of flip checks and hidden lines, as :func:`habits.moments_of` gives them; none by default.
    """

    maps: Tensor
    names: list[str]
    tags: list[tuple[str, ...]]
    device: torch.device = torch.device("cpu")
    moments: Tensor | None = None

    def on(self, device: torch.device) -> PictureSet:
        return replace(self, device=device)

    def finished(self, indices: Tensor) -> Tensor:
        """The finished pictures (n, 3, H, W), without composing them."""
        return self.maps[indices, :3].to(self.device).float() / 127.5 - 1

    def canvases(self, indices: Tensor, steps: Tensor) -> Tensor:
        """The canvases of the processes (n, 3, H, W)."""
        maps = self.maps[indices].to(self.device)
        if self.moments is None:
            return compose_batch(maps, steps)
        return compose_with_moments(maps, steps, self.moments[indices])


def build(
    options: DatasetOptions, folder: Path = DATA_FOLDER, workers: int | None = None, art: Path = ART_FOLDER
) -> Path:
    """Draw whatever shards are missing and return the data set's folder; safe to stop and start again.

    Raises RuntimeError when the art packages cannot be fetched, OSError when the disk is full.
    """
    fetch(art)
    target = Path(folder) / options.folder_name
    target.mkdir(parents=True, exist_ok=True)
    missing = [path for path in shards_of(options, target) if not path.exists()]
    with ProcessPoolExecutor(workers or os.cpu_count()) as pool:
        jobs = [pool.submit(_build_shard, options, path, art) for path in missing]
        for number, job in enumerate(jobs, start=1):
            log.info("%s: %d of %d shards, %d pictures in this one", target.name, number, len(jobs), job.result())
    return target


def load(options: DatasetOptions, folder: Path = DATA_FOLDER) -> PictureSet:
    """The data set that :func:`build` wrote. Raises FileNotFoundError naming the first missing shard."""
    maps, names, tags = [], [], []
    for path in shards_of(options, Path(folder) / options.folder_name):
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing; build the data set first: python -m paints_undo train data")
        with np.load(path) as shard:
            maps.append(shard["maps"])
            described = json.loads(bytes(shard["descriptions"]).decode())
        names += [entry["name"] for entry in described]
        tags += [tuple(entry["tags"]) for entry in described]
    habits = [draw_habits(name, options.habit_share) if options.split == "train" else Habits() for name in names]
    return PictureSet(torch.from_numpy(np.concatenate(maps)), names, tags, moments=moments_of(habits))


def shards_of(options: DatasetOptions, folder: Path) -> list[Path]:
    """The files of a data set, each named after its first picture and the one after its last."""
    firsts = range(0, options.count, SHARD_SIZE)
    return [folder / f"{first:06d}-{min(first + SHARD_SIZE, options.count):06d}.npz" for first in firsts]


def _build_shard(options: DatasetOptions, path: Path, art: Path) -> int:
    """Draw one shard and return how many pictures it holds; a picture that shows no shape is left out."""
    torch.set_num_threads(1)  # one worker a core; more threads would only get into each other's way
    maps, described = [], []
    for number in range(*map(int, path.stem.split("-"))):
        try:
            scene = draw_scene(number, options.split, art)
            process = scene.process(options.size)
        except ValueError as error:
            log.warning("picture %d of %s is left out: %s", number, options.split, error)
            continue
        if options.split == "train":
            process = apply_habits(process, draw_habits(scene.picture.name, options.habit_share))
        maps.append(process.to_maps())
        described.append({"name": scene.picture.name, "tags": scene.picture.tags})
    stacked = np.array(maps, np.uint8).reshape(-1, MAP_COUNT, options.size, options.size)
    descriptions = np.frombuffer(json.dumps(described).encode(), np.uint8)
    # a stop in the middle leaves no broken shard
    with written_atomically(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, maps=stacked, descriptions=descriptions)
    return len(maps)
