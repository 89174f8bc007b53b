"""Somebody watches while an artwork is drawn in strokes: early, honestly, and without the film being drawn twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from awkward_pictures import planned, scene

from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.progress import Progress
from paints_undo.run.course import course_of
from paints_undo.strokes.process import Process
from paints_undo.strokes_engine import Strokes
from paints_undo.time_left import COSTS

OPTIONS = UndoOptions(
    KeyframeOptions(operation_steps=(200, 700), seed=3), SegmentOptions(), fps=12, tag=False, fit="own", seconds=3
)


@pytest.fixture(scope="module")
def artwork() -> np.ndarray:
    return scene()


def test_the_first_strokes_are_seen_before_the_rest_is_planned(artwork: np.ndarray) -> None:
    seen: list[Progress] = []
    process = Strokes().process_of(artwork, OPTIONS, on_progress=seen.append)
    assert [(one.detail, one.done) for one in seen] == [("planning", part) for part in range(5)]
    first, third = (seen[part].preview for part in (1, 3))
    assert first is not None and third is not None
    assert 0 < (first() < 250).mean() < (third() < 250).mean()
    shown, begun = first(), process.canvas(26)
    assert shown.shape == begun.shape
    marks = (shown < 250).any(2)
    assert (begun[marks] < 255).any(1).mean() > 0.9, "they are strokes of the process"


def test_whoever_cancels_while_it_is_planned_waits_for_no_plan(artwork: np.ndarray) -> None:
    class Cancelled(Exception):
        pass

    told = []

    def cancel(progress: Progress) -> None:
        told.append(progress.done)
        if progress.done == 1:
            raise Cancelled

    engine = Strokes()
    with pytest.raises(Cancelled):
        engine.process_of(artwork, OPTIONS, on_progress=cancel)
    assert told == [0, 1]
    assert len(engine.process_of(artwork, OPTIONS).operations) == 1000


def test_threads_that_share_a_process_see_its_canvases(artwork: np.ndarray) -> None:
    wanted = [*range(50, 1000, 95), *range(930, 40, -95)]
    alone = planned("scene", 3)
    expected = {done: alone.canvas(done) for done in wanted}
    shared = Process(alone.plan, artwork)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda done: (done, shared.canvas(done)), wanted * 2))
    assert all(np.array_equal(canvas, expected[done]) for done, canvas in found)


def test_a_job_says_how_long_strokes_take() -> None:
    engine, options = Strokes(), Strokes().default_options

    def expected(shape: tuple[int, int, int]) -> float:
        course = course_of(engine, options, shape)
        return sum(COSTS.of("strokes of another machine", part) for part in course.parts)

    assert 2 < expected((448, 384, 3)) < 10 and 8 < expected((1350, 1080, 3)) < 30
