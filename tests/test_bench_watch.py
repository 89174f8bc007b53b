"""A run's time falls to the right stages."""

import itertools

import pytest

from paints_undo.bench.watch import Watch
from paints_undo.progress import Progress


@pytest.fixture
def watch():
    return Watch(clock=itertools.count().__next__)


def test_all_of_the_time_is_given_to_some_stage(watch):
    for stage, detail, done in [
        ("tags", "tagging", 0),
        ("tags", "tagging", 1),
        ("keyframes", "sampling", 0),
        ("keyframes", "sampling", 1),
        ("keyframes", "sampling", 2),
        ("video", "encoding", 1),
    ]:
        watch.on_progress(Progress(stage, detail, done, 2))
    watch.finish()
    seconds = {stage: numbers["seconds"] for stage, numbers in watch.stages.items()}
    assert seconds == {"tags tagging": 2, "keyframes sampling": 3, "video encoding": 2}
    assert watch.first_step == {"keyframes": 5}


def test_what_comes_before_a_stages_first_report_is_its_loading(watch):
    for done in range(3):
        watch.on_progress(Progress("segments", "sampling", done, 2))
    assert watch.stages["segments sampling"]["loading"] == 1


def test_meters_rise_and_peaks_are_the_highest():
    flop, peaks = iter([0, 10, 13]), iter([5, 7])
    watch = Watch(lambda: {"flop": next(flop)}, lambda: next(peaks))
    watch.on_progress(Progress("segments", "sampling", 0, 1))
    watch.on_progress(Progress("segments", "sampling", 1, 1))
    numbers = watch.stages["segments sampling"]
    assert numbers["flop"] == 13 and numbers["peak_bytes"] == 7
