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
from paints_undo.errors import InputError

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
        default="auto,original",
        metavar="PLAN,...",
        help="auto: this program; original: the same networks in the original's order of work; or resident, stage, "
        "sliced, streamed, least (auto,original)",
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
    from paints_undo.bench.measure import PLANS

    logging.getLogger("paints_undo").setLevel(logging.INFO)
    if chosen.quality:
        print(json.dumps(compare_profiles(chosen), indent=2))
        return 0
    if chosen.edit or chosen.pairs:
        measure_growth(chosen)
        return 0
    plans = chosen.plan.split(",")
    for plan in plans:
        if plan not in PLANS:
            raise InputError(f"plan is {plan!r}; use one or more of {', '.join(PLANS)}, with commas between them")
    values: dict[str, Any] = {"machine": report.machine(chosen.device, chosen.threads), "plans": {}}
    print(json.dumps(values["machine"], indent=2))
    if chosen.count:
        for plan in plans:
            counted = count_plan(chosen, plan)
            values["plans"][plan] = {"counted": report.counts(counted)}
            print(
                f"\nplan {plan}: {counted.loads} networks loaded, {counted.unloads} taken back, "
                f"{counted.bytes_moved / 1e9:.2f} GB moved\n{report.count_table(counted)}"
            )
    else:
        measure_plans(chosen, plans, values)
    if chosen.json:
        chosen.json.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    if chosen.charts:
        draw_charts(chosen.charts, values)
    return 0


def count_plan(chosen: argparse.Namespace, plan: str) -> Count:
    """A run of the chosen family, counted; the random families need not have been written for that."""
    import tempfile

    from paints_undo.bench.count import count
    from paints_undo.bench.families import no_tensor, write_family
    from paints_undo.bench.sizes import SIZES
    from paints_undo.pipeline import find_family

    if chosen.models:
        family = find_family(chosen.models)
        return count(family, chosen_options(chosen, chosen.models), plan)
    with tempfile.TemporaryDirectory() as folder:
        family = write_family(Path(folder) / "family", SIZES[chosen.size or "small"], no_tensor)
        return count(family, chosen_options(chosen, str(folder / Path("family"))), plan)


def chosen_options(chosen: argparse.Namespace, models: str) -> UndoOptions:
    """The family's defaults with the chosen numbers of steps; a fixed prompt where the family cannot tag.

    The picture is cut as the original cuts it, whose order of work is among what is compared.
    """
    from dataclasses import replace

    from paints_undo.bench.measure import with_options
    from paints_undo.options import with_prompt
    from paints_undo.pipeline import PaintsUndo

    engine = PaintsUndo.load(models)
    options = with_options(engine.default_options, chosen.sampling_steps, chosen.operation_steps)
    options = replace(options, fit="crop")
    can_tag = engine.family.tagger_model is not None
    return replace(options, tag=True) if can_tag else with_prompt(options, PROMPT)


def measure_plans(chosen: argparse.Namespace, plans: list[str], values: dict[str, Any]) -> None:
    """Run the plans in turn; figures go into `values` and onto the screen."""
    from paints_undo.bench import report
    from paints_undo.bench.measure import Request, measure

    models = models_of(chosen)
    options = chosen_options(chosen, models)
    requests = [
        Request(
            models,
            str(chosen.artwork),
            options,
            plan,
            chosen.device,
            chosen.dtype,
            chosen.threads,
            chosen.compiled and plan != "original",
        )
        for plan in plans
    ]
    measured = measure(requests, chosen.repeats)
    for plan, runs in zip(plans, measured, strict=True):
        values["plans"][plan] = report.summary(runs, count_plan(chosen, plan))
        print("", *report.plan_lines(values["plans"][plan]), report.stage_table(values["plans"][plan]), sep="\n")
    if "original" in plans and len(plans) > 1:
        against = measured[plans.index("original")]
        for plan, runs in zip(plans, measured, strict=True):
            if plan != "original":
                compared = values["plans"][plan]["against_original"] = report.compare(runs, against)
                faster = compared["times_faster"]
                print(
                    f"\n{plan} is {faster['median']:.2f} times as fast as original ({faster['least']:.2f} .. "
                    f"{faster['most']:.2f}); their frames differ by at most {compared['greatest_difference']} grey "
                    f"levels, {100 * compared['share_different']:.3f} % of values at all"
                )


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
    from dataclasses import asdict

    from paints_undo.bench.quality import quality
    from paints_undo.pipeline import PaintsUndo
    from paints_undo.profiles import PROFILES, with_profile

    models = models_of(chosen)
    options, frames, seconds = chosen_options(chosen, models), {}, {}
    for profile in PROFILES:
        engine, began = PaintsUndo.load(models, chosen.device, chosen.dtype), time.perf_counter()
        frames[profile] = engine.undo(chosen.artwork, with_profile(options, profile)).frames
        seconds[profile] = round(time.perf_counter() - began, 2)
    return {"seconds": seconds, **asdict(quality(frames["exact"], frames["fast"]))}


def measure_growth(chosen: argparse.Namespace) -> None:
    """What an edited keyframe costs, and what one more segment does; printed, and written where that is asked for."""
    from dataclasses import asdict

    from paints_undo.bench import report
    from paints_undo.bench.scaling import edited, growing
    from paints_undo.pictures.pixels import read_picture
    from paints_undo.pipeline import PaintsUndo

    models = models_of(chosen)
    options = chosen_options(chosen, models)
    engine = PaintsUndo.load(models, chosen.device, chosen.dtype, compiled=chosen.compiled)
    values: dict[str, Any] = {"machine": report.machine(chosen.device, chosen.threads)}
    if chosen.edit:
        edit = edited(engine, read_picture(chosen.artwork), options)
        values["edit"] = {**asdict(edit), "share": edit.share}
    if chosen.pairs:
        values["pairs"] = [asdict(pairs) for pairs in growing(engine, options, chosen.pairs)]
    print(json.dumps(values, indent=2))
    if chosen.json:
        chosen.json.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def draw_charts(folder: Path, values: dict[str, Any]) -> None:
    """memory.png, and time.png where there were runs."""
    from paints_undo.atomic import write_atomically
    from paints_undo.bench.charts import bar_chart, line_chart
    from paints_undo.pictures.pixels import encode_png

    folder.mkdir(parents=True, exist_ok=True)
    plans = values["plans"]
    counted = {
        plan: [(number, peak / 2**30) for number, (_, peak) in enumerate(numbers["counted"]["spans"])]
        for plan, numbers in plans.items()
    }
    picture = line_chart(counted, "device memory, GiB (counted)", "networks in the order of their use", steps=True)
    write_atomically(folder / "memory_counted.png", encode_png(picture))
    if all("stages" in numbers for numbers in plans.values()):
        host = {plan: [(s, b / 2**30) for s, b in numbers["host_memory"]] for plan, numbers in plans.items()}
        write_atomically(folder / "memory.png", encode_png(line_chart(host, "host memory, GiB", "seconds")))
        bars: dict[str, dict[str, float]] = {}
        for plan, numbers in plans.items():
            for stage, figures in numbers["stages"].items():
                bars.setdefault(stage, {})[plan] = figures["seconds"]["median"]
        write_atomically(folder / "time.png", encode_png(bar_chart(bars, "time by stage (median)", "s")))
