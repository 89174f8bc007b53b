"""Figures as tables and plain values."""

import json

import numpy as np

from paints_undo.bench import report
from paints_undo.bench.count import Count
from paints_undo.bench.measure import Measurement

STAGE = {"seconds": 2.0, "loading": 0.5, "peak_bytes": 0}


def run(seconds: float, frame: int = 0) -> Measurement:
    return Measurement(
        plan="auto",
        seconds=seconds,
        stages={"segments sampling": {**STAGE, "seconds": seconds}},
        first_step={"segments": 1.5},
        host_peak=2**30,
        frames=np.full((1, 2, 2, 3), frame, np.uint8),
        host_memory=[(0.0, 1)],
    )


COUNTED = Count(
    "auto",
    {"segments sampling": {"flop": 3e12, "weight_bytes": 2e9, "activation_bytes": 1e9, "peak_bytes": 2**31}},
    loads=8,
)


def test_medians_and_spread_of_the_runs():
    values = report.summary([run(2.0), run(5.0), run(3.0)], COUNTED)
    assert values["seconds"] == {"median": 3.0, "least": 2.0, "most": 5.0}
    stage = values["stages"]["segments sampling"]
    assert stage["flop_per_second"] == 3e12 / 2.5  # loading is no arithmetic
    assert values["counted"]["bytes_moved"] == 3e9 and values["counted"]["loads"] == 8
    json.dumps(values)
    assert "first step of the segments after 1.50 s" in report.plan_lines(values)
    assert "| segments sampling |" in report.stage_table(values) and "1200" in report.stage_table(values)


def test_two_plans_are_compared_run_by_run():
    compared = report.compare([run(2.0), run(2.0)], [run(4.0, frame=1), run(6.0)])
    assert compared["times_faster"] == {"median": 2.5, "least": 2.0, "most": 3.0}
    assert compared["greatest_difference"] == 1 and compared["share_different"] == 1.0


def test_the_last_row_of_a_count_is_the_run():
    rows = report.count_table(COUNTED).splitlines()
    assert [cell.strip() for cell in rows[-1].strip("|").split("|")] == ["run", "3.000", "2.000", "1.000", "2.00"]
    assert len({len(row) for row in rows}) == 1


def test_the_machine_is_named():
    named = report.machine("cpu", None)
    assert named["processor"] and named["versions"]["torch"] and named["device"].startswith("cpu")
