"""A run folder that also keeps pictures for the page: every finished frame, a thumbnail, and the live preview, small.

shown/<keyframe name>.png         a keyframe without the margins that fit "pad" gives the networks, exact
previews/film/00000-0001.jpg      the frames of a film that is drawn in strokes, small: number, operations that are done
previews/<segment name>/00.jpg    the frames of a segment as the time-lapse shows them, first stroke first; those with
                                  the visible mark in <segment name>-marked
thumbnail.jpg                     the artwork, small
preview.jpg                       what is being drawn at this moment
"""

from __future__ import annotations

import collections
import itertools
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from paints_undo.atomic import explained, temporary_for, write_atomically
from paints_undo.pictures.pixels import at_most
from paints_undo.progress import PREVIEW_SIDE, Progress, Report
from paints_undo.run.folder import RunFolder
from paints_undo.timelapse import Timelapse

if TYPE_CHECKING:
    from paints_undo.strokes.film import Film

log = logging.getLogger(__name__)

SHOWN = "shown"
THUMBNAIL_SIDE = 320  # pixels
LEAST_INTERVAL_S = 0.25  # between live previews
GREATEST_SHARE = 0.01  # of the time that live previews may take


class PlayableRun(RunFolder):
    """A run folder whose pictures a page can show: without margins, and the frames without reading the exact ones."""

    def save_keyframe(self, name: str, picture: np.ndarray) -> Path:
        inner, target = self.shown_alone(picture), self.path / SHOWN / f"{name}.png"
        if inner.shape != picture.shape:
            self._keep(target, self._png(inner, self.keyframe_record(name)))
        return super().save_keyframe(name, picture)

    def shown_alone(self, picture: np.ndarray) -> np.ndarray:
        """A keyframe without margins, where it has the size of those that are drawn."""
        fit = self.fit
        return fit.uncover(picture) if picture.shape[1::-1] == fit.canvas else picture  # one's own may have another

    def shown_keyframe(self, name: str) -> Path:
        """The file that shows the keyframe of this name without margins."""
        inner, fit = self.path / SHOWN / f"{name}.png", self.fit
        return inner if fit.shown != fit.canvas and inner.exists() else self.keyframe_path(name)

    def save_segment(self, name: str, frames: np.ndarray) -> Path:
        path = super().save_segment(name, frames)
        self.make_playable(name, frames)
        return path

    def make_playable(self, name: str, frames: np.ndarray | None = None) -> None:
        """Write the small pictures of a segment, if they are not there; from its file when no frames are given."""
        target = self.preview_folder(name)
        if target.is_dir() or (frames is None and (frames := self.segment_named(name)) is None):
            return
        temporary = temporary_for(target)
        with explained("write", target):
            target.parent.mkdir(exist_ok=True)  # not the run folder: one that is gone shall stay so
            temporary.mkdir()
            # the segment leads away from the artwork and ends with the picture that the one before begins with
            for number, frame in enumerate(self.fit.uncover(frames)[:-1][::-1]):
                (temporary / f"{number:02d}.jpg").write_bytes(jpeg(self._shown(frame)))
            os.replace(temporary, target)

    def keep_timelapse(self, timelapse: Timelapse, anew: bool, save_frames: bool, report: Report) -> None:
        super().keep_timelapse(timelapse, anew, save_frames, report)
        if self.options.in_strokes and not self._film_folder.is_dir():  # the video was there
            collections.deque(self._shown_one_by_one(timelapse.frames, timelapse.frames), 0)

    def _shown_one_by_one(self, frames: np.ndarray, drawn: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Of a film, each small, too: a page can begin to show them at once."""
        shown = super()._shown_one_by_one(frames, drawn)
        if not self.options.in_strokes:
            yield from shown
            return
        folder, moments = self._film_folder, cast("Film", frames).moments
        with explained("write", folder):
            shutil.rmtree(folder.parent, ignore_errors=True)
            folder.mkdir(parents=True)
        for frame, moment, number in zip(shown, moments, itertools.count()):
            with explained("write", folder):
                (folder / f"{number:05d}-{int(moment):04d}.jpg").write_bytes(jpeg(at_most(frame, PREVIEW_SIDE)))
            yield frame

    @property
    def _film_folder(self) -> Path:
        return self.path / "previews" / ("film-marked" if self._has_mark else "film")

    def preview_folder(self, name: str) -> Path:
        """Where the small pictures of a segment belong."""
        folder = f"{name}-marked" if self._has_mark else name
        return self.segment_path(name).parent.parent / "previews" / folder

    @property
    def previews(self) -> list[str]:
        """The paths of the small pictures of all segments that are drawn, first stroke first."""
        if self.options.in_strokes:
            return self._files_in(self._film_folder)
        return [path for name in reversed(self.segment_names) for path in self.previews_of(name)]

    def previews_of(self, name: str) -> list[str]:
        """The paths of a segment's small pictures, first stroke first; none while it is not drawn."""
        return self._files_in(self.preview_folder(name))

    @staticmethod
    def _files_in(folder: Path) -> list[str]:
        try:
            return sorted(entry.path for entry in os.scandir(folder))
        except OSError:
            return []

    @property
    def thumbnail(self) -> Path:
        """Where the small artwork belongs."""
        return self.path / "thumbnail.jpg"

    def make_thumbnail(self, artwork: np.ndarray) -> None:
        """Write the small artwork; artwork is uint8 (H, W, 3)."""
        write_atomically(self.thumbnail, jpeg(at_most(artwork, THUMBNAIL_SIDE)))


class LivePreview:
    """What is being drawn, written to a file a few times a second, and seldom enough to cost next to nothing."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.perf_counter) -> None:
        self.path = path
        self._clock = clock
        self._next_s = 0.0

    def show(self, progress: Progress) -> bool:
        """Write the picture that the progress brings, if it is time for one; whether it was."""
        began = self._clock()
        if progress.preview is None or began < self._next_s:
            return False
        temporary = temporary_for(self.path)
        try:
            temporary.write_bytes(jpeg(progress.preview()))
            os.replace(temporary, self.path)
        except OSError as error:
            log.warning("the live preview cannot be written (%s)", error)
        self._next_s = began + max(LEAST_INTERVAL_S, (self._clock() - began) / GREATEST_SHARE)
        return True

    def clear(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def jpeg(picture: np.ndarray) -> bytes:
    """The bytes of a JPEG file of a picture uint8 (H, W, 3), RGB, with its colours at full resolution."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)[1].tobytes()
