"""Work side by side in threads: results, cores, settings of a thread, errors and ends."""

import threading
import time
from collections.abc import Callable, Generator
from contextvars import ContextVar
from functools import partial

import numpy as np
import pytest
import torch
from conftest import torch_threads

from paints_undo import Cancelled, KeyframeOptions, PaintsUndo, SegmentOptions
from paints_undo.execution.lanes import JointProgress, Lanes, lanes_for
from paints_undo.progress import ignore

word: ContextVar[str] = ContextVar("word", default="nothing")


@pytest.mark.parametrize(
    ("cores", "lanes"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 1), (6, 3), (7, 1), (8, 4), (10, 2), (12, 4), (64, 4)]
)
def test_no_core_is_idle_and_lanes_are_many(cores, lanes):
    assert lanes_for(cores) == lanes


def test_one_lane_works_in_the_calling_thread_when_it_is_asked():
    begun = []
    results = Lanes(1).run([partial(begun.append, 0), partial(begun.append, 1)])
    assert begun == [] and next(results) == (0, None) and begun == [0]


def test_several_lanes_work_at_once(two_cores):
    meeting = threading.Barrier(2, timeout=20)
    done = dict(Lanes(2).run([lambda: meeting.wait() >= 0, lambda: meeting.wait() >= 0]))
    assert done == {0: True, 1: True}


def test_each_result_comes_as_it_is_done(two_cores):
    gate = threading.Event()
    results = Lanes(2).run([lambda: gate.wait(20), lambda: "first"])
    assert next(results) == (1, "first")
    gate.set()
    assert list(results) == [(0, True)]


def test_a_lane_has_its_share_of_the_cores_and_the_settings_of_the_caller(two_cores):
    def seen():
        return torch.get_num_threads(), torch.is_inference_mode_enabled(), word.get()

    word.set("mine")
    with torch.inference_mode():
        assert dict(Lanes(2).run([seen])) == {0: (1, True, "mine")}  # though the other lane has no work
    assert dict(Lanes(2).run([seen])) == {0: (1, False, "mine")}
    assert torch.get_num_threads() == 2
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [2]


def test_blocks_take_turns(two_cores):
    lanes, inside, most = Lanes(2), [], []

    def work():
        for _ in range(20):
            with lanes.turn():
                inside.append(0)
                most.append(len(inside))
                time.sleep(0.0005)
                inside.pop()

    list(lanes.run([work, work]))
    assert max(most) == 1 and len(most) == 40


def test_an_error_ends_the_others_at_their_next_turn(two_cores):
    lanes, ended = Lanes(2), []

    def endless():
        try:
            while True:
                with lanes.turn():
                    time.sleep(0.001)
        except Cancelled:
            ended.append("at its turn")
            raise

    def failing():
        raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        work: list[Callable[[], None]] = [endless, failing, partial(ended.append, "never begun")]
        list(lanes.run(work))
    assert ended == ["at its turn"]


def test_who_stops_asking_stops_the_work(two_cores):
    lanes, ended = Lanes(2), threading.Event()

    def endless():
        try:
            while True:
                with lanes.turn():
                    time.sleep(0.001)
        finally:
            ended.set()

    results = lanes.run([endless, lambda: 1])
    assert next(results) == (1, 1)
    assert isinstance(results, Generator)
    results.close()
    assert ended.is_set() and torch.get_num_threads() == 2


def test_steps_are_summed_and_the_first_work_under_way_is_seen():
    told = []
    progress = JointProgress(Lanes(2), lambda *said: told.append(said), [1, 2, 1])
    looks = [partial(np.full, (1, 1, 3), place) for place in range(3)]
    for place, done in [(1, 1), (0, 1), (1, 2), (0, 2), (2, 1), (1, 3), (0, 3), (2, 2), (2, 3)]:
        progress.step(place, done, 3, looks[place])
    assert [done for done, *_ in told] == [2, 3, 5, 6, 7, 9, 10, 11, 12]
    assert {(total, at_once) for _, total, _, at_once in told} == {(12, 3)}, "the largest two side by side"
    seen = [each for _, _, each, _ in told]
    assert seen == [None, looks[0], None, looks[0], None, None, looks[0], looks[2], looks[2]]


DRAWING = KeyframeOptions(prompt="1girl", operation_steps=[400, 999], width=96, height=64, sampling_steps=3)
FILLING = SegmentOptions(sampling_steps=3)
ARTWORK = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)


def drawn_and_filled(engine, watch=ignore):
    keyframes = engine.draw_keyframes(ARTWORK, DRAWING, watch)
    return keyframes, engine.fill_segments([ARTWORK, *keyframes, np.full_like(ARTWORK, 255)], FILLING, watch)


@pytest.fixture(scope="module")
def whole(tiny_family):
    """A run in two lanes that nobody stopped."""
    with torch_threads(2):
        return drawn_and_filled(PaintsUndo.load(tiny_family, device="cpu"))


@pytest.mark.parametrize(("stage", "sampled"), [("keyframes", 6), ("segments", 9)])
def test_a_run_in_lanes_is_the_same_when_it_was_stopped(two_cores, tiny_family, whole, stage, sampled):
    engine, told, threads = PaintsUndo.load(tiny_family, device="cpu"), [], set()

    def stop(progress):
        threads.add(threading.get_ident())
        if (progress.stage, progress.detail, progress.done) == (stage, "sampling", sampled - 2):
            raise Cancelled

    with pytest.raises(Cancelled):
        drawn_and_filled(engine, stop)
    again = drawn_and_filled(engine, told.append)
    assert engine.parts.plan.lanes == 2 and len(threads) >= 2
    assert all(np.array_equal(one, other) for one, other in zip(again, whole, strict=True)), "bit for bit"
    done = [p.done for p in told if p.stage == stage and p.detail == "sampling" and p.done]
    assert 0 < len(done) < sampled, "what was sampled before was sampled again"


def test_a_run_in_lanes_is_that_of_one_lane_but_for_rounding(two_cores, tiny_family, whole):
    alone = PaintsUndo.load(tiny_family, device="cpu", bit_exact=True)
    for one, other in zip(whole, drawn_and_filled(alone), strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1
    assert alone.parts.plan.lanes == 1
