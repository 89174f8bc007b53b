"""Pictures, a quick model family and settings for the tests of many artworks."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from fake_engine import FakeEngine, FakeFamily
from PIL import Image

from paints_undo.batch.items import WorkItem, digest_of, item_of
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions

QUICK = ["--prompt", "x", "--sampling-steps", "1", "--video-sampling-steps", "1", "--operation-steps", "500"]


def write_pictures(folder: Path, count: int) -> list[Path]:
    """Pictures that are all different."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"picture {number:03d}.png" for number in range(count)]
    for number, file in enumerate(files):
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (40, 40, 3), np.uint8)).save(file)
    return files


def quick_family(family: Path, folder: Path) -> Path:
    """A model family with small pictures, and so three times as quick."""
    shutil.copytree(family, folder)
    settings = json.loads((folder / "model_family.json").read_text())
    settings |= {"name": "quick", "keyframe_size": {"width": 32, "height": 32}, "video_sizes": [[32, 32]]}
    (folder / "model_family.json").write_text(json.dumps(settings))
    return folder


class QuickEngine(FakeEngine):
    """The engine without networks, for small pictures."""

    def __init__(self, **family: Any) -> None:
        super().__init__(family=FakeFamily(multiple=16, revision="1", **family))


def options(**values) -> UndoOptions:
    """Settings that take no time."""
    drawing = {"prompt": "x", "width": 32, "height": 48, "operation_steps": (400, 800), "sampling_steps": 1, **values}
    return UndoOptions(KeyframeOptions(**drawing), SegmentOptions(sampling_steps=1), tag=False)


def items(folder: Path, count: int, **values) -> list[WorkItem]:
    """Work items of as many pictures in a folder."""
    return [item_of(file, digest_of(file), options(**values), {}) for file in write_pictures(folder, count)]


def scan(folder: Path) -> dict[str, bytes]:
    """All files below a folder and what is in them."""
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}
