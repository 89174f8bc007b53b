"""`python -m paints_undo bench`: the command line of the measurements.

What it needs is imported when the command runs: the program's `--help` and `run` must not wait for it.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paints_undo import examples

if TYPE_CHECKING:
    from paints_undo.bench.count import Count
    from paints_undo.options import UndoOptions

ARTWORK = Path(examples.__file__).parent / "girl.png"
PROMPT = "1girl, solo, upper body"  # of families without a tagger


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add `bench` to the command line; it sets `work` to the function that does it."""
    bench = subparsers.add_parser("bench", help="measure where a run's time and memory go, or count them")
    family = bench.add_mutually_exclusive_group()
    family.add_argument("--size", choices=["small", "full"], help="networks of random weights (small), written once")
    family.add_argument("--models", metavar="mini|released|FOLDER", help="a model family instead")
    bench.add_argument(
        "--plan",
        default="auto",
        metavar="PLAN,...",
        help="auto: what a run would choose; or resident, stage, sliced, streamed, least; the first is what others "
        "are compared with (auto)",
    )
    bench.add_argument("--repeats", type=int, default=3, help="runs of each plan, in turn (3)")
    bench.add_argument("--count", action="store_true", help="run nothing: count FLOP, bytes and memory, needing no GPU")
    bench.add_argument(
        "--quality", action="store_true", help="instead: compare the frames of --profile fast with the exact ones"
    )
    bench.add_argument(
        "--edit", action="store_true", help="instead: seconds of a run again after one inner keyframe was re-rolled"
    )
    bench.add_argument(
        "--pairs", nargs="+", type=int, metavar="N", help="instead: seconds and memory of calls that fill N segments"
    )
    bench.add_argument("--artwork", type=Path, default=ARTWORK, help="a picture file; an example by default")
    bench.add_argument("--sampling-steps", type=int, help="denoising iterations of both stages")
    bench.add_argument("--operation-steps", nargs="+", type=int, metavar="STEP", help="one more pair than these")
    bench.add_argument("--device", help="cuda, mps or cpu; the best one by default")
    bench.add_argument("--dtype", choices=["fp32", "fp16", "bf16"], help="number format of the networks")
    bench.add_argument("--compile", dest="compiled", action="store_true", help="on a GPU: compile the networks' blocks")
    bench.add_argument("--threads", type=int, help="CPU threads; all of them by default")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    bench.add_argument("--charts", type=Path, metavar="FOLDER", help="draw memory and time into this folder")
    bench.add_argument("--cache", type=Path, help="folder of the random families (~/.cache/paints_undo/bench)")
    bench.set_defaults(work=bench_command)


def bench_command(chosen: argparse.Namespace) -> int:
    """Measure or count, print the tables, and write what was asked for."""
    from paints_undo.bench import report
    from paints_undo.bench.plans import check_plan

    logging.getLogger("paints_undo").setLevel(logging.INFO)
    if chosen.quality:
        print(json.dumps(compare_profiles(chosen), indent=2))
        return 0
    if chosen.edit or chosen.pairs:
        values = measure_growth(chosen)
        print(json.dumps(values, indent=2))
    else:
        plans = chosen.plan.split(",")
        for plan in plans:
            check_plan(plan)
        values = {"machine": report.machine(chosen.device, chosen.threads), "plans": {}}
        print(json.dumps(values["machine"], indent=2))
        counted = {plan: count_plan(chosen, plan) for plan in plans}
        if chosen.count:
            values["plans"] = {plan: {"counted": report.counts(count)} for plan, count in counted.items()}
            for plan, count in counted.items():
                moved = f"{count.loads} networks loaded, {count.bytes_moved / 1e9:.2f} GB moved"
                print(f"\nplan {plan}: {moved}\n{report.count_table(count)}")
        else:
            values["plans"] = measure_plans(chosen, counted)
        if chosen.charts:
            draw_charts(chosen.charts, values["plans"])
    if chosen.json:
        chosen.json.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return 0


def count_plan(chosen: argparse.Namespace, plan: str) -> Count:
    """A run of the chosen family, counted; the random families need not have been written for that."""
    import tempfile

    from paints_undo.bench.count import count
    from paints_undo.bench.families import no_tensor, write_family
    from paints_undo.bench.sizes import SIZES
    from paints_undo.family.choice import find_family

    if chosen.models:
        return count(find_family(chosen.models), chosen_options(chosen, chosen.models), plan)
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "family"
        family = write_family(models, SIZES[chosen.size or "small"], no_tensor)
        return count(family, chosen_options(chosen, str(models)), plan)


