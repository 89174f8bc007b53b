"""Runs with a clock, each by a plan of one's choice and in a fresh process, so that none warms or burdens the next."""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from memory_management import peak_memory, pick_device, synchronize
from paints_undo.bench.host_memory import peak_resident_bytes, resident_bytes
from paints_undo.engine import Engine
from paints_undo.errors import InputError
from paints_undo.execution.plan import GIB, NAMES
from paints_undo.options import UndoOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.pipeline import PaintsUndo
from paints_undo.progress import Progress

PLANS = ("auto", *NAMES)
PLENTY = 1024.0  # GiB, more than the fastest plan of any run needs
SAMPLED_EVERY = 0.05  # seconds


def check_plan(plan: str) -> None:
    """Raises InputError for a name that is none."""
    if plan not in PLANS:
        raise InputError(f"plan is {plan!r}; use one or more of {', '.join(PLANS)}, with commas between them")


def engine_by(plan: str, options: UndoOptions, load: Callable[[str], Engine]) -> Engine:
    """The engine that works by this plan, in as little memory as it has under that name; "auto": its own choice.

    load: gives an engine for so many GiB, as PaintsUndo.load(vram=...).  Raises InputError where the device has no
    such plan, or too little memory for it.
    """
    check_plan(plan)
    if plan == "auto":
        return load("auto")
    found, vram, names = None, PLENTY, []
    while found is None or names[-1] == plan:
        engine = load(str(vram))
        try:
            candidate = engine.plan(options)
        except InputError:  # too little memory for any
            break
        if candidate.need > vram * GIB:  # on a CPU too little is no hindrance
            break
        names.append(candidate.plan.name)
        found = engine if names[-1] == plan else found
        vram = candidate.need / GIB - 0.001  # too little for this one
    if found is None:
        raise InputError(f"the plan {plan} is none of those that this device has memory for: {', '.join(names)}")
    return found


class Watch:
    """Follows one run: what each of its stages took, by the names of its reports, such as "segments sampling".

    A stage begins where the one before has reported its last unit, so that what it loads is its own.
    """

    def __init__(self, peak: Callable[[], int] = int, clock: Callable[[], float] = time.perf_counter):
        """peak: the highest number of living bytes since the last call."""
        self.stages: dict[str, dict[str, float]] = {}  # in order -> seconds, loading, peak_bytes
        self.first_step: dict[str, float] = {}  # "keyframes" and "segments" -> seconds since the run began
        self._peak, self._clock = peak, clock
        self._began = self._last = clock()

    def on_progress(self, progress: Progress) -> None:
        """To be given to the run."""
        self._take(f"{progress.stage} {progress.detail}")
        if progress.detail == "sampling" and progress.done:
            self.first_step.setdefault(progress.stage, self._last - self._began)

    def finish(self) -> None:
        """The run has ended: what came after its last report was the last stage's."""
        self._take(next(reversed(self.stages)))

    def _take(self, stage: str) -> None:
        """Give everything since the last reading to this stage; until its first report its network was loading."""
        now = self._clock()
        numbers = self.stages.setdefault(stage, {"seconds": 0.0, "loading": now - self._last, "peak_bytes": 0})
        numbers["seconds"] += now - self._last
        numbers["peak_bytes"] = max(numbers["peak_bytes"], self._peak())
        self._last = now


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

    def engine(self, vram: str = "auto") -> PaintsUndo:
        """A new engine for so many GiB."""
        return PaintsUndo.load(self.models, self.device, self.dtype, vram=vram, compiled=self.compiled)


@dataclass
class Measurement:
    """What one run took."""

    plan: str
    seconds: float  # from nothing loaded to the finished video
    stages: dict[str, dict[str, float]]  # stage -> seconds, loading, peak_bytes (of CUDA or, on a CPU, of the process)
    first_step: dict[str, float]  # kind of sampling -> seconds from the start to its first finished step
    host_peak: int  # bytes
    frames: np.ndarray  # uint8 (n, h, w, 3)
    host_memory: list[tuple[float, int]] = field(default_factory=list)  # (seconds, bytes)


def measure(requests: list[Request], repeats: int) -> list[list[Measurement]]:
    """Each request `repeats` times, in turn; one list of measurements for each request."""
    if repeats < 1:
        raise InputError(f"repeats is {repeats}; use 1 or more")
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as processes:
        rounds = [[processes.apply(measure_once, (request,)) for request in requests] for _ in range(repeats)]
    return [list(runs) for runs in zip(*rounds, strict=True)]


def measure_once(request: Request) -> Measurement:
    """One run in this process."""
    if request.threads:
        torch.set_num_threads(request.threads)
    device, artwork = pick_device(request.device), read_picture(request.artwork)
    torch.zeros(1, device=device)  # the device's own start is no part of a run
    engine = engine_by(request.plan, request.options, request.engine)
    with tempfile.TemporaryDirectory() as folder, sampling_memory() as host_memory:
        peak = peak_of(host_memory) if device.type == "cpu" else partial(peak_memory, device)
        watch = Watch(peak=peak, clock=partial(clock, device))
        frames = engine.undo(artwork, request.options, Path(folder) / "run", watch.on_progress).frames
        watch.finish()
    return Measurement(
        plan=request.plan,
        seconds=sum(numbers["seconds"] for numbers in watch.stages.values()),
        stages=watch.stages,
        first_step=watch.first_step,
        host_peak=peak_resident_bytes(),
        frames=frames,
        host_memory=host_memory,
    )


def clock(device: torch.device) -> float:
    """Seconds, once everything asked of the device is done."""
    synchronize(device)
    return time.perf_counter()


def peak_of(samples: list[tuple[float, int]]) -> Callable[[], int]:
    """Gives the most bytes among the samples since it was last called, and now."""
    seen = 0

    def peak() -> int:
        nonlocal seen
        begin, seen = seen, len(samples)
        return max([resident_bytes(), *(size for _, size in samples[begin:seen])])

    return peak


@contextmanager
def sampling_memory() -> Iterator[list[tuple[float, int]]]:
    """Within this block the list grows: seconds since it began, and the bytes of host memory then."""
    samples: list[tuple[float, int]] = []
    began, ended = time.perf_counter(), threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLED_EVERY):
            samples.append((time.perf_counter() - began, resident_bytes()))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()
