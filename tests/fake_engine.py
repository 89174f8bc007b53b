"""A pipeline without networks, for tests of the web app: quick, the same every time, and easy to make fail or wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import torch

from paints_undo.checkpoints import ModelFamily
from paints_undo.errors import InputError
from paints_undo.images import crop_to
from paints_undo.keyframes import KeyframeOptions
from paints_undo.options import UndoOptions
from paints_undo.progress import OnProgress, Progress, ignore
from paints_undo.segments import SegmentOptions


@dataclass(frozen=True)
class FakeFamily:
    name: str = "fake"
    keyframe_size: tuple[int, int] = (512, 640)
    size_multiple: int = 64
    video_sizes: tuple[tuple[int, int], ...] = ModelFamily.video_sizes
    video_prompt: str = SegmentOptions.prompt
    keyframe_defaults: dict[str, Any] = field(default_factory=dict)
    segment_defaults: dict[str, Any] = field(default_factory=dict)

    def check_keyframe_size(self, width: int, height: int) -> None:
        if width % self.size_multiple or height % self.size_multiple:
            raise InputError(f"width is {width}, height {height}; use multiples of {self.size_multiple}")


class FakeEngine:
    """What the web app uses of PaintsUndo; "keyframes" are the artwork fading to lines and to white."""

    def __init__(self, seconds_per_step: float = 0.0, fail_with: Exception | None = None) -> None:
        self.family = FakeFamily()
        self.parts = SimpleNamespace(device=torch.device("cpu"), dtype="torch.float32")
        self.default_options = UndoOptions()
        self.seconds_per_step = seconds_per_step
        self.fail_with = fail_with
        self.at_work = 0
        self.most_at_work = 0
        self.steps_done = 0
        self.keyframes_drawn: tuple[int, ...] = ()
        self.segments_drawn: list[int] = []

    def tag(self, artwork: np.ndarray) -> str:
        self._work("tags", 1, 1, ignore)
        return f"1girl, solo, {artwork.shape[1]} wide"

    def count_tokens(self, prompt: str) -> int:
        return len(prompt.replace(",", " , ").split())

    def draw_keyframes(
        self,
        artwork: np.ndarray,
        options: KeyframeOptions,
        on_progress: OnProgress = ignore,
        seeds: Sequence[int] | None = None,
        keep: Callable[[int, np.ndarray], None] = lambda place, keyframe: None,
    ) -> np.ndarray:
        steps, seeds = options.operation_steps, seeds or [options.seed] * len(options.operation_steps)
        crop = crop_to(artwork, options.width, options.height)
        self.keyframes_drawn += steps
        self._work("keyframes", options.sampling_steps, len(steps), on_progress, crop)
        drawn = [_faded(crop, step / 999, seed) for step, seed in zip(steps, seeds, strict=True)]
        for place, keyframe in enumerate(drawn):
            keep(place, keyframe)
        return np.stack(drawn)

    def fill_pairs(
        self,
        pictures: Sequence[np.ndarray],
        options: SegmentOptions,
        on_progress: OnProgress,
        wanted: Sequence[int],
        seeds: Sequence[int],
        keep: Callable[[int, np.ndarray], None],
    ) -> None:
        for pair in wanted:
            self.segments_drawn.append(pair)
            self._work("segments", options.sampling_steps, 1, on_progress, pictures[pair])
            frames = _between(pictures[pair], pictures[pair + 1])
            frames[:, 0, 0] = seeds[pair] % 256  # one exact pixel that tells the seed
            keep(pair, frames)

    def settings_of(self, options: UndoOptions) -> dict[str, Any]:
        return {"options": options.to_settings(), "models": {"name": self.family.name, "revision": ""}}

    def _work(
        self, stage: str, steps: int, pieces: int, on_progress: OnProgress, picture: np.ndarray | None = None
    ) -> None:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        preview = None if picture is None else partial(cv2.resize, picture, (64, 80))
        try:
            if self.fail_with is not None:
                raise self.fail_with
            for done in range(1, steps * pieces + 1):
                time.sleep(self.seconds_per_step)
                self.steps_done += 1
                on_progress(Progress(stage, "sampling", done, steps * pieces, preview))
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
