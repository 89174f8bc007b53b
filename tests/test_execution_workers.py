"""Worker processes share the pairs, and one that dies, fails or is cancelled loses nothing that was finished."""

import os
from functools import partial

import numpy as np
import pytest

from paints_undo.errors import Cancelled, InputError
from paints_undo.execution.workers import Workers
from paints_undo.progress import Progress, ignore

OPTIONS = None  # real ones would make every worker import everything
PICTURES = [np.full((4, 4, 3), value, np.uint8) for value in range(8)]


class Adder:
    """An engine whose frames say which pair they are and who drew them."""

    def __init__(self, number: int, fails_at: int | None = None, dies_at: int | None = None):
        self.number, self.fails_at, self.dies_at = number, fails_at, dies_at

    def fill_pairs(self, pictures, options, on_progress, wanted, seeds, keep):
        for done, pair in enumerate(wanted, start=1):
            if pair == self.fails_at:
                raise InputError("pair 3 is impossible; take another")
            if pair == self.dies_at:
                os._exit(1)
            on_progress(Progress("segments", "sampling", done, len(wanted)))
            frames = np.full((16, 4, 4, 3), pictures[pair + 1][0, 0, 0], np.uint8)
            frames[0] = self.number
            keep(pair, frames)


def fill(workers, on_progress=ignore):
    found = {}
    workers.fill_pairs(PICTURES, OPTIONS, on_progress, range(7), range(7), found.__setitem__)
    return found


def workers_of(*options):
    return Workers([(f"cpu {number}", partial(Adder, number, **o)) for number, o in enumerate(options)], threads=1)


def test_the_pairs_are_shared_out_and_the_workers_used_again():
    workers, told = workers_of({}, {}), []
    try:
        for _ in range(2):
            found = fill(workers, told.append)
            assert sorted(found) == list(range(7))
            assert all((found[pair][1:] == pair + 1).all() for pair in found)
            assert [found[pair][0, 0, 0, 0] for pair in range(7)] == [0, 0, 0, 0, 1, 1, 1]
    finally:
        workers.close()
    assert {(p.stage, p.total) for p in told} == {("segments", 1000)} and max(p.done for p in told) == 1000


def test_what_a_dead_worker_leaves_is_done_by_the_others():
    workers = workers_of({}, {"dies_at": 5})
    try:
        found = fill(workers)
    finally:
        workers.close()
    assert sorted(found) == list(range(7)) and all((found[pair][1:] == pair + 1).all() for pair in found)
    assert found[5][0, 0, 0, 0] == 0


def test_a_worker_that_is_dead_before_it_is_asked_is_done_without():
    workers = workers_of({}, {})
    try:
        fill(workers)
        workers._alive[1].process.kill()
        workers._alive[1].process.join()
        found = fill(workers)
    finally:
        workers.close()
    assert sorted(found) == list(range(7)) and {int(frames[0, 0, 0, 0]) for frames in found.values()} == {0}


def test_all_dead():
    workers = workers_of({"dies_at": 0})
    with pytest.raises(RuntimeError, match="all worker processes ended unexpectedly"):
        fill(workers)


def test_an_error_is_raised_as_it_is():
    workers = workers_of({"fails_at": 3}, {})
    with pytest.raises(InputError, match="pair 3 is impossible; take another"):
        fill(workers)
    workers.close()


def test_cancelling_ends_the_processes():
    workers = workers_of({}, {})

    def stop(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        fill(workers, stop)
    assert workers._alive == []


def test_too_few_workers():
    with pytest.raises(InputError, match="workers are 0; use 1 to 64"):
        Workers([], threads=1)
