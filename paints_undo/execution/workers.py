"""Several processes that share the segments of a run, one for each GPU, or some for the cores of a CPU.

A segment depends on nothing but its two pictures, its seed and the settings, so each process fills a part of them and
the frames are those that one process alone would have made.
"""

import logging
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np
import torch

from paints_undo.errors import EXPECTED, Cancelled, InputError
from paints_undo.options import SegmentOptions
from paints_undo.progress import OnProgress, Progress
from paints_undo.time_left import TimeLeft

log = logging.getLogger(__name__)

Keep = Callable[[int, np.ndarray], None]  # (pair, its frames uint8 (16, h, w, 3))
Load = Callable[[], Any]  # makes an engine, as far as fill_pairs(); must be picklable: it runs in the worker
MOST_WORKERS = 64


@dataclass
class Worker:
    """One process, as seen from here."""

    name: str
    process: BaseProcess
    pipe: Connection
    share: float = 0.0  # of its part that is done, 0..1


class Workers:
    """Processes that are started at the first use and wait for the next one until closed.

    loads: for each worker what makes its engine, and a name for messages.  threads: CPU threads of each worker.
    """

    def __init__(self, loads: Sequence[tuple[str, Load]], threads: int):
        if not 1 <= len(loads) <= MOST_WORKERS:
            raise InputError(f"workers are {len(loads)}; use 1 to {MOST_WORKERS}")
        self.loads = list(loads)
        self.threads = threads
        self._alive: list[Worker] = []

    def fill_pairs(
        self,
        pictures: Sequence[np.ndarray] | np.ndarray,
        options: SegmentOptions,
        on_progress: OnProgress,
        wanted: Sequence[int],
        seeds: Sequence[int],
        keep: Keep,
    ) -> None:
        """Hand the frames of each wanted pair to `keep` as soon as a worker has them.

        What a worker leaves behind that ends unexpectedly is given to the others.  Raises RuntimeError when none is
        left, and whatever a worker's computation or `on_progress` raises; all processes then end.
        """
        left = list(wanted)

        def kept(pair: int, frames: np.ndarray) -> None:
            keep(pair, frames)
            left.remove(pair)

        self._start()
        while left:
            if not self._alive:
                raise RuntimeError("all worker processes ended unexpectedly; see their messages above, or use fewer")
            parts = [part.tolist() for part in np.array_split(left, len(self._alive)) if len(part)]  # neighbours
            busy: dict[Any, Worker] = {worker.pipe: worker for worker in self._alive[: len(parts)]}
            try:
                for worker, part in zip(list(busy.values()), parts, strict=True):
                    worker.share = 0.0
                    try:
                        worker.pipe.send((list(pictures), options, part, list(seeds)))
                    except OSError:
                        self._lose(busy.pop(worker.pipe))
                while busy:
                    for pipe in wait(list(busy)):
                        if not self._listen(busy[pipe], kept, on_progress):
                            del busy[pipe]
            except BaseException:
                self.close()  # the pipes still hold what belongs to this run
                raise

    def close(self) -> None:
        """End all processes; the next use starts new ones."""
        for worker in self._alive:
            worker.process.terminate()
        for worker in self._alive:
            worker.process.join()
            worker.pipe.close()
        self._alive.clear()

    def _start(self) -> None:
        if self._alive:
            return
        context = multiprocessing.get_context("spawn")  # a forked process cannot use a GPU
        for name, load in self.loads:
            here, there = context.Pipe()
            process = context.Process(target=serve, args=(there, load, self.threads), daemon=True)
            process.start()
            there.close()
            self._alive.append(Worker(name, process, here))

    def _lose(self, worker: Worker) -> None:
        log.warning("the worker on %s ended unexpectedly; the others take over its segments", worker.name)
        self._alive.remove(worker)

    def _listen(self, worker: Worker, keep: Keep, on_progress: OnProgress) -> bool:
        """Take one message; whether more of this part will follow."""
        try:
            kind, *values = worker.pipe.recv()
        except (EOFError, OSError):
            self._lose(worker)
            return False
        if kind == "failed":
            raise values[0]
        if kind == "frames":
            keep(*values)
        if kind == "share":
            worker.share = values[0]
            mean = sum(other.share for other in self._alive) / len(self._alive)
            on_progress(Progress("segments", "drawing", round(1000 * mean), 1000))
        return kind != "done"


def serve(pipe: Connection, load: Load, threads: int) -> None:
    """The life of a worker: fill what comes through the pipe until its other end is closed."""
    torch.set_num_threads(threads)
    engine: Any = None
    try:
        while True:
            pictures, options, part, seeds = pipe.recv()
            time_left = TimeLeft()  # how much of the part is done, by the time that its kinds of work take

            def report(progress: Progress, time_left: TimeLeft = time_left) -> None:
                time_left(progress)
                pipe.send(("share", time_left.now()[0]))

            try:
                engine = engine or load()
                engine.fill_pairs(pictures, options, report, part, seeds, lambda *drawn: pipe.send(("frames", *drawn)))
                pipe.send(("done",))
            except Exception as error:
                pipe.send(("failed", plain(error)))
    except (EOFError, OSError, KeyboardInterrupt):
        return  # the program has ended or no longer wants this worker


def plain(error: Exception) -> Exception:
    """The error itself where its kind means something to the program, else a RuntimeError with its text."""
    known = isinstance(error, (*EXPECTED, Cancelled))
    return error if known else RuntimeError(f"a worker failed: {type(error).__name__}: {error}")
