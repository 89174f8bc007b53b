"""A person's own time-lapse videos and image sequences as training data: frames -> operation steps."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from paints_undo.errors import InputError
from paints_undo.headers import SUFFIXES
from paints_undo.pictures.fit import crop_to
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.video import stream_video, video_frames
from paints_undo.training.dataset import Pictures
from paints_undo.training.process import LAST_STEP

log = logging.getLogger(__name__)

VIDEO_ENDINGS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".gif"}
PICTURE_ENDINGS = SUFFIXES - {".gif"} | {".avif", ".bmp", ".tif", ".tiff"}  # the last four are refused by name
FEWEST_FRAMES = 8  # fewer show no process
MOST_FRAMES = 400  # of one time-lapse; longer ones are thinned evenly


@dataclass(frozen=True)
class TimelapseSet(Pictures):
    """Time-lapses as training data.

    `frames` holds one uint8 tensor (frames, 3, H, W) a time-lapse, first stroke first.
    """

    frames: list[torch.Tensor]

    def canvases(self, indices: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        """The frames nearest to the operation steps (0 last frame, 999 first), float32 (n, 3, H, W) in -1..1."""
        chosen = [self._frame(int(index), float(step)) for index, step in zip(indices, steps, strict=True)]
        return torch.stack(chosen).to(self.device).float() / 127.5 - 1

    def _frame(self, index: int, step: float) -> torch.Tensor:
        frames = self.frames[index]
        return frames[round((1 - step / LAST_STEP) * (len(frames) - 1))]


def load_timelapses(folder: Path, size: int = 128) -> TimelapseSet:
    """Every usable time-lapse in a folder, cropped to `size` pixels square.

    A video file is one time-lapse; so is every folder of pictures, in the order of their names. The last frame must
    be the finished picture. `NAME.txt` beside a video or folder holds its tags, separated by commas, if you have them.
    What cannot be used is named in the log. Raises InputError when nothing at all can.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; give a folder with time-lapse videos or folders of pictures")
    found = TimelapseSet([], [], frames=[])
    problems = []
    for path in sorted([folder, *folder.iterdir()]):
        try:
            frames = _read(path, size)
        except (InputError, OSError) as error:
            problems.append(str(error))
            log.warning("left out: %s", error)
            continue
        if frames is not None:
            found.frames.append(torch.from_numpy(frames).permute(0, 3, 1, 2).contiguous())
            found.names.append(path.stem)
            found.tags.append(_tags(path.with_suffix(".txt")))
    if not len(found):
        reason = problems[0] if problems else "it holds no videos and no folders of pictures"
        raise InputError(f"there is no usable time-lapse in {folder}: {reason}")
    return found


def _read(path: Path, size: int) -> np.ndarray | None:
    """Frames uint8 (n, size, size, 3) of one video or folder of pictures; None if the path is neither."""
    if path.is_dir():
        pictures = sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURE_ENDINGS)
        if not pictures:
            return None
        chosen = [pictures[number] for number in _evenly(len(pictures), path)]
        return np.stack([crop_to(read_picture(file), size, size) for file in chosen])
    if path.suffix.lower() in VIDEO_ENDINGS:
        return np.stack(list(_read_video(path, size)))
    return None


def _read_video(path: Path, size: int) -> Iterator[np.ndarray]:
    """Evenly chosen frames, decoded small and one by one, because a whole time-lapse would not fit into memory."""
    try:
        total, _ = video_frames(path)
    except OSError as error:
        raise InputError(str(error)) from error
    wanted = set(_evenly(total, path))
    scale = f"scale={size}:{size}:force_original_aspect_ratio=increase:flags=area,crop={size}:{size}"
    yield from (frame for number, frame in enumerate(stream_video(path, scale)) if number in wanted)


def _evenly(total: int, path: Path) -> list[int]:
    """At most MOST_FRAMES frame numbers spread over `total`, both ends included."""
    if total < FEWEST_FRAMES:
        raise InputError(f"{path} has {total} frames; a time-lapse needs at least {FEWEST_FRAMES} to show a process")
    return sorted({round(number) for number in np.linspace(0, total - 1, min(total, MOST_FRAMES))})


def _tags(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    return tuple(tag.strip() for tag in path.read_text(encoding="utf-8").split(",") if tag.strip())
