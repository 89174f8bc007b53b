"""Independent pieces of work side by side in threads of this process, each with its share of the CPU's cores.

A small network's layers are too little work for several cores at once: they wait for each other at the end of every
one.  A few segments at a time, each on cores of its own, wait only at the end of the run.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from contextvars import copy_context
from threading import Lock
from typing import TypeVar

import torch

from paints_undo.errors import Cancelled
from paints_undo.progress import Preview, Report

MOST_LANES = 4

Result = TypeVar("Result")


def lanes_for(cores: int) -> int:
    """The lanes that leave the fewest of so many cores idle, each lane having the same number; many rather than few."""
    return max(range(1, MOST_LANES + 1), key=lambda lanes: (cores // lanes * lanes, lanes))


class Lanes:
    """So many threads for one round of work; with one lane the calling thread does it.

    A lane has the same number of cores whether the others have work or not: how many threads share a sum decides about
    its last bit, and a run that is continued is to come to the same pictures.
    """

    def __init__(self, count: int):
        self.count = count
        self._turn = Lock()
        self._stopping = False

    def run(self, works: Sequence[Callable[[], Result]]) -> Iterator[tuple[int, Result]]:
        """Yield (place among the works, what it returned) of each as it is done.

        The first error ends it, and so does closing the generator: works under way end at their next turn.
        """
        if self.count == 1:
            yield from ((place, work()) for place, work in enumerate(works))
            return
        cores = torch.get_num_threads()
        share = max(1, cores // self.count)
        inference = torch.is_inference_mode_enabled()  # which is a thread's own matter, like context variables

        def entered(work: Callable[[], Result]) -> Result:
            with torch.inference_mode(inference):
                return work()

        with ThreadPoolExecutor(self.count, "lane", torch.set_num_threads, (share,)) as pool:
            places: dict[Future[Result], int] = {}
            try:
                for place, work in enumerate(works):
                    places[pool.submit(copy_context().run, entered, work)] = place
                for future in as_completed(list(places)):
                    yield places.pop(future), future.result()
            finally:
                self._stopping = True
                pool.shutdown(cancel_futures=True)
                torch.set_num_threads(cores)  # for threads to come, too

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Within this block of a work the other lanes' blocks wait.  Raises Cancelled when the work is to end."""
        with self._turn:
            if self._stopping:
                raise Cancelled
            yield


class JointProgress:
    """The reports of works in lanes as those of one: steps are summed up, and the first work under way is seen.

    sizes: how many pictures, or segments, each work draws at once.
    """

    def __init__(self, lanes: Lanes, report: Report, sizes: Sequence[int]):
        self._lanes, self._report, self._sizes = lanes, report, sizes
        self._done = [0] * len(sizes)
        self._at_once = sum(sorted(sizes, reverse=True)[: lanes.count])

    def begin(self, total: int) -> None:
        """Report that the works begin, each with so many steps."""
        if self._sizes:
            self._report(0, total * sum(self._sizes), None, self._at_once)

    def step(self, place: int, done: int, total: int, preview: Preview) -> None:
        """Report that a work has done so many of its steps.  Raises Cancelled when it is to end."""
        with self._lanes.turn():
            seen = place == min(i for i, size in enumerate(self._sizes) if self._done[i] < total * size)
            self._done[place] = done * self._sizes[place]
            self._report(sum(self._done), total * sum(self._sizes), preview if seen else None, self._at_once)
