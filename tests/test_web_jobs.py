"""Jobs of the web app: one at a time, cancelled and paused between sampling steps, never left behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

import pytest
from running_app import until

from paints_undo.errors import InputError
from paints_undo.progress import OnProgress, Progress
from paints_undo.web.jobs import Job, Queue, end_all, queue_of


def counting(steps: int, seconds: float, seen: list[int]) -> Callable[[OnProgress], None]:
    def work(on_progress: OnProgress) -> None:
        for done in range(1, steps + 1):
            time.sleep(seconds)
            seen.append(done)
            on_progress(Progress("keyframes", "sampling", done, steps))

    return work


@pytest.fixture
def queue() -> Queue:
    return Queue("test")


def started(queue: Queue, work: Callable[[OnProgress], None], **options) -> Job:
    job = Job(queue, work, **options)
    queue.submit(job)
    return job


def test_a_job_reports_and_ends(queue) -> None:
    seen, updates = [], []
    job = started(queue, counting(6, 0.02, seen), told=lambda job: updates.append(job.update()))
    assert job.wait(5) and job.outcome == "finished" and job.ended
    until(lambda: len(updates) == 8)
    assert seen == list(range(1, 7))
    assert [update.progress.done for update in updates[:-2]] == seen
    assert 0 < updates[2].outlook.left_s < 1 and 0.2 < updates[2].outlook.share < 0.8
    assert updates[2].elapsed_s > 0 and updates[2].ahead == 0
    assert updates[-1].progress is None


def test_cancelling_takes_effect_before_the_next_step(queue) -> None:
    seen: list[int] = []
    job = started(queue, counting(500, 0.02, seen))
    until(lambda: len(seen) > 2)
    job.cancel()
    assert job.update().cancelling
    done_then = len(seen)
    assert job.wait(1) and job.outcome == "cancelled"
    assert len(seen) <= done_then + 1


def test_jobs_run_one_at_a_time_in_the_order_they_came(queue) -> None:
    order, together, at_work = [], [], threading.Semaphore(1)

    def work(name: str) -> Callable[[OnProgress], None]:
        def run(on_progress: OnProgress) -> None:
            together.append(at_work.acquire(blocking=False))
            order.append(name)
            time.sleep(0.05)
            at_work.release()

        return run

    jobs = [started(queue, work(name)) for name in "abc"]
    assert jobs[2].update().ahead == 2
    assert all(job.wait(5) for job in jobs)
    assert order == ["a", "b", "c"] and all(together)


def test_a_waiting_job_can_be_cancelled_at_once(queue) -> None:
    seen: list[int] = []
    first, second = started(queue, counting(20, 0.02, [])), started(queue, counting(1, 0, seen))
    second.cancel()
    assert second.outcome == "cancelled" and not first.ended and seen == []
    assert first.wait(5) and first.outcome == "finished" and seen == []


def test_a_pause_holds_the_work_and_loses_none(queue) -> None:
    seen: list[int] = []
    job = started(queue, counting(10, 0.01, seen))
    until(lambda: len(seen) > 1)
    job.pause()
    time.sleep(0.05)
    held_at = len(seen)
    time.sleep(0.05)
    assert len(seen) == held_at < 10 and job.update().paused and not job.ended
    job.resume()
    assert job.wait(5) and job.outcome == "finished" and seen == list(range(1, 11))


def test_a_paused_job_makes_way_for_others(queue) -> None:
    seen: list[int] = []
    job = started(queue, counting(500, 0.01, seen))
    until(lambda: len(seen) > 1)
    job.pause()
    other = started(queue, counting(1, 0, []))
    assert other.wait(5) and other.outcome == "finished"
    assert job.wait(1) and job.outcome == "paused"
    waiting = started(queue, counting(20, 0.02, []))
    behind = started(queue, counting(1, 0, []))
    behind.pause()
    assert behind.outcome == "paused" and not waiting.ended
    waiting.cancel()


def test_a_paused_job_can_be_cancelled(queue) -> None:
    seen: list[int] = []
    job = started(queue, counting(500, 0.01, seen))
    until(lambda: len(seen) > 1)
    job.pause()
    job.cancel()
    assert job.wait(1) and job.outcome == "cancelled"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [(InputError("out of paint"), "out of paint"), (MemoryError("no room"), "no room"), (KeyError("x"), "")],
)
def test_an_error_ends_its_own_job_alone(queue, error, sentence) -> None:
    def broken(on_progress: OnProgress) -> None:
        raise error

    job, after = started(queue, broken), started(queue, counting(1, 0, []))
    assert job.wait(5) and (job.outcome, job.sentence) == ("failed", sentence)
    assert after.wait(5) and after.outcome == "finished"


def test_a_device_has_one_queue() -> None:
    assert queue_of("somewhere") is queue_of("somewhere") is not queue_of("elsewhere")


def test_work_is_done_in_the_context_of_who_asked(queue) -> None:
    asked_by, seen = ContextVar("asked_by", default="nobody"), []
    first = started(queue, lambda on_progress: seen.append(asked_by.get()))
    asked_by.set("a visitor")
    second = started(queue, lambda on_progress: seen.append(asked_by.get()))
    assert first.wait(5) and second.wait(5) and seen == ["nobody", "a visitor"]


def test_when_the_program_ends_nothing_computes_any_more() -> None:
    seen: list[int] = []
    jobs = [started(queue_of("ending"), counting(1000, 0.01, seen)) for _ in range(2)]
    until(lambda: bool(seen))
    end_all(within_s=5)
    assert [job.outcome for job in jobs] == ["cancelled"] * 2 and len(seen) < 900
