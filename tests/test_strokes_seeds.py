"""What a seed chooses: an order of the same work; and flips and adjusted colours, which change nothing for good."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from awkward_pictures import planned, scene
from strokes_figures import flattened, measured

from paints_undo.exports.lessons import what_is_done
from paints_undo.strokes.laying import painted_flats
from paints_undo.strokes.look import GROUND, KINDS, look
from paints_undo.strokes.operations import TOTAL, Operation
from paints_undo.strokes.order import Order
from paints_undo.strokes.process import Process

PICTURE = scene()
BEHIND = f"flat colour of {KINDS[GROUND]}"
FLIPS_ONLY, COLOURS_ONLY, BOTH = 1, 2, 3


@pytest.fixture(scope="module")
def process() -> Process:
    return planned("scene", BOTH)


def numbers(process: Process, kind: str) -> list[int]:
    return [number for number, one in enumerate(process.operations, 1) if one.kind == kind]


@pytest.mark.parametrize("seed", [0, FLIPS_ONLY, COLOURS_ONLY, BOTH, 5])
def test_most_seeds_have_a_habit_or_two_and_still_a_thousand_operations(seed: int) -> None:
    process = planned("scene", seed)
    flips, colours = numbers(process, "flip"), numbers(process, "adjust")
    assert len(process.operations) == TOTAL
    assert len(flips) in ((2, 4) if seed % 2 else (0,))
    assert len(colours) == (seed % 4 in (2, 3))
    for first, last in zip(flips[::2], flips[1::2], strict=True):
        assert 9 < last - first < 40
    assert (process.canvas(TOTAL) == PICTURE).all()
    assert (flattened(process.layers().values()) == PICTURE).all()


def test_the_canvas_is_mirrored_between_two_flips_and_its_layers_are_not(process: Process) -> None:
    first, last = numbers(process, "flip")[:2]
    for done in (first, first + 0.5, last - 1, last - 0.5):
        assert (process.canvas(done) == process.canvas(done, upright=True)[:, ::-1]).all()
    assert (process.canvas(first)[:, ::-1] == process.canvas(first - 1)).all()
    for done in (first - 1, last):
        assert (process.canvas(done) == process.canvas(done, upright=True)).all()
    assert (flattened(process.layers(first).values()) == process.canvas(first, upright=True)).all()


def test_flats_are_a_little_off_until_their_colours_are_adjusted(process: Process) -> None:
    (number,) = numbers(process, "adjust")
    for done in (number - 1, number):
        assert (flattened(process.layers(done).values()) == process.canvas(done, upright=True)).all()
    off, own = process.layers(number - 1)["flats"], process.layers(number)["flats"]
    assert (off[..., 3] == own[..., 3]).all()
    there = own[..., 3] == 255
    apart = np.abs(off[there].astype(int) - own[there]).max(1)
    assert 4 < apart.mean() < 50


def test_a_canvas_is_the_same_from_before_from_after_and_from_the_file(process: Process, tmp_path: Path) -> None:
    process.write(tmp_path / "operations.json.gz")
    read = Process.read(tmp_path / "operations.json.gz", PICTURE)
    assert numbers(read, "flip") == numbers(process, "flip")
    about = sorted({number + k for kind in ("flip", "adjust") for number in numbers(process, kind) for k in (-1, 0, 1)})
    in_order = dict(zip(about, process.canvases(about), strict=True))
    for done in about[::-1]:
        assert (read.canvas(done) == in_order[done]).all()


def test_the_figures_leave_them_aside(process: Process) -> None:
    figures = measured(process, lines=False)
    assert figures.exact and figures.flattened and figures.unseen == 0
    assert figures.one_piece >= 0.95
    assert figures.back <= 0.02 and figures.undone <= 0.02


def test_the_steps_of_a_lesson_do_not_speak_of_them(process: Process) -> None:
    habits = [one for one in process.operations if one.kind in ("flip", "adjust")]
    assert what_is_done(habits) == ""


def test_they_stand_in_the_phase_in_which_they_come(process: Process) -> None:
    def phases(operations: tuple[Operation, ...]) -> list[str]:
        return list(dict.fromkeys(one.phase for one in operations))

    strokes = tuple(one for one in process.operations if one.kind == "stroke")
    assert phases(process.operations) == phases(strokes)


def flats_of(seed: int) -> list[Operation]:
    return [one for one in planned("scene", seed).operations if one.phase == "flats" and one.kind == "stroke"]


def test_every_order_has_every_flat_once() -> None:
    findings = look(scene())
    flats = painted_flats(findings)
    for seed in range(25):
        order = Order.of(seed).of_flats(findings, flats, 500, np.random.default_rng(seed))
        assert sorted(order) == flats.tolist()


def test_no_two_of_25_seeds_choose_alike() -> None:
    chosen = {(way.kinds, way.within) for way in map(Order.of, range(7, 32))}
    assert len(chosen) == 25


def test_one_seed_begins_with_the_figure_and_another_with_the_background() -> None:
    figure, ground = ([one.title == BEHIND for one in flats_of(seed)] for seed in (0, 1))
    assert not figure[0] and figure[-1]
    assert ground[0] and not ground[-1]
