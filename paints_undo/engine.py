"""What an engine can do: what the page, the batch, the nodes and exports ask of one, and what doubles in tests keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from PIL import Image

from paints_undo.execution.plan import Candidate
from paints_undo.family.model_family import ModelFamily
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.progress import OnProgress, ignore
from paints_undo.timelapse import Timelapse

if TYPE_CHECKING:
    from paints_undo.strokes.process import Process

Picture = np.ndarray | Image.Image | Path | str


@dataclass(frozen=True)
class Description:
    """How an engine works, in the words that `PaintsUndo.load` takes."""

    device: str  # "cpu", "cuda", "cuda:1", "mps"
    dtype: str  # "fp32", "fp16", "bf16"
    attention: str
    vram: str  # GiB, or "auto"


def keep_nothing(place: int, keyframe: np.ndarray) -> None:
    """Keeps nothing of what is drawn on the way."""


class Engine(Protocol):
    """One model family, ready to draw; safe to use from several threads. PaintsUndo is the real one."""

    @property
    def family(self) -> ModelFamily: ...

    @property
    def default_options(self) -> UndoOptions: ...

    def describe(self) -> Description: ...

    def settings_of(self, options: UndoOptions) -> dict[str, Any]: ...

    def plan(self, options: UndoOptions) -> Candidate: ...

    def process_of(
        self,
        artwork: np.ndarray,
        options: UndoOptions,
        sketch: np.ndarray | None = None,
        on_progress: OnProgress = ignore,
    ) -> Process:
        """The operations that draw an artwork, where options.in_strokes; InputError from families of networks.

        sketch: a person's own, uint8 (h, w, 3), which the process goes by.
        """
        ...

    def tag(self, artwork: Picture) -> str: ...

    def count_tokens(self, prompt: str) -> int: ...

    def draw_keyframes(
        self,
        artwork: Picture,
        options: KeyframeOptions | None = None,
        on_progress: OnProgress = ignore,
        seeds: Sequence[int] | None = None,
        keep: Callable[[int, np.ndarray], None] = keep_nothing,
    ) -> np.ndarray: ...

    def fill_segments(
        self,
        pictures: Sequence[Picture] | np.ndarray,
        options: SegmentOptions | None = None,
        on_progress: OnProgress = ignore,
    ) -> np.ndarray: ...

    def fill_pairs(
        self,
        pictures: Sequence[np.ndarray] | np.ndarray,
        options: SegmentOptions,
        on_progress: OnProgress,
        wanted: Sequence[int],
        seeds: Sequence[int],
        keep: Callable[[int, np.ndarray], None],
    ) -> None: ...

    def undo(
        self,
        artwork: Picture,
        options: UndoOptions | None = None,
        out: Path | str | None = None,
        on_progress: OnProgress = ignore,
        save_frames: bool = False,
    ) -> Timelapse: ...
