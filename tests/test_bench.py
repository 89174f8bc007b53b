"""The measurements: runs with a clock, by plans of one's choice, and how they are told."""

import argparse
import contextlib
import itertools
import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from paints_undo.bench import command, families, host_memory, report, work
from paints_undo.bench import measure as measuring
from paints_undo.bench.families import FULL, SMALL, FamilySizes, random_family, random_tensor, shapes_of, write_family
from paints_undo.bench.measure import Measurement, Request, Watch, engine_by, measure, measure_once
from paints_undo.bench.work import EQUAL, psnr, quality, ssim
from paints_undo.errors import InputError
from paints_undo.execution.plan import GIB, LADDER, RESIDENT, Candidate
from paints_undo.execution.plans import choose
from paints_undo.family.model_family import PARTS, open_family
from paints_undo.family.weights import load_part, load_tokenizer
from paints_undo.options import UndoOptions, with_profile
from paints_undo.pipeline import PaintsUndo
from paints_undo.progress import Progress

SSIM = 0.962488  # of these two, by equation 13 of Wang et al. 2004
TAKING = """
import numpy
from paints_undo.bench.host_memory import peak_resident_bytes, resident_bytes
before = resident_bytes()
taken = numpy.ones(64 * 2**20, numpy.uint8)
print(resident_bytes() - before, peak_resident_bytes() - resident_bytes())
"""
STAGE = {"seconds": 2.0, "loading": 0.5, "peak_bytes": 0}


@pytest.fixture
def parse():
    parser = argparse.ArgumentParser()
    command.add_commands(parser.add_subparsers())
    return lambda *words: parser.parse_args([str(word) for word in words])


def test_measured_plans_are_compared_and_written(parse, tiny_family, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(work, "measure", lambda requests, repeats: [[run(5.0)] * repeats, [run(2.0)] * repeats])
    words = ("--plan", "sliced,resident", "--repeats", 2, "--device", "cpu", "--json", tmp_path / "figures.json")
    chosen = parse("bench", "--models", tiny_family, *words)
    assert chosen.work(chosen) == 0
    assert "resident is 2.50 times as fast as sliced" in capsys.readouterr().out
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["plans"]["sliced"]["seconds"]["median"] == 5
    named = figures["machine"]
    assert named["processor"] and named["versions"]["torch"] and named["device"].startswith("cpu")


def test_the_fast_profile_is_compared_with_the_exact_one(parse, tiny_family, capsys, monkeypatch):
    drawn = {True: np.zeros((2, 40, 50, 3), np.uint8), False: np.full((2, 40, 50, 3), 2, np.uint8)}
    exact = with_profile(work.chosen_options(parse("bench"), str(tiny_family)), "exact")
    engine = SimpleNamespace(undo=lambda artwork, options: SimpleNamespace(frames=drawn[options == exact]))
    monkeypatch.setattr(work.PaintsUndo, "load", lambda *chosen: engine)
    chosen = parse("bench", "--models", tiny_family, "--quality", "--device", "cpu")
    assert chosen.work(chosen) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seconds"].keys() == {"exact", "fast"} and found["psnr"] == pytest.approx(42.11, abs=0.01)


def test_a_family_without_a_tagger_gets_a_prompt_and_there_is_one_family(parse, tiny_family, tmp_path):
    chosen = parse("bench", "--sampling-steps", 3)
    assert work.chosen_options(chosen, str(tiny_family)).tag and chosen.artwork.is_file()
    shutil.copytree(tiny_family, tmp_path / "bare", ignore=shutil.ignore_patterns("tagger"))
    options = work.chosen_options(chosen, str(tmp_path / "bare"))
    assert not options.tag and options.keyframes.prompt == work.PROMPT and options.segments.sampling_steps == 3
    with pytest.raises(SystemExit):
        parse("bench", "--size", "small", "--models", "mini")


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


def test_plans_take_turns_in_processes_of_their_own(monkeypatch):
    turns = []

    def pool(processes, maxtasksperchild):
        assert (processes, maxtasksperchild) == (1, 1)
        return contextlib.nullcontext(SimpleNamespace(apply=lambda work, given: turns.append(given[0]) or given[0]))

    monkeypatch.setattr(measuring.multiprocessing, "get_context", lambda kind: SimpleNamespace(Pool=pool))
    assert measure(["auto", "sliced"], repeats=2) == [["auto"] * 2, ["sliced"] * 2]
    assert turns == ["auto", "sliced"] * 2
    with pytest.raises(InputError, match="repeats is 0; use 1 or more"):
        measure([], 0)


CANDIDATES = [Candidate(plan, GIB * (20 - number), None) for number, plan in enumerate([RESIDENT, *LADDER])]

META, OPTIONS = torch.device("meta"), UndoOptions()


def engine(vram: str) -> Any:
    """Chooses as the real one does among plans of 20, 19, 18 ... GiB."""
    free = None if vram == "auto" else int(float(vram) * GIB)
    return SimpleNamespace(vram=vram, plan=lambda options: choose(CANDIDATES, free, META))


def test_each_plan_comes_in_as_little_memory_as_it_has_and_others_are_refused(monkeypatch):
    for wanted in CANDIDATES[1:]:
        assert engine_by(wanted.plan.name, OPTIONS, engine).plan(OPTIONS) is wanted
    assert engine_by("auto", OPTIONS, engine).vram == "auto"  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="plan is 'fast'; use one or more of auto, resident"):
        engine_by("fast", OPTIONS, engine)
    monkeypatch.setattr(f"{__name__}.CANDIDATES", CANDIDATES[:2])
    with pytest.raises(InputError, match="the plan least is none of those .*: resident, resident"):
        engine_by("least", OPTIONS, engine)


