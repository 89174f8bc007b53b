"""Jobs of the web app: one at a time, cancelled between sampling steps, never left behind."""

from __future__ import annotations

import threading
import time

import pytest

from paints_undo.errors import Cancelled, InputError
from paints_undo.progress import OnProgress, Progress
from paints_undo.web.jobs import Jobs


def counting(steps: int, seconds: float, seen: list[int]):
    def work(on_progress: OnProgress) -> str:
        for done in range(1, steps + 1):
            time.sleep(seconds)
            seen.append(done)
            on_progress(Progress("keyframes", "sampling", done, steps))
        return "drawn"

    return work


def test_a_job_reports_and_returns() -> None:
    seen: list[int] = []
    with Jobs().start("page", counting(12, 0.1, seen)) as job:
        updates = list(job.updates())
        assert job.result() == "drawn"
    assert seen == list(range(1, 13))
    told = [update for update in updates if update.left_s is not None]
    assert told, "a job of more than a second tells the time left"
    assert 0 < told[0].left_s < 5
    assert updates[-1].progress.total == 12 and updates[-1].ahead == 0


def test_cancelling_takes_effect_before_the_next_step() -> None:
    seen: list[int] = []
    jobs = Jobs()
    with jobs.start("page", counting(100, 0.05, seen)) as job:
        next(job.updates())
        assert jobs.cancel("page")
        done_then = len(seen)
        with pytest.raises(Cancelled):
            job.result()
    assert len(seen) <= done_then + 1
    assert not jobs.busy("page") and not jobs.cancel("page")


def test_leaving_the_page_cancels() -> None:
    seen: list[int] = []

    def watch():
        with Jobs().start("page", counting(100, 0.05, seen)) as job:
            yield from job.updates()

    page = watch()
    next(page)
    page.close()  # what gradio does when the tab is closed
    time.sleep(0.3)
    stopped_at = len(seen)
    time.sleep(0.3)
    assert len(seen) == stopped_at < 100


def test_jobs_run_one_at_a_time_in_the_order_they_came() -> None:
    jobs, order, together = Jobs(), [], []
    at_work = threading.Semaphore(1)

    def work(name: str):
        def run(on_progress: OnProgress) -> None:
            together.append(at_work.acquire(blocking=False))
            order.append(name)
            time.sleep(0.4)
            at_work.release()

        return run

    with jobs.start("a", work("a")) as a, jobs.start("b", work("b")) as b, jobs.start("c", work("c")) as c:
        assert next(c.updates()).ahead == 2
        for job in (a, b, c):
            job.result()
    assert order == ["a", "b", "c"] and all(together)


def test_a_waiting_job_can_be_cancelled_and_lets_the_next_one_pass() -> None:
    jobs, seen = Jobs(), []
    with jobs.start("a", counting(10, 0.1, [])) as a, jobs.start("b", counting(1, 0, seen)) as b:
        jobs.cancel("b")
        with pytest.raises(Cancelled):
            b.result()
        assert not a.finished and seen == []
        with jobs.start("c", counting(1, 0, seen)) as c:
            assert c.result() == "drawn"
        assert a.finished


def test_a_page_has_one_job() -> None:
    jobs = Jobs()
    with jobs.start("page", counting(5, 0.1, [])), pytest.raises(InputError, match="still at work"):
        jobs.start("page", counting(1, 0, []))


def test_an_error_reaches_the_page_and_frees_the_line() -> None:
    def broken(on_progress: OnProgress) -> None:
        raise ValueError("out of paint")

    jobs = Jobs()
    with jobs.start("page", broken) as job, pytest.raises(ValueError, match="out of paint"):
        job.result()
    with jobs.start("page", counting(1, 0, [])) as job:
        assert job.result() == "drawn"
