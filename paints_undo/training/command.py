"""`python -m paints_undo train PART` and `evaluate`: the command line of the recipe.

The packages of the `train` extra are looked for first, and imported when a command runs.
"""

from __future__ import annotations

import argparse
import importlib.util
from functools import partial
from pathlib import Path

from paints_undo.commands import later
from paints_undo.errors import InputError

PARTS = ("vae", "tagger", "keyframes", "segments")
"""What can be trained, in the order in which the parts build on one another."""
NEEDED = {
    # module: the package that brings it
    "accelerate": "accelerate",
    "dicebear": "dicebear-core",
    "onnx": "onnx",
    "pydantic": "pydantic",
    "skia": "skia-python",
}


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add `train` and `evaluate` to the command line; each sets `work` to the function that does it."""
    train = subparsers.add_parser("train", help="train a model family of your own, or a part of it")
    train.add_argument("part", choices=["data", *PARTS, "all"], help="what to train; data only draws the pictures")
    _add_common_flags(train)
    train.add_argument("--data", type=Path, metavar="FOLDER", help="your own time-lapse videos or folders of pictures")
    train.add_argument("--start", metavar="FAMILY", help="family to go on from: mini, released or a folder (keyframes)")
    train.add_argument("--config", type=Path, metavar="FILE", help="JSON of settings, or a folder with PART.json files")
    train.add_argument("--minutes", type=float, help="training time of each part")
    train.add_argument("--steps", type=int, help="number of updates instead of a time")
    train.add_argument("--batch", type=int, help="pictures or clips in an update of each process; more on a GPU")
    train.add_argument("--seed", type=int, help="of all random numbers (0)")
    train.add_argument("--threads", type=int, help="CPU threads; all of them by default")
    train.set_defaults(work=partial(_with_packages, "train_command"))
    evaluate = subparsers.add_parser("evaluate", help="figures of a model family on pictures it never saw")
    _add_common_flags(evaluate)
    evaluate.add_argument("--models", default="mini", metavar="mini|FOLDER", help="the model family (mini)")
    evaluate.add_argument("--count", type=int, default=64, help="pictures for each figure; segments take a fourth (64)")
    evaluate.set_defaults(work=partial(_with_packages, "evaluate_command"))


def _add_common_flags(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", type=Path, default=Path("training"), help="folder for all results (training)")
    command.add_argument("--device", help="cuda, mps or cpu; the best one by default")
    command.add_argument("--cache", type=Path, help="folder for the drawn pictures")
    command.add_argument("--pictures", type=int, default=5000, help="how many to draw and train on (5000)")
    command.add_argument("--size", type=int, default=128, help="side of the pictures in pixels (128)")


def check_packages() -> None:
    """Raises InputError with the remedy where a package that only training needs is missing."""
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise InputError(f"training needs {', '.join(missing)}, not installed here: pip install '.[train]'")


def _with_packages(name: str, chosen: argparse.Namespace) -> int:
    check_packages()
    return later(f"training.recipe:{name}")(chosen)
