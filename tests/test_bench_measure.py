"""Runs with a clock."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from paints_undo.bench import measure as measuring
from paints_undo.bench.measure import Measurement, Request, measure, measure_once
from paints_undo.errors import InputError
from paints_undo.pipeline import PaintsUndo


@pytest.fixture(scope="module")
def request_of(tiny_family, tmp_path_factory):
    artwork = tmp_path_factory.mktemp("artwork") / "artwork.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)).save(artwork)
    options = PaintsUndo.load(tiny_family, "cpu").default_options
    keyframes = replace(options.keyframes, sampling_steps=1, operation_steps=(500,))
    options = replace(options, keyframes=keyframes, segments=replace(options.segments, sampling_steps=1))
    return lambda plan: Request(str(tiny_family), str(artwork), options, plan, "cpu", threads=1)


@pytest.mark.parametrize("plan", ["auto", "sliced"])
def test_a_run_is_measured_stage_by_stage(request_of, plan):
    measured = measure_once(request_of(plan))
    assert measured.frames.shape[0] == 30
    assert {"tags tagging", "keyframes sampling", "segments sampling", "video encoding"} <= measured.stages.keys()
    assert measured.seconds == pytest.approx(sum(numbers["seconds"] for numbers in measured.stages.values()))
    assert measured.first_step["keyframes"] < measured.first_step["segments"] < measured.seconds
    assert measured.host_peak > 0 and measured.host_memory[0][0] < measured.host_memory[-1][0]


def test_plans_take_turns_in_processes_of_their_own(request_of, monkeypatch):
    turns = []

    class Pool:
        def __init__(self, processes, maxtasksperchild):
            assert (processes, maxtasksperchild) == (1, 1)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def apply(self, work, arguments):
            turns.append(arguments[0].plan)
            return Measurement(arguments[0].plan, 1.0, {}, {}, 0, np.zeros(0))

    monkeypatch.setattr(measuring.multiprocessing, "get_context", lambda kind: type("Spawn", (), {"Pool": Pool}))
    auto, sliced = measure([request_of("auto"), request_of("sliced")], repeats=2)
    assert turns == ["auto", "sliced"] * 2
    assert [m.plan for m in auto] == ["auto"] * 2 and [m.plan for m in sliced] == ["sliced"] * 2


def test_impossible_requests_are_refused(request_of):
    with pytest.raises(InputError, match="plan is 'fast'; use one or more of auto, resident"):
        measure_once(request_of("fast"))
    with pytest.raises(InputError, match="repeats is 0; use 1 or more"):
        measure([], 0)