def test_all_of_the_time_is_given_to_some_stage_and_what_comes_before_its_first_report_is_loading():
    watch = Watch(itertools.count(5).__next__, itertools.count().__next__)
    reports = [("tags", "tagging", 2), ("keyframes", "sampling", 3), ("video", "encoding", 1)]
    for stage, detail, count in reports:
        for done in range(count):
            watch.on_progress(Progress(stage, detail, done, 2))
    watch.finish()
    seconds = {stage: numbers["seconds"] for stage, numbers in watch.stages.items()}
    assert seconds == {"tags tagging": 2, "keyframes sampling": 3, "video encoding": 2}
    assert watch.first_step == {"keyframes": 4}
    assert watch.stages["keyframes sampling"]["loading"] == 1
    assert watch.stages["tags tagging"]["peak_bytes"] == 6  # the higher of two


noise = np.random.default_rng(0)
PICTURE = noise.integers(0, 256, (40, 50, 3), np.uint8)
OTHER = np.clip(PICTURE + noise.normal(0, 20, PICTURE.shape), 0, 255).astype(np.uint8)


def test_psnr_and_ssim_are_those_of_the_literature():
    assert psnr(PICTURE, PICTURE) == EQUAL and ssim(PICTURE, PICTURE) == pytest.approx(1)
    assert psnr(np.zeros((4, 4, 3), np.uint8), np.ones((4, 4, 3), np.uint8)) == pytest.approx(48.13, abs=0.01)
    assert ssim(PICTURE, OTHER) == pytest.approx(SSIM, abs=1e-6)


def test_the_worst_frame_is_told_and_frames_of_other_shapes_are_refused():
    found = quality(np.stack([PICTURE, PICTURE]), np.stack([PICTURE, OTHER]))
    assert found["worst_psnr"] == psnr(PICTURE, OTHER) and found["psnr"] == (EQUAL + found["worst_psnr"]) / 2
    assert found["worst_ssim"] < found["ssim"] < 1
    with pytest.raises(ValueError, match="cannot be compared"):
        quality(PICTURE[None], PICTURE[None, 1:])


def test_memory_that_is_taken_shows():
    """In a process of its own: here, whatever an earlier test left behind may be given back at the same moment."""
    done = subprocess.run([sys.executable, "-c", TAKING], capture_output=True, text=True, check=True)
    more, below_peak = map(int, done.stdout.split())
    assert more > 0.8 * 64 * 2**20 and below_peak >= -(2**20)


def test_other_systems_are_asked_in_their_own_way(monkeypatch, tmp_path):
    monkeypatch.setattr(host_memory, "STATUS", tmp_path / "none")
    assert host_memory.peak_resident_bytes() > 2**20
    assert host_memory.resident_bytes() == host_memory.peak_resident_bytes()


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


