"""All items come to their end, whatever some of them do."""

import errno
from collections import Counter
from typing import Any

import pytest
from batch_pictures import items

from paints_undo.batch.items import WorkItem
from paints_undo.batch.ledger import BEGUN, Leases, Ledger
from paints_undo.batch.scheduling import Here, Schedule, Tally, WorkerDied
from paints_undo.batch.store import open_store
from paints_undo.batch.tasks import Task
from paints_undo.errors import CheckpointError, InputError
from paints_undo.progress import OnProgress


class Faulty:
    """A worker: faults are (error, how often) by the number of the item."""

    def __init__(self, some: list[WorkItem], faults: dict[int, tuple[Exception, int]]) -> None:
        self.faults: dict[str, list[Any]]
        self.faults = {some[number].key: list(fault) for number, fault in faults.items()}
        self.done = []

    def do(self, task: Task, on_progress: OnProgress) -> dict[str, Any]:
        fault = self.faults.get(task.item.key, [None, 0])
        if fault[1] > 0:
            fault[1] -= 1
            raise fault[0]
        self.done.append(task.item.name)
        return {"prompt": "x"}


class Several(Here):
    """Workers of which each does its task when it is waited for, the last one first; some die of it."""

    def __init__(self, worker, count):
        super().__init__(worker.do)
        self.size, self.tasks = count, []

    def submit(self, task):
        assert len(self.tasks) < self.size
        self.tasks.append(task)

    def wait(self):
        self._task = self.tasks.pop()
        return super().wait()


@pytest.fixture
def told():
    return []


def scheduled(tmp_path, pool, told, attempts=3):
    ledger = Ledger(open_store(str(tmp_path / "out")))
    leases = Leases(tmp_path / "out" / "leases")
    return Schedule(ledger, leases, pool, attempts, lambda tally, item, state, what: told.append((state, what)))


def test_what_is_done_is_passed_over_and_what_fails_is_tried_again(tmp_path, told):
    some = items(tmp_path / "art", 5)
    worker = Faulty(some, {1: (RuntimeError("bad  luck\nhere"), 2), 3: (InputError("is no picture"), 9)})
    tally = scheduled(tmp_path, Here(worker.do), told).work_through(some)
    assert (tally.done, tally.failed, tally.settled) == (4, 1, 5)
    assert ("again", "RuntimeError: bad luck here; it will be tried again") in told
    assert told.count(("failed", "is no picture")) == 1  # the same picture would be refused again
    assert not list((tmp_path / "out" / "leases").glob(f"{some[0].key[:32]}*"))

    worker = Faulty(some, {})
    tally = scheduled(tmp_path, Here(worker.do), told).work_through(some)
    assert worker.done == [] and (tally.before, tally.failed) == (4, 1)
    schedule = scheduled(tmp_path, Here(worker.do), told)
    schedule.ledger.forget_failures()
    assert schedule.work_through(some).done == 1


def test_attempts_have_a_limit_over_several_calls(tmp_path, told):
    some = items(tmp_path / "art", 2)
    for _ in range(2):
        worker = Faulty(some, {0: (RuntimeError("bad"), 9)})
        tally = scheduled(tmp_path, Here(worker.do), told, attempts=2).work_through(some)
        assert tally.failed == 1
    assert sum("tried again" in what for _, what in told) == 1


def test_an_item_that_kills_workers_is_left_alone(tmp_path, told):
    some = items(tmp_path / "art", 6)
    worker = Faulty(some, {2: (WorkerDied(), 9), 4: (WorkerDied(), 1)})
    schedule = scheduled(tmp_path, Several(worker, 3), told)
    tally = schedule.work_through(some)
    assert (tally.done, tally.failed) == (5, 1)
    assert ("failed", "its worker died 3 times while drawing it; it is left alone") in told
    assert schedule.ledger.history(some[2].key).final


def test_an_item_that_kills_the_driver_comes_last_and_then_is_left_alone(tmp_path, told):
    some = items(tmp_path / "art", 3)
    for number in (0, 0, 0, 1):  # drivers that ended without a word
        Ledger(open_store(str(tmp_path / "out"))).note(some[number], BEGUN)
    worker = Faulty(some, {})
    tally = scheduled(tmp_path, Here(worker.do), told).work_through(some)
    assert worker.done == [some[2].name, some[1].name] and tally.failed == 1
    assert any("its worker died 3 times" in what for _, what in told)


@pytest.mark.parametrize("error", [CheckpointError("no weights"), OSError(errno.ENOSPC, "no space left on device")])
def test_what_every_item_would_fail_of_ends_the_call(tmp_path, told, error):
    some = items(tmp_path / "art", 3)
    with pytest.raises(type(error)):
        scheduled(tmp_path, Here(Faulty(some, {1: (error, 9)}).do), told).work_through(some)
    worker = Faulty(some, {})  # nothing of it counts against the item
    assert scheduled(tmp_path, Here(worker.do), told, attempts=1).work_through(some).done == 2


def test_an_interrupt_gives_items_back(tmp_path, told):
    some = items(tmp_path / "art", 3)
    with pytest.raises(KeyboardInterrupt):
        scheduled(tmp_path, Here(Faulty(some, {1: (KeyboardInterrupt(), 1)}).do), told).work_through(some)
    ledger = Ledger(open_store(str(tmp_path / "out")))
    assert ledger.history(some[1].key).attempts == 0
    assert Leases(tmp_path / "out" / "leases").take(some[1].key)


def test_two_processes_draw_nothing_twice(tmp_path, told):
    some = items(tmp_path / "art", 6)

    class Meddler(Faulty):
        """Another process works through everything while this one is at its second item."""

        def do(self, task, on_progress):
            if len(self.done) == 1:
                other.work_through(some)
            return super().do(task, on_progress)

    theirs, ours = Faulty(some, {}), Meddler(some, {})
    other = scheduled(tmp_path, Here(theirs.do), told)
    tally = scheduled(tmp_path, Here(ours.do), told).work_through(some)
    assert Counter(theirs.done + ours.done) == Counter(item.name for item in some)
    assert (tally.done, tally.before, other.tally.elsewhere) == (2, 4, 1)


def test_a_picture_that_changed_or_went_is_told(tmp_path, told):
    some = items(tmp_path / "art", 3)
    (tmp_path / "art" / "picture 000.png").unlink()
    (tmp_path / "art" / "picture 001.png").write_bytes(b"another")
    tally = scheduled(tmp_path, Here(Faulty(some, {}).do), told).work_through(some)
    assert (tally.done, tally.failed) == (1, 2)
    assert any("cannot be read" in what for _, what in told)
    assert any("is another picture than its sha256 says" in what for _, what in told)


def test_nothing_to_do(tmp_path, told):
    assert scheduled(tmp_path, Here(Faulty([], {}).do), told).work_through([]).total == 0


def test_rate_and_time_left(monkeypatch):
    tally = Tally(total=10, before=3, since=0.0)
    monkeypatch.setattr("time.monotonic", lambda: 20.0)
    assert tally.seconds_left is None
    tally.done = 2
    assert tally.rate == 0.1 and tally.seconds_left == pytest.approx(50)
