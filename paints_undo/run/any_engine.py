"""What every engine does in the same way: tagging, segments by their pictures, and the whole story of one artwork."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np

from paints_undo.engine import Engine, Picture
from paints_undo.errors import CheckpointError, InputError
from paints_undo.family.choice import defaults_of
from paints_undo.family.model_family import ModelFamily
from paints_undo.options import OWN_SIZE, SegmentOptions, UndoOptions, pair_seeds
from paints_undo.pictures.pixels import read_picture
from paints_undo.progress import OnProgress, along, ignore
from paints_undo.run.course import course_of
from paints_undo.run.draw import draw, tagged
from paints_undo.run.folder import RunFolder
from paints_undo.run.run import Run
from paints_undo.run.timeline import Timeline
from paints_undo.timelapse import Timelapse
from wd14_tagger import Tagger

if TYPE_CHECKING:
    from paints_undo.strokes.process import Process


class AnyEngine:
    """The part of an engine that is the same for all families; what draws comes with the engine itself."""

    def __init__(self, family: ModelFamily) -> None:
        self.family = family
        self.at_work = RLock()  # held by the thread that computes
        self._tagger: Tagger | None = None

    @property
    def default_options(self: Engine) -> UndoOptions:
        """The family's defaults; for the published family, those of the original app."""
        return defaults_of(self.family)

    def tag(self, artwork: Picture) -> str:
        """The artwork's tags as one comma-separated prompt."""
        if self.family.tagger_model is None or self.family.tagger_tags is None:
            raise CheckpointError("the model family {family} has no tagger; give a prompt yourself", self.family.name)
        picture = read_picture(artwork)
        with self.at_work:
            try:
                if self._tagger is None:
                    self._tagger = Tagger(self.family.tagger_model, self.family.tagger_tags)
                return self._tagger.prompt(picture)
            except (ValueError, FileNotFoundError) as error:  # it says which of its files is damaged or missing
                raise CheckpointError("{tagger_problem}", error) from None
            except OSError as error:  # likewise, which cannot be read
                raise CheckpointError("{tagger_unreadable}", error) from None

    def process_of(
        self: Engine,
        artwork: np.ndarray,
        options: UndoOptions,
        sketch: np.ndarray | None = None,
        on_progress: OnProgress = ignore,
    ) -> Process:
        """Of networks: an InputError that says so; a family that draws in strokes has one of its own."""
        self.family.check(replace(options, fit=OWN_SIZE))
        raise NotImplementedError

    def fill_segments(
        self: Engine,
        pictures: Sequence[Picture] | np.ndarray,
        options: SegmentOptions | None = None,
        on_progress: OnProgress = ignore,
    ) -> np.ndarray:
        """The frames between neighbours, uint8 (n - 1, 16, h, w, 3); pictures from the artwork to the white canvas."""
        options = options or self.default_options.segments
        arrays = [read_picture(picture) for picture in pictures]
        if len(arrays) < 2:
            raise InputError("{count} picture is given; a segment needs two keyframes to lie between", len(arrays))
        filled: dict[int, np.ndarray] = {}
        pairs = range(len(arrays) - 1)
        self.fill_pairs(arrays, options, on_progress, pairs, pair_seeds(options.seed, pairs), filled.__setitem__)
        return np.stack([filled[pair] for pair in sorted(filled)])

    def fill_segment(
        self: Engine,
        first: Picture,
        last: Picture,
        options: SegmentOptions | None = None,
        on_progress: OnProgress = ignore,
    ) -> np.ndarray:
        """The 16 frames from one picture to another, uint8 (16, h, w, 3)."""
        return self.fill_segments([first, last], options, on_progress)[0]

    def undo(
        self: Engine,
        artwork: Picture,
        options: UndoOptions | None = None,
        out: Path | str | None = None,
        on_progress: OnProgress = ignore,
        save_frames: bool = False,
    ) -> Timelapse:
        """The whole story of one artwork, as people see it: without the margins that fit "pad" gives the networks.

        out: its run folder; what an earlier, interrupted run of the same settings left there is used again.
        """
        options, artwork = options or self.default_options, read_picture(artwork)
        self.family.check(options)
        watched = along(course_of(self, options, artwork.shape, video=out is not None), on_progress)
        options = tagged(self, options, artwork, watched)
        if out is None:
            return draw(self, Run(options, artwork), watched, save_frames)
        timeline = Timeline.of(options.keyframes, options.segments)
        run = RunFolder.create(out, self.settings_of(options), timeline, artwork)
        with run.held():
            return draw(self, run, on_progress, save_frames)
