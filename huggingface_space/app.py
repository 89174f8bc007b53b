"""The web app on a Hugging Face Space: as it is, or, where ZeroGPU lends GPUs, with one GPU call a segment."""

from __future__ import annotations

import math
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
from paints_undo.family.choice import find_networks
from paints_undo.family.model_family import PARTS, ModelFamily
from paints_undo.family.released import download_released
from paints_undo.options import KeyframeOptions, SegmentOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.pipeline import PaintsUndo, Picture
from paints_undo.progress import OnProgress, Part, Progress, ignore
from paints_undo.run.course import keyframe_parts, segment_parts
from paints_undo.time_left import COSTS

MODELS = os.environ.get("PAINTS_UNDO_MODELS", "strokes")
OUT = Path(os.environ.get("PAINTS_UNDO_OUT", "outputs")).absolute()
LONGEST = float(os.environ.get("PAINTS_UNDO_GPU_SECONDS", "inf"))
STARTING_S = 15  # a call's own process
READ_A_SECOND = 2e8  # bytes of weights, which every such process reads anew
SLOWER = 2  # than expected: so much longer a call may take before it is ended


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
def family() -> ModelFamily:
    """The family of this Space; no network is made."""
    return find_networks(MODELS)


def seconds(checkpoint: str, work: Sequence[Part]) -> int:
    """How long a GPU is wanted for this work of a checkpoint's networks, by what its parts usually take."""
    files = [family().part_folder(part) / PARTS[part].weights for part in PARTS if part.startswith(f"{checkpoint}/")]
    reading = sum(file.stat().st_size for file in files) / READ_A_SECOND
    computing = sum(COSTS.of(f"{family().name} cuda", part) for part in work)
    return math.ceil(min(LONGEST, STARTING_S + reading + SLOWER * computing))


def seconds_for_keyframes(artwork: np.ndarray, options: KeyframeOptions, seeds: Sequence[int] | None) -> int:
    """What borrow_for_keyframes asks for."""
    return seconds("single_frame", keyframe_parts(len(options.operation_steps), options))


def seconds_for_segment(pictures: Sequence[np.ndarray], options: SegmentOptions) -> int:
    """What borrow_for_segment asks for."""
    return seconds("multi_frame", segment_parts(family(), pictures[0].shape, [0], options))


@cache
def engine_of_the_call() -> PaintsUndo:
    """The engine of a process that has a GPU; it lives as long as that process."""
    return PaintsUndo.load(MODELS)


def lent(duration: Callable[..., int]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Makes a function a GPU call, where GPUs are lent; what goes in and comes out is pickled then.

    duration: the seconds that it asks for, of the same arguments.
    """
    return spaces.GPU(duration=duration) if LENDS_GPUS else lambda function: function


@lent(seconds_for_keyframes)
def borrow_for_keyframes(artwork: np.ndarray, options: KeyframeOptions, seeds: Sequence[int] | None) -> np.ndarray:
    """Keyframes as PaintsUndo draws them."""
    return engine_of_the_call().draw_keyframes(artwork, options, seeds=seeds)


@lent(seconds_for_segment)
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
