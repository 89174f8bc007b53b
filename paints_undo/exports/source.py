"""What every export starts from: the pictures of one finished run, small as they were drawn, and the artwork."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from PIL import Image

from paints_undo import validation
from paints_undo.atomic import explained
from paints_undo.exports.artwork_size import TRANSITION, ArtworkSizedFrames
from paints_undo.exports.pacing import Pacing, changes, schedule
from paints_undo.exports.stroke_frames import StrokeFrames
from paints_undo.pictures.fit import Fit, Placement, Size
from paints_undo.provenance.embedding import embed
from paints_undo.provenance.marks import marked
from paints_undo.provenance.records import MIXED, Record, xmp_packet
from paints_undo.run.folder import RunFolder

if TYPE_CHECKING:
    from paints_undo.strokes.film import Film
    from paints_undo.strokes.process import Process

MEASURED_SIDE = 320  # pixels of the longer side: film frames of strokes are measured no larger


@dataclass(frozen=True)
class Source:
    """Pictures are uint8 RGB, from the first stroke to the finished picture."""

    name: str  # of the run folder, or what the person calls the picture
    artwork: np.ndarray  # (H, W, 3), whole
    keyframes: np.ndarray  # (k, h, w, 3), as the networks drew them, by fit "pad" with margins; of strokes none
    steps: tuple[int, ...]  # the keyframes' operation steps, descending
    frames: np.ndarray  # (n, h, w, 3), likewise; a Film where it is drawn in strokes
    fit: Fit
    fps: int
    record: Record
    mark: bool = False  # whether frames say in a corner that AI made them
    process: Process | None = None  # where the artwork is drawn in strokes
    tick: Callable[[], object] = lambda: None  # called before each frame; what it raises ends the export

    @classmethod
    def of_run(cls, folder: str | Path, title: str = "") -> Source:
        """The pictures of a run. Raises InputError where one of them is not there yet."""
        run = RunFolder.open(folder)
        options, frames = run.options, run.frames()
        process = run.process() if options.in_strokes else None
        artwork = run.artwork if process is None else process.artwork  # very small ones are drawn larger
        return cls(
            validation.legible(title or run.path.resolve().name),
            artwork,
            run.drawn()[::-1] if process is None else np.zeros((0, *frames.shape[1:]), np.uint8),
            tuple(keyframe.step for keyframe in reversed(run.timeline.keyframes)),
            frames,
            Fit.of(options, artwork.shape),
            options.fps,
            run.record("export", MIXED),
            options.mark,
            process,
        )

    def described(self, piece: str) -> Record:
        """What a file of this run says about itself; piece: what kind of file it is."""
        return dataclasses.replace(self.record, piece=piece)

    def svg_metadata(self, piece: str) -> str:
        """The same as XML that may stand inside of an SVG file: a packet of XMP without its wrapper."""
        return xmp_packet(self.described(piece)).decode("utf-8").partition("?>")[2].rpartition("<?")[0]

    def write(self, path: Path, picture: bytes, piece: str) -> None:
        """Write a PNG, GIF or WebP file of this run, with what it says about itself in it."""
        with explained("write", path):
            path.write_bytes(embed(picture, self.described(piece)))

    @contextmanager
    def archive(self, path: Path, piece: str) -> Iterator[zipfile.ZipFile]:
        """A ZIP file of this run to put files into; what it says about itself comes last."""
        record = self.described(piece)
        with explained("write", path), zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            yield archive
            archive.writestr("record.json", record.to_json())
            archive.writestr("record.xmp", xmp_packet(record))

    @property
    def size(self) -> Size:
        """Width and height of the artwork."""
        return self.artwork.shape[1], self.artwork.shape[0]

    @cached_property
    def change(self) -> np.ndarray:
        """How much each frame changes, (n,), as pacing.changes gives it; of strokes, whether any is drawn in it."""
        if self.process is not None:  # each frame is as much work as any other: to look at them would tell no more
            return np.diff(self._moments, prepend=self._moments[0]) > 0
        return changes(self.frames)

    @property
    def _moments(self) -> np.ndarray:
        """How many operations are done in each frame."""
        return cast("Film", self.frames).moments

    def process_in(self, size: Size) -> Process:
        """The process at a size, where the artwork is drawn in strokes."""
        assert self.process is not None, "chosen_formats lets nothing through that needs strokes where networks drew"
        return self.process if size == self.size else self.process.at(size[1], size[0])

    def measured(self) -> tuple[np.ndarray, np.ndarray]:
        """The frames, uint8 (n, h, w, 3), and the finished picture as they show it, small enough to be measured."""
        if self.process is None:
            return self.frames, self.finished_small
        small = self.process_in(self.sized(MEASURED_SIDE))
        return np.stack(list(small.canvases(self._moments, upright=True))), small.artwork

    def sized(self, longest_side: int | None) -> Size:
        """The artwork's size, its longer side at most this many pixels."""
        scale = min(1.0, (longest_side or max(self.size)) / max(self.size))
        width, height = self.size
        return max(1, round(width * scale)), max(1, round(height * scale))

    @property
    def placement(self) -> Placement:
        """Where the artwork lies in a frame."""
        return self.fit.placement(self._frame_size)

    @property
    def finished_small(self) -> np.ndarray:
        """The artwork as the last frame should show it, uint8 (h, w, 3)."""
        return self.fit.lay(self.artwork, self._frame_size)

    def picture(self, size: Size) -> np.ndarray:
        """The artwork in this size, uint8 (h, w, 3)."""
        if self.process is not None:
            return self.process_in(size).artwork
        return self.artwork if size == self.size else cv2.resize(self.artwork, size, interpolation=cv2.INTER_AREA)

    def finished_frames(self, size: Size) -> ArtworkSizedFrames | StrokeFrames:
        """The timelapse in this size."""
        if self.process is not None:
            return StrokeFrames(self.process_in(size), self._moments)
        return self._finished(self.frames, self.finished_small, self.placement, size)

    def finished_keyframes(self, size: Size) -> Iterator[np.ndarray]:
        """Yield the keyframes that networks drew in this size, and the artwork at the end."""
        whole, placement = self.fit.keyframe(self.artwork), self.fit.placement(self.fit.canvas)
        # the last keyframe is far from finished: what is done is told from the artwork after it
        pictures = np.concatenate([self.keyframes, whole[None]])
        finished = self._finished(pictures, whole, placement, size, transition=1.0)
        count = len(self.keyframes)
        return finished.chosen([*range(count), count + 1])

    def played(self, size: Size, pacing: Pacing) -> Iterator[tuple[np.ndarray, int]]:
        """Yield pairs (frame in this size, how many video frames it stands); the last one is the artwork itself."""
        shown = schedule(self.change, pacing, self.fps)
        frames = self.finished_frames(size).chosen([number for number, _ in shown])
        for frame, (_, stands) in zip(frames, shown, strict=True):
            self.tick()
            yield marked(frame) if self.mark else frame, stands

    @property
    def _frame_size(self) -> Size:
        return self.frames.shape[2], self.frames.shape[1]

    def _finished(
        self, frames: np.ndarray, seen: np.ndarray, placement: Placement, size: Size, transition: float = TRANSITION
    ) -> ArtworkSizedFrames:
        return ArtworkSizedFrames(frames, seen, self.picture(size), placement.of_resized(self.size, size), transition)


def packed(picture: np.ndarray | Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture file of a kind that Pillow knows; options: as it saves that."""
    written = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(written, kind, **options)
    return written.getvalue()