def test_medians_and_spread_of_the_runs():
    values = report.summary([run(2.0), run(5.0), run(3.0)])
    assert values["seconds"] == {"median": 3.0, "least": 2.0, "most": 5.0}
    stage = values["stages"]["segments sampling"]
    assert stage["seconds"]["median"] == 3 and stage["loading_seconds"]["most"] == 0.5
    json.dumps(values)
    assert "first step of the segments after 1.50 s" in report.plan_lines(values)
    rows = report.stage_table(values).splitlines()
    assert " ".join(rows[-1].split()) == "| segments sampling | 3.00 | 2.00 .. 5.00 | 0.50 | |"
    assert len({len(row) for row in rows}) == 1


def test_two_plans_are_compared_run_by_run():
    compared = report.compare([run(2.0), run(2.0)], [run(4.0, frame=1), run(6.0)])
    assert compared["times_faster"] == {"median": 2.5, "least": 2.0, "most": 3.0}
    assert compared["greatest_difference"] == 1 and compared["share_different"] == 1.0


KEYS = Path(__file__).parent / "data" / "released" / "keys"


@pytest.fixture(scope="module")
def tiny(tiny_family) -> FamilySizes:
    family = open_family(tiny_family)
    return FamilySizes({part: family.config(part) for part in PARTS}, {"name": "tiny"})


def test_a_random_family_loads_strictly_with_finite_weights_of_sane_scale(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(families.SIZES, "small", tiny)
    family = random_family("small", tmp_path)
    for part in PARTS:
        network = load_part(family, part, torch.float32)
        assert all(tensor.isfinite().all() for tensor in network.state_dict().values())
    weight = load_part(family, "multi_frame/unet", torch.float32).get_parameter("out.2.weight")
    assert weight.std() * weight[0].numel() ** 0.5 == pytest.approx(1, rel=0.2)
    assert load_tokenizer(family, "multi_frame/tokenizer")("masterpiece").input_ids
    assert [entry.name for entry in tmp_path.iterdir()] == ["small"]  # nothing left of what was written aside
    written = (tmp_path / "small" / "model_family.json").stat().st_mtime_ns
    assert random_family("small", tmp_path).folders == family.folders
    assert (tmp_path / "small" / "model_family.json").stat().st_mtime_ns == written  # once
    with pytest.raises(InputError, match="size is 'huge'; use one of"):
        random_family("huge", tmp_path)
    for key, middle in (("norm.weight", 1), ("norm.bias", 0)):
        values = random_tensor(key, (1000,), torch.Generator().manual_seed(0)).float()
        assert abs(values.mean() - middle) < 0.02 and 0.08 < values.std() < 0.12


def test_the_same_family_is_written_every_time_and_a_full_disk_leaves_nothing(tiny, tmp_path, monkeypatch):
    file = "unet/" + PARTS["single_frame/unet"].weights
    once, twice = (write_family(tmp_path / name, tiny).folders["single_frame"] / file for name in "ab")
    assert once.read_bytes() == twice.read_bytes()
    monkeypatch.setattr(families.shutil, "disk_usage", lambda place: type("Usage", (), {"free": 0}))
    with pytest.raises(OSError, match="less than .* GiB free; free some space or choose --cache"):
        write_family(tmp_path / "full" / "c", tiny)
    assert not list((tmp_path / "full").iterdir())


def test_the_full_size_is_the_published_one_and_the_small_one_its_copy():
    weights = 0
    for part, config in FULL.configs.items():
        shapes = shapes_of(part, config)
        published = json.loads((KEYS / f"{part.replace('/', '_')}.json").read_text())
        found = {key: list(shape) for key, shape in shapes.items()}
        assert found == {key: shape for key, shape in published.items() if not key.endswith("position_ids")}
        weights += sum(math.prod(shape) for shape in shapes.values())
    assert 2 * weights / 2**30 == pytest.approx(6.745, abs=0.001)
    assert SMALL.configs.keys() == PARTS.keys()
    shapes = shapes_of("multi_frame/unet", SMALL.configs["multi_frame/unet"])
    assert 30e6 < sum(math.prod(shape) for shape in shapes.values()) < 65e6
