"""One artwork, what was chosen for it, and everything that was made from it: whoever draws or shows it sees a Run.

Keyframes are counted by their place in the timeline, from the finished picture back; segments likewise, the one next to
the artwork first.  What a piece is kept under is the run's own business: another picture, seed or setting is another
name, so that a piece that no longer fits what was chosen is simply not there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from paints_undo.errors import InputError
from paints_undo.options import UndoOptions
from paints_undo.pictures.fit import Fit
from paints_undo.progress import Report
from paints_undo.run.timeline import Timeline, keyframe_names, segment_names
from paints_undo.timelapse import Timelapse, join_timelapse, with_white_canvas

if TYPE_CHECKING:
    from paints_undo.strokes.film import Film
    from paints_undo.strokes.process import Process


class Run:
    """A run, kept as long as the object lives; RunFolder keeps one on disk instead. Pictures are uint8 RGB."""

    def __init__(self, options: UndoOptions, artwork: np.ndarray) -> None:
        self._options, self._artwork = options, artwork
        self._timeline = Timeline.of(options.keyframes, options.segments)
        self._keyframes: dict[str, np.ndarray] = {}
        self._segments: dict[str, np.ndarray] = {}
        self._process: Process | None = None

    @property
    def path(self) -> Path | None:
        """Its folder, where it has one."""
        return None

    @property
    def options(self) -> UndoOptions:
        """What was chosen. Raises InputError where the run's record holds none."""
        return self._options

    @property
    def timeline(self) -> Timeline:
        """Its keyframes and everything's seeds. Raises InputError where the run's record holds none."""
        return self._timeline

    @property
    def artwork(self) -> np.ndarray:
        """The artwork, (H, W, 3). Raises InputError where it is gone or another picture."""
        return self._artwork

    @property
    def artwork_size(self) -> tuple[int, int]:
        """Height and width of the artwork."""
        return self._artwork.shape[0], self._artwork.shape[1]

    def keyframe_named(self, name: str) -> np.ndarray | None:
        """The keyframe kept under a name, (H, W, 3); None where it is not there or not the one that was made."""
        return self._keyframes.get(name)

    def save_keyframe(self, name: str, picture: np.ndarray) -> Path | None:
        """Keep a keyframe, (H, W, 3), exactly; its file, where it has one."""
        self._keyframes[name] = picture
        return None

    def segment_named(self, name: str) -> np.ndarray | None:
        """The segment kept under a name, (16, h, w, 3); None where it is not there or not the one that was made."""
        return self._segments.get(name)

    def save_segment(self, name: str, frames: np.ndarray) -> Path | None:
        """Keep a segment, (16, h, w, 3), exactly; its file, where it has one."""
        self._segments[name] = frames
        return None

    def process(self) -> Process | None:
        """The operations kept for this run; None where there are none, or not those that were made."""
        return self._process

    def keep_process(self, process: Process) -> None:
        """Keep the operations that draw the artwork."""
        self._process = process

    def own_sketch(self) -> np.ndarray | None:
        """The person's own picture that the process goes by, uint8 (h, w, 3); None without one."""
        timeline = self.timeline
        return self.keyframe(timeline.keyframes.index(timeline.sketched)) if timeline.sketched else None

    def keep_artwork(self, artwork: np.ndarray) -> None:
        """Put the artwork back where its file is gone or another one."""
        self._artwork = artwork

    def keep_timelapse(self, timelapse: Timelapse, anew: bool, save_frames: bool, report: Report) -> None:
        """Keep what the run came to; anew: some of it was drawn just now. report: (done, total) encoded frames."""

    # Pieces by their place

    @property
    def keyframe_names(self) -> list[str]:
        """What the keyframes are kept under."""
        return keyframe_names(self.timeline, self.options)

    @property
    def segment_names(self) -> list[str]:
        """What the segments are kept under."""
        return [] if self.options.in_strokes else segment_names(self.timeline, self.options)

    def keyframe(self, place: int) -> np.ndarray | None:
        """The keyframe at a place, (H, W, 3), as the engine drew it or a person gave it; None where it is missing."""
        return self.keyframe_named(self.keyframe_names[place])

    def keep_keyframe(self, place: int, picture: np.ndarray) -> None:
        """Keep the keyframe at a place, (H, W, 3)."""
        self.save_keyframe(self.keyframe_names[place], picture)

    def segment(self, place: int) -> np.ndarray | None:
        """The segment at a place, (16, h, w, 3); None where it is missing."""
        return self.segment_named(self.segment_names[place])

    def keep_segment(self, place: int, frames: np.ndarray) -> None:
        """Keep the segment at a place, (16, h, w, 3)."""
        self.save_segment(self.segment_names[place], frames)

    def has_keyframe(self, name: str) -> bool:
        """Whether the keyframe kept under a name is there."""
        return self.keyframe_named(name) is not None

    def has_segment(self, name: str) -> bool:
        """Whether the segment kept under a name is there."""
        return self.segment_named(name) is not None

    @property
    def missing_keyframes(self) -> list[int]:
        """The places of the keyframes that are not there."""
        return [place for place, name in enumerate(self.keyframe_names) if not self.has_keyframe(name)]

    @property
    def missing_segments(self) -> list[int]:
        """The places of the segments that are not there."""
        return [place for place, name in enumerate(self.segment_names) if not self.has_segment(name)]

    # How the artwork lies in what is drawn

    @property
    def fit(self) -> Fit:
        """How the artwork lies in the pictures of this run."""
        return Fit.of(self.options, self.artwork_size)

    def ends(self, artwork: np.ndarray, drawn: np.ndarray, video_sizes: Sequence[tuple[int, int]]) -> np.ndarray:
        """The pictures that segments lie between, (n + 2, h, w, 3): artwork, keyframes, white canvas.

        drawn: the keyframes, (n, height, width, 3).  video_sizes: heights and widths that there are.
        """
        fit = self.fit
        seen, *laid = (fit.to_fill_from(picture, video_sizes) for picture in (fit.keyframe(artwork), *drawn))
        return with_white_canvas(seen, np.stack(laid))

    # What it comes to

    def drawn(self) -> np.ndarray:
        """The keyframes, (n, height, width, 3), as drawn. Raises InputError where one is missing."""
        pictures = []
        for name in self.keyframe_names:
            picture = self.keyframe_named(name)
            if picture is None:
                raise InputError(
                    "keyframes/{name}.png of the run in {folder} is gone; generate its keyframes again", name, self.path
                )
            pictures.append(self.fit.keyframe(picture))
        return np.stack(pictures)

    def frames(self) -> np.ndarray:
        """The frames, (15 (n + 1), h, w, 3), first stroke first, as drawn. Raises InputError where some are missing.

        Where the artwork is drawn in strokes: a Film, which makes its frames one by one.
        """
        if self.options.in_strokes:
            return cast(np.ndarray, self.film())
        names = self.segment_names
        segments = [frames for name in names if (frames := self.segment_named(name)) is not None]
        if len(segments) < len(names):
            sentence = "the run in {folder} has {count} of {wanted} segments; generate its video first"
            raise InputError(sentence, self.path, len(segments), len(names))
        return join_timelapse(np.stack(segments))

    def film(self) -> Film:
        """The film of a run that is drawn in strokes. Raises InputError where its operations are missing."""
        from paints_undo.strokes.film import Film  # scipy takes a while, and most that read runs need none of it

        process = self.process()
        if process is None:
            sentence = "the operations of the run in {folder} are gone; generate its video again"
            raise InputError(sentence, self.path)
        return Film(process, self.options.seconds, self.options.fps)

    def timelapse(self, artwork: np.ndarray, drawn: np.ndarray, segments: np.ndarray) -> Timelapse:
        """What all of it comes to. drawn: the keyframes; segments: (n + 1, 16, h, w, 3)."""
        whole, keyframes, frames = map(self.fit.uncover, (self.fit.keyframe(artwork), drawn, join_timelapse(segments)))
        return Timelapse(self.options.keyframes.prompt, whole, keyframes, frames, self.path)
