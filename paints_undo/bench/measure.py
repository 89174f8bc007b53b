"""Runs with a clock: each in a fresh process, so that none warms or burdens the next."""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from memory_management import peak_memory, pick_device, pick_dtype, synchronize
from paints_undo.bench.host_memory import peak_resident_bytes, resident_bytes
from paints_undo.bench.original import OriginalOrder
from paints_undo.bench.watch import Watch, watched_engine
from paints_undo.errors import InputError
from paints_undo.execution.parts import Parts
from paints_undo.execution.plans import NAMES
from paints_undo.family.model_family import ModelFamily
from paints_undo.options import UndoOptions, with_prompt
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.video import write_video
from paints_undo.pipeline import find_family
from paints_undo.progress import Progress
from wd14_tagger import Tagger

PLANS = ("auto", "original", *NAMES)
SAMPLED_EVERY = 0.05  # seconds


@dataclass(frozen=True)
class Request:
    """One run to be measured."""

    models: str  # mini, released or a folder
    artwork: str  # a picture file
    options: UndoOptions
    plan: str = "auto"
    device: str | None = None
    dtype: str | None = None
    threads: int | None = None
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.plan not in PLANS:
            raise InputError(f"plan is {self.plan!r}; use one of {', '.join(PLANS)}")


@dataclass
class Measurement:
    """What one run took."""

    plan: str
    seconds: float  # from nothing loaded to the finished video
    stages: dict[str, dict[str, float]]  # stage -> seconds, loading, peak_bytes (CUDA)
    loading: dict[str, float]  # part -> seconds until its weights were there
    first_step: dict[str, float]  # kind of sampling -> seconds from the start to its first finished step
    host_peak: int  # bytes
    frames: np.ndarray  # uint8 (n, h, w, 3)
    host_memory: list[tuple[float, int]] = field(default_factory=list)  # (seconds, bytes)


def measure(requests: list[Request], repeats: int) -> list[list[Measurement]]:
    """Each request `repeats` times, in turn; one list of measurements for each request."""
    if repeats < 1:
        raise InputError(f"repeats is {repeats}; use 1 or more")
    results: list[list[Measurement]] = [[] for _ in requests]
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as processes:
        for _ in range(repeats):
            for request, measured in zip(requests, results, strict=True):
                measured.append(processes.apply(measure_once, (request,)))
    return results


def measure_once(request: Request) -> Measurement:
    """One run in this process."""
    if request.threads:
        torch.set_num_threads(request.threads)
    family, device = find_family(request.models), pick_device(request.device)
    dtype = pick_dtype(device, request.dtype)
    artwork = read_picture(request.artwork)
    torch.zeros(1, device=device)  # the device's own start is no part of a run
    with tempfile.TemporaryDirectory() as folder, HostMemory() as host:
        watch = Watch(peak=lambda: peak_memory(device), clock=lambda: clock(device))
        if request.plan == "original":
            frames = run_original(family, device, dtype, artwork, request.options, watch, Path(folder))
        else:
            engine = watched_engine(Parts(family, device, dtype, compiled=request.compiled), request.plan, watch)
            frames = engine.undo(artwork, request.options, Path(folder) / "run", watch.on_progress).frames
        watch.finish()
    stages = watch.by_stage()
    return Measurement(
        plan=request.plan,
        seconds=sum(numbers["seconds"] for numbers in stages.values()),
        stages=stages,
        loading=watch.loading_of_parts(),
        first_step=watch.first_step,
        host_peak=peak_resident_bytes(),
        frames=frames,
        host_memory=host.samples,
    )


def run_original(
    family: ModelFamily,
    device: torch.device,
    dtype: torch.dtype,
    artwork: np.ndarray,
    options: UndoOptions,
    watch: Watch,
    folder: Path,
) -> np.ndarray:
    """A whole run in the original's order of work, the video included; its frames."""
    runner = OriginalOrder(family, device, dtype, device, watch)
    if options.tag and not options.keyframes.prompt:
        watch.on_progress(Progress("tags", "tagging", 0, 1))
        assert family.tagger_model and family.tagger_tags, "checked where the request was made"
        options = with_prompt(options, Tagger(family.tagger_model, family.tagger_tags).prompt(artwork))
    frames = runner.undo(artwork, options)
    write_video(frames, folder / "timelapse.mp4", options.fps)
    return frames


def clock(device: torch.device) -> float:
    """Seconds, once everything asked of the device is done."""
    synchronize(device)
    return time.perf_counter()


class HostMemory:
    """Within this block, bytes of host memory over time."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, int]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> HostMemory:
        self._began = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLED_EVERY):
            self.samples.append((time.perf_counter() - self._began, resident_bytes()))


def with_options(options: UndoOptions, sampling_steps: int | None, operation_steps: list[int] | None) -> UndoOptions:
    """The options with fewer or more steps, and with a prompt of their own where nothing can tag."""
    keyframes, segments = options.keyframes, options.segments
    if sampling_steps is not None:
        keyframes = replace(keyframes, sampling_steps=sampling_steps)
        segments = replace(segments, sampling_steps=sampling_steps)
    if operation_steps is not None:
        keyframes = replace(keyframes, operation_steps=tuple(operation_steps))
    return replace(options, keyframes=keyframes, segments=segments)
