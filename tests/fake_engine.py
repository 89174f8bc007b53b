"""A pipeline without networks, for tests of the web app: quick, the same every time, and easy to make fail or wait."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from paints_undo.errors import InputError
from paints_undo.images import crop_to
from paints_undo.keyframes import KeyframeOptions
from paints_undo.pipeline import Timelapse, UndoOptions, join_timelapse, with_white_canvas
from paints_undo.progress import OnProgress, Progress, ignore
from paints_undo.runs import RunFolder
from paints_undo.segments import SegmentOptions
from paints_undo.video import write_video


@dataclass(frozen=True)
class FakeFamily:
    name: str = "fake"
    keyframe_size: tuple[int, int] = (512, 640)
    size_multiple: int = 64
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
        self.parts = SimpleNamespace(device="cpu", dtype="torch.float32")
        self.default_options = UndoOptions()
        self.seconds_per_step = seconds_per_step
        self.fail_with = fail_with
        self.at_work = 0
        self.most_at_work = 0
        self.steps_done = 0
        self.drawn: np.ndarray | None = None

    def tag(self, artwork: np.ndarray) -> str:
        self._work("tags", 1, ignore)
        return f"1girl, solo, {artwork.shape[1]} wide"

    def draw_keyframes(
        self, artwork: np.ndarray, options: KeyframeOptions, on_progress: OnProgress = ignore
    ) -> np.ndarray:
        self._work("keyframes", options.sampling_steps, on_progress)
        crop = crop_to(artwork, options.width, options.height)
        self.drawn = np.stack([_faded(crop, step / 999, options.seed) for step in options.operation_steps])
        return self.drawn

    def settings_of(self, options: UndoOptions) -> dict[str, Any]:
        return {"options": options.to_settings(), "models": {"name": self.family.name, "revision": ""}}

    def undo(
        self, artwork: np.ndarray, options: UndoOptions, out: Path, on_progress: OnProgress, save_frames: bool
    ) -> Timelapse:
        run = RunFolder.create(out, self.settings_of(options), artwork)
        drawn = np.stack([run.keyframe(step) for step in options.keyframes.operation_steps])
        crop = crop_to(artwork, options.keyframes.width, options.keyframes.height)
        pictures = with_white_canvas(crop, drawn)
        if any(run.segment(pair) is None for pair in range(len(pictures) - 1)):
            self._work("segments", options.segments.sampling_steps, on_progress)
        segments = _between(pictures)
        for pair, segment in enumerate(segments):
            run.save_segment(pair, segment)
        frames = join_timelapse(segments)
        run.save_frames(frames)
        write_video(frames, run.timelapse, options.fps)
        run.finish()
        return Timelapse(options.keyframes.prompt, crop, drawn, frames, run.path)

    def _work(self, stage: str, steps: int, on_progress: OnProgress) -> None:
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            if self.fail_with is not None:
                raise self.fail_with
            for done in range(1, steps + 1):
                time.sleep(self.seconds_per_step)
                self.steps_done += 1
                on_progress(Progress(stage, "sampling", done, steps))
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


def _between(pictures: Sequence[np.ndarray]) -> np.ndarray:
    small = [cv2.resize(picture, (64, 80)).astype(np.float32) for picture in pictures]
    ramp = np.linspace(0, 1, 16)[:, None, None, None]
    pairs = [first * (1 - ramp) + last * ramp for first, last in zip(small, small[1:], strict=False)]
    return np.stack(pairs).astype(np.uint8)
