"""The engine without networks: an artwork's process planned in seconds, and any canvas of it drawn."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np

from paints_undo.engine import Description, Picture, keep_nothing
from paints_undo.errors import CheckpointError, InputError
from paints_undo.execution.plan import RESIDENT, Candidate
from paints_undo.family.choice import defaults_of, strokes_family
from paints_undo.family.model_family import ModelFamily
from paints_undo.options import OWN_SIZE, KeyframeOptions, SegmentOptions, UndoOptions, pair_seeds
from paints_undo.pictures.pixels import read_picture
from paints_undo.progress import OnProgress, Progress, along, ignore
from paints_undo.run.course import FRAMES, course_of
from paints_undo.run.draw import draw, tagged
from paints_undo.run.folder import RunFolder
from paints_undo.run.run import MemoryRun
from paints_undo.run.timelapse import Timelapse
from paints_undo.run.timeline import Timeline
from paints_undo.strokes.operations import TOTAL
from paints_undo.strokes.process import Process, digest, large_enough, plan_process
from wd14_tagger import Tagger

REMEMBERED = 2  # processes: the one that is drawn, and the one before it
REMEMBERED_CANVASES = 256  # by their digest, so that the frames between two of them can be drawn


class Strokes:
    """The model family `strokes`, ready to draw; safe to use from several threads, which take turns."""

    def __init__(self) -> None:
        self.family: ModelFamily = strokes_family()
        self._tagger: Tagger | None = None
        self._processes: OrderedDict[tuple[str, int, str, str], Process] = OrderedDict()
        self._canvases: OrderedDict[str, tuple[Process, float]] = OrderedDict()
        self._at_work = RLock()

    @property
    def default_options(self) -> UndoOptions:
        """What holds where a person chooses nothing."""
        return defaults_of(self.family)

    def describe(self) -> Description:
        """On the CPU, in whole numbers of eight bits; told as the nearest that networks have."""
        return Description("cpu", "fp32", "plain", "auto")

    def settings_of(self, options: UndoOptions) -> dict[str, Any]:
        """What run.json records."""
        models = {"name": self.family.name, "revision": self.family.revision}
        return {"options": options.to_settings(), "models": models, "device": "cpu"}

    def plan(self, options: UndoOptions) -> Candidate:
        """Nothing is on a device."""
        return Candidate(RESIDENT, 0, None)

    def tag(self, artwork: Picture) -> str:
        """The artwork's tags as one comma-separated prompt, by the tagger that is shipped."""
        model, tags = self.family.tagger_model, self.family.tagger_tags
        if model is None or tags is None:
            raise CheckpointError("the model family {family} has no tagger; give a prompt yourself", self.family.name)
        picture = read_picture(artwork)
        with self._at_work:
            try:
                if self._tagger is None:
                    self._tagger = Tagger(model, tags)
                return self._tagger.prompt(picture)
            except (ValueError, FileNotFoundError) as error:
                raise CheckpointError("{tagger_problem}", error) from None
            except OSError as error:
                raise CheckpointError("{tagger_unreadable}", error) from None

    def count_tokens(self, prompt: str) -> int:
        """How many words a prompt has: no network reads it."""
        return len(prompt.replace(",", " ").split())

    def process_of(self, artwork: np.ndarray, options: UndoOptions, sketch: np.ndarray | None = None) -> Process:
        """The process of an artwork, uint8 (H, W, 3); the same one as long as artwork, seed, route and sketch are."""
        self._check(options)
        return self._process(artwork, options.keyframes.seed, options.route, sketch)

    def _check(self, options: UndoOptions) -> None:
        if options.fit != OWN_SIZE:
            sentence = "the model family {family} draws at the artwork's own size: fit is {fit}, and must be {own}"
            raise InputError(sentence, self.family.name, options.fit, OWN_SIZE)

    def _process(
        self, artwork: np.ndarray, seed: int, route: str = "auto", sketch: np.ndarray | None = None
    ) -> Process:
        key = digest(artwork), seed, route, "" if sketch is None else digest(sketch)
        with self._at_work:
            if key not in self._processes:
                self._processes[key] = plan_process(artwork, seed, route, sketch=sketch)
                while len(self._processes) > REMEMBERED:
                    self._processes.popitem(last=False)
            self._processes.move_to_end(key)
            return self._processes[key]

    def draw_keyframes(
        self,
        artwork: Picture,
        options: KeyframeOptions | None = None,
        on_progress: OnProgress = ignore,
        seeds: Sequence[int] | None = None,
        keep: Callable[[int, np.ndarray], None] = keep_nothing,
    ) -> np.ndarray:
        """Canvases of the artwork's process, uint8 (n, H, W, 3), one for each of options.operation_steps.

        seeds: one for each operation step, options.seed by default: another seed is another process.  keep: called
        with the place among the operation steps and the canvas as soon as it is there.
        """
        options, picture = options or self.default_options.keyframes, read_picture(artwork)
        steps = options.operation_steps
        seeds = [options.seed] * len(steps) if seeds is None else list(seeds)
        drawn = []
        with self._at_work:
            for place, (step, seed) in enumerate(zip(steps, seeds, strict=True)):
                on_progress(Progress("keyframes", "drawing", place, len(steps)))
                process = self._process(picture, seed)
                drawn.append(process.canvas(TOTAL - step))
                self._remember(drawn[-1], process, TOTAL - step)
                keep(place, drawn[-1])
            on_progress(Progress("keyframes", "drawing", len(steps), len(steps)))
        return np.stack(drawn)

    def _remember(self, canvas: np.ndarray, process: Process, done: float) -> None:
        self._canvases[_digest(canvas)] = process, done
        while len(self._canvases) > REMEMBERED_CANVASES:
            self._canvases.popitem(last=False)

    def fill_segments(
        self,
        pictures: Sequence[Picture] | np.ndarray,
        options: SegmentOptions | None = None,
        on_progress: OnProgress = ignore,
    ) -> np.ndarray:
        """The frames between neighbours, uint8 (n - 1, 16, H, W, 3); pictures from the artwork to the white canvas.

        Each is the artwork, white, or a canvas that draw_keyframes gave.
        """
        arrays = [read_picture(picture) for picture in pictures]
        if len(arrays) < 2:
            raise InputError("{count} picture is given; a segment needs two keyframes to lie between", len(arrays))
        filled: dict[int, np.ndarray] = {}
        pairs = range(len(arrays) - 1)
        options = options or self.default_options.segments
        self.fill_pairs(arrays, options, on_progress, pairs, pair_seeds(options.seed, pairs), filled.__setitem__)
        return np.stack([filled[pair] for pair in sorted(filled)])

    def fill_pairs(
        self,
        pictures: Sequence[np.ndarray] | np.ndarray,
        options: SegmentOptions,
        on_progress: OnProgress,
        wanted: Sequence[int],
        seeds: Sequence[int],
        keep: Callable[[int, np.ndarray], None],
    ) -> None:
        """Hand (pair, frames uint8 (16, H, W, 3)) to `keep`, for each wanted pair among the pictures."""
        with self._at_work:
            known = next((found[0] for one in pictures if (found := self._canvases.get(_digest(one)))), None)
            process = known or self._process(pictures[0], self.default_options.keyframes.seed)
            for number, pair in enumerate(wanted):
                on_progress(Progress("segments", "drawing", number, len(wanted)))
                first, last = (self._done(pictures[pair + end], process) for end in (0, 1))
                frames = np.stack(list(process.canvases(np.linspace(min(first, last), max(first, last), FRAMES))))
                keep(pair, frames[::-1] if first > last else frames)
            on_progress(Progress("segments", "drawing", len(wanted), len(wanted)))

    def _done(self, picture: np.ndarray, process: Process) -> float:
        """How many operations are done on a canvas."""
        known = self._canvases.get(_digest(picture))
        if known is not None:
            return known[1]
        if (picture == 255).all():
            return 0.0
        if np.array_equal(large_enough(picture), process.artwork):
            return float(TOTAL)
        sentence = "a picture is no canvas of the model family {family}; draw its key frames first, in this program"
        raise InputError(sentence, self.family.name)

    def undo(
        self,
        artwork: Picture,
        options: UndoOptions | None = None,
        out: Path | str | None = None,
        on_progress: OnProgress = ignore,
        save_frames: bool = False,
    ) -> Timelapse:
        """The whole story of one artwork. out: its run folder, which is gone on with where it is the same run."""
        options, picture = options or self.default_options, read_picture(artwork)
        self._check(options)
        watched = along(course_of(self, options, picture.shape, video=out is not None), on_progress)
        options = tagged(self, options, picture, watched)
        if out is None:
            return draw(self, MemoryRun(options, picture), watched, save_frames)
        timeline = Timeline.of(options.keyframes, options.segments)
        run = RunFolder.create(out, self.settings_of(options), timeline, picture)
        with run.held():
            return draw(self, run, on_progress, save_frames)

    def fill_segment(
        self, first: Picture, last: Picture, options: SegmentOptions | None = None, on_progress: OnProgress = ignore
    ) -> np.ndarray:
        """The 16 frames from one canvas to another, uint8 (16, H, W, 3)."""
        return self.fill_segments([first, last], options, on_progress)[0]

    def forget(self) -> None:
        """Let go of what was planned, so that the next call plans it again."""
        with self._at_work:
            self._processes.clear()
            self._canvases.clear()


def _digest(picture: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(picture).tobytes()).hexdigest()
