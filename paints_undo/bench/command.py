"""`python -m paints_undo bench`: the command line of the measurements."""

from __future__ import annotations

import argparse
from pathlib import Path

from paints_undo import examples
from paints_undo.commands import later

ARTWORK = Path(examples.__file__).parent / "girl.png"


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add `bench` to the command line; it sets `work` to the function that does it."""
    bench = subparsers.add_parser("bench", help="measure where a run's time and memory go")
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
    bench.add_argument(
        "--quality", action="store_true", help="instead: compare the frames of --profile fast with the exact ones"
    )
    bench.add_argument("--artwork", type=Path, default=ARTWORK, help="a picture file; an example by default")
    bench.add_argument("--sampling-steps", type=int, help="denoising iterations of both stages")
    bench.add_argument("--operation-steps", nargs="+", type=int, metavar="STEP", help="one more pair than these")
    bench.add_argument("--device", help="cuda, mps or cpu; the best one by default")
    bench.add_argument("--dtype", choices=["fp32", "fp16", "bf16"], help="number format of the networks")
    bench.add_argument("--compile", dest="compiled", action="store_true", help="on a GPU: compile the networks' blocks")
    bench.add_argument("--threads", type=int, help="CPU threads; all of them by default")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    bench.add_argument("--cache", type=Path, help="folder of the random families (~/.cache/paints_undo/bench)")
    bench.set_defaults(work=later("bench.work:bench_command"))
