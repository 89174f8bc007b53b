"""What a worker can be asked to do, and how it does it: a whole picture, or one sample of a dataset."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from paints_undo.batch.dataset import SAMPLES, SampleOptions, draw_sample, packed, tagger_of
from paints_undo.batch.items import WorkItem
from paints_undo.batch.store import Store
from paints_undo.engine import Engine
from paints_undo.errors import CheckpointError, InputError
from paints_undo.pictures.files import read_file
from paints_undo.progress import OnProgress, ignore
from paints_undo.run.folder import RunFolder
from wd14_tagger import Tagger


@dataclass(frozen=True)
class Task:
    """A work item, and the content of its picture's file."""

    item: WorkItem
    content: bytes


@dataclass(eq=False)
class Worker:
    """An engine, loaded when first needed, and the place where its results go."""

    load: Callable[[], Engine]
    store: Store
    save_frames: bool = False
    sample: SampleOptions | None = None  # where the work is samples, not pictures

    @cached_property
    def engine(self) -> Engine:
        """The one engine of this worker."""
        try:
            return self.load()
        except InputError as error:  # of the engine's settings: no picture is at fault
            raise CheckpointError(str(error)) from None

    @cached_property
    def tagger(self) -> Tagger:
        """The one tagger of this worker."""
        return tagger_of(self.engine)

    def do(self, task: Task, on_progress: OnProgress = ignore) -> dict[str, Any]:
        """Do it; facts for the ledger.  Raises whatever the engine raises."""
        item, artwork = task.item, picture_of(task)
        if self.sample is not None:
            sample = draw_sample(self.engine, self.tagger, item, artwork, self.sample, on_progress)
            self.store.write(f"{SAMPLES}/{item.key}.npz", packed(**vars(sample)))
            return {"prompt": str(sample.prompt)}
        with self.store.working_copy(item.folder) as folder:
            forget_unlike(folder, self.engine.settings_of(item.options))
            drawn = self.engine.undo(artwork, item.options, folder, on_progress, self.save_frames)
        return {"prompt": drawn.prompt}


def picture_of(task: Task) -> np.ndarray:
    """The artwork of a task, uint8 (H, W, 3); InputError names its file."""
    return read_file(io.BytesIO(task.content), Path(task.item.artwork).name)


def forget_unlike(folder: Path, settings: dict[str, Any]) -> None:
    """Remove what an interrupted call began on another kind of device: its rest would not fit.

    Raises InputError where the folder's run was written by another version.
    """
    if not (folder / "run.json").exists():
        return
    kept = RunFolder.open(folder).settings
    if any(kept.get(name) != value for name, value in settings.items() if name != "options"):
        shutil.rmtree(folder)


def is_sound(folder: Path) -> bool:
    """Whether the run in a folder is finished and all of it is there as it was made; reads every piece."""
    try:
        return RunFolder.open(folder).is_complete
    except (InputError, OSError):
        return False
