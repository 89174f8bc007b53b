"""The engine without networks: an artwork's process planned in seconds, and any canvas of it drawn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from paints_undo.engine import Description, Picture, keep_nothing
from paints_undo.errors import InputError
from paints_undo.execution.plan import RESIDENT, Candidate
from paints_undo.family.choice import STROKES, strokes_family
from paints_undo.options import ENGINE_DEFAULTS, KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.progress import PLANNING_PARTS, OnProgress, Progress, ignore
from paints_undo.run.any_engine import AnyEngine
from paints_undo.run.course import FRAMES
from paints_undo.strokes.operations import TOTAL
from paints_undo.strokes.process import Process, digest, large_enough, plan_process
from paints_undo.strokes.tags import telling

REMEMBERED = 2  # processes: the one that is drawn, and the one before it
REMEMBERED_CANVASES = 256  # by their digest, so that the frames between two of them can be drawn


class Strokes(AnyEngine):
    """The model family `strokes`, ready to draw; safe to use from several threads, which take turns."""

    def __init__(self) -> None:
        super().__init__(strokes_family())
        self._processes: OrderedDict[tuple[str, int, str, str, str], Process] = OrderedDict()
        self._canvases: OrderedDict[str, tuple[Process, float]] = OrderedDict()

    @classmethod
    def load(cls, **choices: Any) -> Strokes:
        """The engine. choices: as PaintsUndo.load takes them; InputError for one that only networks could follow."""
        for name, value in choices.items():
            if name in ENGINE_DEFAULTS and value != ENGINE_DEFAULTS[name] and (name, value) != ("device", "cpu"):
                sentence = (
                    "the model family {family} draws without networks and has no use for {choice}; leave it out, or "
                    "choose another family"
                )
                raise InputError(sentence, STROKES, f"{name.replace('_', '-')} {value}")
        return cls()

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

    def count_tokens(self, prompt: str) -> int:
        """How many words a prompt has: no network reads it."""
        return len(prompt.replace(",", " ").split())

    def process_of(
        self,
        artwork: np.ndarray,
        options: UndoOptions,
        sketch: np.ndarray | None = None,
        on_progress: OnProgress = ignore,
    ) -> Process:
        """The process of an artwork, uint8 (H, W, 3); the same one as long as artwork, seed, route and sketch are."""
        self.family.check(options)
        seed, prompt, route = options.keyframes.seed, options.keyframes.prompt, options.route
        key = digest(artwork), seed, route, "" if sketch is None else digest(sketch), telling(prompt)

        def report(*told: Any) -> None:
            on_progress(Progress("keyframes", "planning", *told))

        with self.at_work:
            if key not in self._processes:
                report(0, PLANNING_PARTS)
                self._processes[key] = plan_process(artwork, seed, route, sketch, prompt, report)
                report(PLANNING_PARTS, PLANNING_PARTS)
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
        with self.at_work:
            own = {seed: replace(self.default_options, keyframes=replace(options, seed=seed)) for seed in seeds}
            planned = {seed: self.process_of(picture, own[seed], on_progress=on_progress) for seed in own}
            for place, (step, seed) in enumerate(zip(steps, seeds, strict=True)):
                on_progress(Progress("keyframes", "drawing", place, len(steps)))
                process = planned[seed]
                drawn.append(process.canvas(TOTAL - step))
                self._remember(drawn[-1], process, TOTAL - step)
                keep(place, drawn[-1])
            on_progress(Progress("keyframes", "drawing", len(steps), len(steps)))
        return np.stack(drawn)

    def _remember(self, canvas: np.ndarray, process: Process, done: float) -> None:
        self._canvases[digest(canvas)] = process, done
        while len(self._canvases) > REMEMBERED_CANVASES:
            self._canvases.popitem(last=False)

    def fill_pairs(
        self,
        pictures: Sequence[np.ndarray] | np.ndarray,
        options: SegmentOptions,
        on_progress: OnProgress,
        wanted: Sequence[int],
        seeds: Sequence[int],
        keep: Callable[[int, np.ndarray], None],
    ) -> None:
        """Hand (pair, frames uint8 (16, H, W, 3)) to `keep`, for each wanted pair among the pictures.

        Each picture is the artwork, white, or a canvas that draw_keyframes gave.
        """
        with self.at_work:
            known = next((found[0] for one in pictures if (found := self._canvases.get(digest(one)))), None)
            process = known or self.process_of(pictures[0], self.default_options)
            for number, pair in enumerate(wanted):
                on_progress(Progress("segments", "drawing", number, len(wanted)))
                first, last = (self._done(pictures[pair + end], process) for end in (0, 1))
                frames = np.stack(list(process.canvases(np.linspace(min(first, last), max(first, last), FRAMES))))
                keep(pair, frames[::-1] if first > last else frames)
            on_progress(Progress("segments", "drawing", len(wanted), len(wanted)))

    def _done(self, picture: np.ndarray, process: Process) -> float:
        """How many operations are done on a canvas."""
        known = self._canvases.get(digest(picture))
        if known is not None:
            return known[1]
        if (picture == 255).all():
            return 0.0
        if np.array_equal(large_enough(picture), process.artwork):
            return float(TOTAL)
        sentence = "a picture is no canvas of the model family {family}; draw its key frames first, in this program"
        raise InputError(sentence, self.family.name)

    def forget(self) -> None:
        """Let go of what was planned, so that the next call plans it again."""
        with self.at_work:
            self._processes.clear()
            self._canvases.clear()
