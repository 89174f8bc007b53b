"""A pipeline without networks, for tests of the web app: quick, the same every time, and easy to make fail or wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from paints_undo.engine import Description, Picture, keep_nothing
from paints_undo.execution.plan import LADDER, Candidate
from paints_undo.family.model_family import ModelFamily
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pictures.fit import crop_to
from paints_undo.pictures.pixels import read_picture
from paints_undo.progress import OnProgress, Progress, ignore
from paints_undo.run.any_engine import AnyEngine


@dataclass(frozen=True)
class FakeFamily(ModelFamily):
    """A family without files, that says itself which sizes its networks would need."""

    name: str = "fake"
    folders: dict[str, Path] = field(default_factory=dict)
    multiple: int = 64

    @property
    def size_multiple(self) -> int:
        return self.multiple

    @property
    def video_size_multiple(self) -> int:
        return 1


class FakeEngine:
    """An engine for tests; "keyframes" are the artwork fading to lines and to white."""

    def __init__(
        self, seconds_per_step: float = 0.0, fail_with: Exception | None = None, family: ModelFamily | None = None
    ) -> None:
        self.family: ModelFamily = family or FakeFamily()
        self.seconds_per_step = seconds_per_step
        self.fail_with = fail_with
        self.at_work = 0
        self.most_at_work = 0
        self.steps_done = 0
        self.keyframes_drawn: tuple[int, ...] = ()
        self.segments_drawn: list[int] = []

    def describe(self) -> Description:
        return Description("cpu", "fp32", "sdpa", "auto")

    def settings_of(self, options: UndoOptions) -> dict[str, Any]:
        models = {"name": self.family.name, "revision": self.family.revision}
        return {"options": options.to_settings(), "models": models}

    def plan(self, options: UndoOptions) -> Candidate:
        return Candidate(LADDER[0], 0, 0)

    def tag(self, artwork: Picture) -> str:
        self._work("tags", 1, 1, ignore, None, [0])
        return f"1girl, solo, {read_picture(artwork).shape[1]} wide"

    def count_tokens(self, prompt: str) -> int:
        return len(prompt.replace(",", " , ").split())

    def draw_keyframes(
        self,
        artwork: Picture,
        options: KeyframeOptions | None = None,
        on_progress: OnProgress = ignore,
        seeds: Sequence[int] | None = None,
        keep: Callable[[int, np.ndarray], None] = keep_nothing,
    ) -> np.ndarray:
        options = options or self.default_options.keyframes
        steps, seeds = options.operation_steps, seeds or [options.seed] * len(options.operation_steps)
        crop = crop_to(read_picture(artwork), options.width, options.height)
        self.keyframes_drawn += steps
        self._work("keyframes", options.sampling_steps, len(steps), on_progress, crop, range(len(steps)))
        drawn = [_faded(crop, step / 999, seed) for step, seed in zip(steps, seeds, strict=True)]
        for place, keyframe in enumerate(drawn):
            keep(place, keyframe)
        return np.stack(drawn)

    def fill_pairs(
        self,
        pictures: Sequence[np.ndarray] | np.ndarray,
        options: SegmentOptions,
        on_progress: OnProgress,
        wanted: Sequence[int],
        seeds: Sequence[int],
        keep: Callable[[int, np.ndarray], None],
    ) -> None:
        for place, pair in enumerate(wanted):
            self.segments_drawn.append(pair)
            self._work("segments", options.sampling_steps, len(wanted), on_progress, pictures[pair], [place])
            frames = _between(pictures[pair], pictures[pair + 1])
            frames[:, 0, 0] = seeds[pair] % 256  # one exact pixel that tells the seed
            keep(pair, frames)

    default_options = AnyEngine.default_options
    process_of = AnyEngine.process_of
    fill_segments = AnyEngine.fill_segments
    undo = AnyEngine.undo

    def _work(
        self,
        stage: str,
        steps: int,
        pieces: int,
        on_progress: OnProgress,
        picture: np.ndarray | None,
        places: Sequence[int],
    ) -> None:
        """Pretend to draw the pieces at these places, among so many of the same call."""
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        preview = None if picture is None else partial(cv2.resize, picture, (64, 80))
        try:
            if self.fail_with is not None:
                raise self.fail_with
            for done in range(places[0] * steps + 1, (places[-1] + 1) * steps + 1):
                time.sleep(self.seconds_per_step)
                self.steps_done += 1
                on_progress(Progress(stage, "sampling", done, steps * pieces, preview))
            if places[-1] == pieces - 1:
                on_progress(Progress(stage, "decoding", pieces, pieces))
        finally:
            self.at_work -= 1


def _faded(picture: np.ndarray, amount: float, seed: int) -> np.ndarray:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    lines = cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 9, 6)
    lines = cv2.cvtColor(lines, cv2.COLOR_GRAY2RGB).astype(np.float32)
    mixed = picture * (1 - amount) + (lines * 0.5 + 127) * amount
    mixed[:, int(mixed.shape[1] * (1.2 - amount)) :] = 255
    mixed[0, 0] = seed % 256  # one exact pixel that tells the seed
    return mixed.clip(0, 255).astype(np.uint8)


def _between(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    ends = [cv2.resize(picture, (64, 80)).astype(np.float32) for picture in (first, last)]
    ramp = np.linspace(0, 1, 16)[:, None, None, None]
    return (ends[0] * (1 - ramp) + ends[1] * ramp).astype(np.uint8)
