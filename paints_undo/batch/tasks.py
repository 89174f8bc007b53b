"""What a worker can be asked to do, and how it does it: a whole picture, one segment, one sample of a dataset.

A picture drawn in pieces keeps them in batch/pieces/KEY until its run folder is made of them; each is a file that
appears whole, so that any worker may draw any piece and what is there need not be drawn again. It ends with a digest of
its name and content: what is damaged, or the file of another piece, counts as not there.
"""

from __future__ import annotations

import hashlib
import io
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from paints_undo.batch.dataset import SAMPLES, SampleOptions, draw_sample, packed, tagger_of, unpacked
from paints_undo.batch.items import WorkItem
from paints_undo.batch.store import Store
from paints_undo.engine import Engine
from paints_undo.errors import CheckpointError, InputError
from paints_undo.options import pair_seeds, with_prompt
from paints_undo.pictures.files import read_file
from paints_undo.progress import OnProgress, ignore
from paints_undo.run.draw import draw, draw_keyframes, tagged
from paints_undo.run.folder import RunFolder
from paints_undo.run.run import MemoryRun
from paints_undo.run.timeline import Timeline
from wd14_tagger import Tagger

PICTURE, KEYFRAMES, SEGMENT, TIMELAPSE, SAMPLE = "picture", "keyframes", "segment", "timelapse", "sample"
PIECES = "batch/pieces"
_SEAL = 32  # bytes after the end of a piece's file, which programs that read npz pass over


@dataclass(frozen=True)
class Task:
    """One thing to do for one work item."""

    item: WorkItem
    what: str  # PICTURE, or KEYFRAMES, then each SEGMENT, then TIMELAPSE; or SAMPLE
    content: bytes = b""  # of the picture's file, where that is needed
    pair: int = 0  # of a SEGMENT, the one next to the artwork first


@dataclass(eq=False)
class Worker:
    """An engine, loaded when first needed, and the place where its results go."""

    load: Callable[[], Engine]
    store: Store
    save_frames: bool = False
    sample: SampleOptions | None = None

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
        work = {
            PICTURE: self._picture,
            KEYFRAMES: self._keyframes,
            SEGMENT: self._segment,
            TIMELAPSE: self._timelapse,
            SAMPLE: self._sample,
        }
        return work[task.what](task, on_progress)

    def _picture(self, task: Task, on_progress: OnProgress) -> dict[str, Any]:
        item, artwork = task.item, picture_of(task)
        with self.store.working_copy(item.folder) as folder:
            forget_unlike(folder, self.engine.settings_of(item.options))
            drawn = self.engine.undo(artwork, item.options, folder, on_progress, self.save_frames)
        return {"prompt": drawn.prompt}

    def _keyframes(self, task: Task, on_progress: OnProgress) -> dict[str, Any]:
        name = piece_name(task.item, KEYFRAMES)
        if self._kept(name) is None:
            artwork = picture_of(task)
            run = MemoryRun(tagged(self.engine, task.item.options, artwork), artwork)
            drawn = draw_keyframes(self.engine, run, on_progress, artwork)
            ends = run.ends(artwork, drawn, self.engine.family.video_sizes)
            self._keep(name, packed(prompt=np.array(run.options.keyframes.prompt), keyframes=drawn, ends=ends))
        return {}

    def _segment(self, task: Task, on_progress: OnProgress) -> dict[str, Any]:
        name = piece_name(task.item, SEGMENT, task.pair)
        if self._kept(name) is None:
            pictures = self._piece(task.item, KEYFRAMES)["ends"]
            filling = task.item.options.segments
            filled: dict[int, np.ndarray] = {}
            two, seed = pictures[task.pair : task.pair + 2], pair_seeds(filling.seed, [task.pair])[0]
            self.engine.fill_pairs(two, filling, on_progress, [0], [seed], filled.__setitem__)
            self._keep(name, packed(frames=filled[0]))
        return {}

    def _timelapse(self, task: Task, on_progress: OnProgress) -> dict[str, Any]:
        """The run folder that `undo` would have made, out of the pieces."""
        item, artwork, start = task.item, picture_of(task), self._piece(task.item, KEYFRAMES)
        options = with_prompt(item.options, str(start["prompt"]))
        timeline = Timeline.of(options.keyframes, options.segments)
        with self.store.working_copy(item.folder) as folder:
            settings = self.engine.settings_of(options)
            forget_unlike(folder, settings)
            run = RunFolder.create(folder, settings, timeline, artwork)
            for place, picture in enumerate(start["keyframes"]):
                run.keep_keyframe(place, picture)
            for place in range(len(timeline.keyframes) + 1):
                run.keep_segment(place, self._piece(item, SEGMENT, place)["frames"])
            draw(self.engine, run, on_progress, self.save_frames)
        self.store.remove(f"{PIECES}/{item.key}")
        return {"prompt": options.keyframes.prompt}

    def _sample(self, task: Task, on_progress: OnProgress) -> dict[str, Any]:
        assert self.sample is not None, "the work is samples only where their options are given"
        sample = draw_sample(self.engine, self.tagger, task.item, picture_of(task), self.sample, on_progress)
        self.store.write(f"{SAMPLES}/{task.item.key}.npz", packed(**vars(sample)))
        return {"prompt": str(sample.prompt)}

    def _piece(self, item: WorkItem, what: str, pair: int = 0) -> dict[str, np.ndarray]:
        content = self._kept(piece_name(item, what, pair))
        if content is None:
            raise FileNotFoundError(f"{piece_name(item, what, pair)} is gone or damaged; it will be drawn again")
        return unpacked(content)

    def _keep(self, name: str, content: bytes) -> None:
        self.store.write(name, content + _seal(name, content))

    def _kept(self, name: str) -> bytes | None:
        """The content of a piece's file; None where there is none, or another than was kept under this name."""
        content = self.store.read(name) or b""
        content, seal = content[:-_SEAL], content[-_SEAL:]
        return content if seal == _seal(name, content) else None


def tasks_after(task: Task) -> list[Task]:
    """What can be done for an item when its keyframes are there: a task for each of its segments."""
    if task.what != KEYFRAMES:
        return []
    return [Task(task.item, SEGMENT, pair=pair) for pair in range(len(task.item.options.keyframes.operation_steps) + 1)]


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


def _seal(name: str, content: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + content).digest()


def is_sound(folder: Path) -> bool:
    """Whether the run in a folder is finished and all of it is there as it was made; reads every piece."""
    try:
        return RunFolder.open(folder).is_complete
    except (InputError, OSError):
        return False


def piece_name(item: WorkItem, what: str, pair: int = 0) -> str:
    return f"{PIECES}/{item.key}/{what}-{pair:03d}.npz"
