"""The web app on a Hugging Face Space: as it is, or, where ZeroGPU lends GPUs, with one GPU call a segment."""

from __future__ import annotations

import os

try:
    import spaces  # before torch: it stands between torch and a GPU that is not there yet
    from spaces.config import Config
except ImportError:
    LENDS_GPUS = False
else:
    LENDS_GPUS = bool(Config.zero_gpu)  # every Space has the package, and not every one GPUs to lend

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import gradio_app
from paints_undo.family.released import download_released
from paints_undo.options import KeyframeOptions, SegmentOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.pipeline import PaintsUndo, Picture
from paints_undo.progress import OnProgress, Progress, ignore

MODELS = os.environ.get("PAINTS_UNDO_MODELS", "strokes")
OUT = Path(os.environ.get("PAINTS_UNDO_OUT", "outputs")).absolute()
SECONDS = int(os.environ.get("PAINTS_UNDO_GPU_SECONDS", "120"))


class OneCallEach(PaintsUndo):
    """An engine that borrows a GPU for all keyframes together, and for each segment.

    A call happens in a process of its own, which can only give back its result.
    """

    def draw_keyframes(
        self,
        artwork: Picture,
        options: KeyframeOptions | None = None,
        on_progress: OnProgress = ignore,
        seeds: Sequence[int] | None = None,
        keep: Callable[[int, np.ndarray], None] = lambda place, keyframe: None,
    ) -> np.ndarray:
        """As PaintsUndo's, reported when all of it is there."""
        options = options or self.default_options.keyframes
        count = len(options.operation_steps)
        on_progress(Progress("keyframes", "sampling", 0, count))
        drawn = borrow_for_keyframes(read_picture(artwork), options, seeds)
        for place, keyframe in enumerate(drawn):
            keep(place, keyframe)
        on_progress(Progress("keyframes", "decoding", count, count))
        return drawn

    def fill_pairs(
        self,
        pictures: Sequence[np.ndarray] | np.ndarray,
        options: SegmentOptions,
        on_progress: OnProgress,
        wanted: Sequence[int],
        seeds: Sequence[int],
        keep: Callable[[int, np.ndarray], None],
    ) -> None:
        """As PaintsUndo's, reported segment by segment."""
        for done, pair in enumerate(wanted):
            on_progress(Progress("segments", "sampling", done, len(wanted)))
            work = [np.asarray(picture) for picture in pictures[pair : pair + 2]], replace(options, seed=seeds[pair])
            keep(pair, borrow_for_segment(*work))
        on_progress(Progress("segments", "decoding", len(wanted), len(wanted)))


@cache
def engine_of_the_call() -> PaintsUndo:
    """The engine of a process that has a GPU; it lives as long as that process."""
    return PaintsUndo.load(MODELS)


def lent(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a GPU call, where GPUs are lent; what goes in and comes out is pickled then."""
    return spaces.GPU(duration=SECONDS)(function) if LENDS_GPUS else function


@lent
def borrow_for_keyframes(artwork: np.ndarray, options: KeyframeOptions, seeds: Sequence[int] | None) -> np.ndarray:
    """Keyframes as PaintsUndo draws them."""
    return engine_of_the_call().draw_keyframes(artwork, options, seeds=seeds)


@lent
def borrow_for_segment(pictures: Sequence[np.ndarray], options: SegmentOptions) -> np.ndarray:
    """The frames of one segment, uint8 (16, h, w, 3), with the seed of the options."""
    return engine_of_the_call().fill_segments(pictures, options)[0]


def load() -> PaintsUndo:
    """The engine of this Space; `released` is downloaded where it is not there yet."""
    if MODELS == "released":
        download_released()
    return (OneCallEach if LENDS_GPUS else PaintsUndo).load(MODELS)


def main() -> None:
    """Serve the app on the address that the Space gives it."""
    app = gradio_app.build_app(load, OUT)
    port = os.environ.get("GRADIO_SERVER_PORT", "7860")
    known_as = [part for host in os.environ.get("SPACE_HOST", "").split(",") if host for part in ("--host-name", host)]
    options = gradio_app._arguments(["--listen", "--port", port, "--out", str(OUT), *known_as])
    app.launch(**gradio_app.launch_settings(options))


if __name__ == "__main__":
    main()