def chosen_options(chosen: argparse.Namespace, models: str) -> UndoOptions:
    """The family's defaults with the chosen numbers of steps; a fixed prompt where the family cannot tag."""
    from dataclasses import replace

    from paints_undo.family.choice import defaults_of, find_family
    from paints_undo.options import with_prompt

    family = find_family(models)
    options = defaults_of(family)
    keyframes, segments = options.keyframes, options.segments
    if chosen.sampling_steps is not None:
        keyframes = replace(keyframes, sampling_steps=chosen.sampling_steps)
        segments = replace(segments, sampling_steps=chosen.sampling_steps)
    if chosen.operation_steps is not None:
        keyframes = replace(keyframes, operation_steps=tuple(chosen.operation_steps))
    options = replace(options, keyframes=keyframes, segments=segments)
    return options if family.tagger_model is not None else with_prompt(options, PROMPT)


def measure_plans(chosen: argparse.Namespace, counted: dict[str, Count]) -> dict[str, Any]:
    """The figures of each plan, run in turn; they go onto the screen, too."""
    from paints_undo.bench import report
    from paints_undo.bench.measure import Request, measure

    models = models_of(chosen)
    options, common = chosen_options(chosen, models), (chosen.device, chosen.dtype, chosen.threads, chosen.compiled)
    requests = [Request(models, str(chosen.artwork), options, plan, *common) for plan in counted]
    measured = dict(zip(counted, measure(requests, chosen.repeats), strict=True))
    values = {plan: report.summary(runs, counted[plan]) for plan, runs in measured.items()}
    for figures in values.values():
        print("", *report.plan_lines(figures), report.stage_table(figures), sep="\n")
    first, *others = measured
    for plan in others:
        compared = values[plan]["compared"] = {"with": first, **report.compare(measured[plan], measured[first])}
        faster = compared["times_faster"]
        print(
            f"\n{plan} is {faster['median']:.2f} times as fast as {first} ({faster['least']:.2f} .. "
            f"{faster['most']:.2f}); their frames differ by at most {compared['greatest_difference']} grey "
            f"levels, {100 * compared['share_different']:.3f} % of values at all"
        )
    return values


def models_of(chosen: argparse.Namespace) -> str:
    """The chosen family, or the folder of the random one, written if it is not there."""
    from paints_undo.bench.families import CACHE, random_family

    if chosen.models:
        return chosen.models
    family = random_family(chosen.size or "small", chosen.cache or CACHE)
    return str(family.folders["single_frame"].parent)


def compare_profiles(chosen: argparse.Namespace) -> dict[str, Any]:
    """The profile "fast" against "exact" with the same seeds: how alike the frames are, and the seconds of both."""
    import time

    from paints_undo.bench.quality import quality
    from paints_undo.pipeline import PaintsUndo
    from paints_undo.profiles import PROFILES, with_profile

    models = models_of(chosen)
    options, frames, seconds = chosen_options(chosen, models), {}, {}
    for profile in PROFILES:
        engine, began = PaintsUndo.load(models, chosen.device, chosen.dtype), time.perf_counter()
        frames[profile] = engine.undo(chosen.artwork, with_profile(options, profile)).frames
        seconds[profile] = round(time.perf_counter() - began, 2)
    return {"seconds": seconds, **quality(frames["exact"], frames["fast"])}


def measure_growth(chosen: argparse.Namespace) -> dict[str, Any]:
    """What an edited keyframe costs, and what one more segment does, with the machine that says so."""
    from paints_undo.bench import report
    from paints_undo.bench.scaling import edited, growing
    from paints_undo.pictures.pixels import read_picture
    from paints_undo.pipeline import PaintsUndo

    models = models_of(chosen)
    options = chosen_options(chosen, models)
    engine = PaintsUndo.load(models, chosen.device, chosen.dtype, compiled=chosen.compiled)
    values: dict[str, Any] = {"machine": report.machine(chosen.device, chosen.threads)}
    if chosen.edit:
        values["edit"] = edited(engine, read_picture(chosen.artwork), options)
    if chosen.pairs:
        values["pairs"] = growing(engine, options, chosen.pairs)
    return values


def draw_charts(folder: Path, plans: dict[str, Any]) -> None:
    """memory_counted.png; and, where there were runs, memory.png and time.png."""
    from paints_undo.atomic import write_atomically
    from paints_undo.bench.charts import bar_chart, line_chart
    from paints_undo.pictures.pixels import encode_png

    folder.mkdir(parents=True, exist_ok=True)
    peaks: dict[str, dict[str, float]] = {}
    seconds: dict[str, dict[str, float]] = {}
    for plan, numbers in plans.items():
        for stage, figures in numbers["counted"]["stages"].items():
            peaks.setdefault(stage, {})[plan] = figures["peak_bytes"] / 2**30
        for stage, figures in numbers.get("stages", {}).items():
            seconds.setdefault(stage, {})[plan] = figures["seconds"]["median"]
    charts = {"memory_counted": bar_chart(peaks, "device memory by stage (counted)", "GiB")}
    if seconds:
        host = {plan: [(s, b / 2**30) for s, b in numbers["host_memory"]] for plan, numbers in plans.items()}
        charts["memory"] = line_chart(host, "host memory, GiB", "seconds")
        charts["time"] = bar_chart(seconds, "time by stage (median)", "s")
    for name, picture in charts.items():
        write_atomically(folder / f"{name}.png", encode_png(picture))
