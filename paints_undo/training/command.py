"""`python -m paints_undo train PART` and `evaluate`: the command line of the recipe.

What it needs is imported when a command runs: the program's `--help` and `run` must not wait for it, nor need the
packages of the `train` extra.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from paints_undo.errors import InputError

if TYPE_CHECKING:
    from paints_undo.training.dataset import Pictures

log = logging.getLogger(__name__)

PARTS = ("vae", "tagger", "keyframes", "segments")
"""What can be trained, in the order in which the parts build on one another."""
SPLITS = {"held_out": 300, "unseen_style": 100}  # pictures that training never sees
NEEDED = {
    # module: the package that brings it
    "dicebear": "dicebear-core",
    "onnx": "onnx",
    "scipy": "scipy",
    "skia": "skia-python",
    "skimage": "scikit-image",
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
    train.set_defaults(work=train_command)
    evaluate = subparsers.add_parser("evaluate", help="figures of a model family on pictures it never saw")
    _add_common_flags(evaluate)
    evaluate.add_argument("--models", default="mini", metavar="mini|FOLDER", help="the model family (mini)")
    evaluate.add_argument("--count", type=int, default=64, help="pictures for each figure; segments take a fourth (64)")
    evaluate.set_defaults(work=evaluate_command)


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


def train_command(chosen: argparse.Namespace) -> int:
    """Train one part, or all of them in order; a stopped run goes on where it stopped."""
    check_packages()
    import torch

    from paints_undo.training import recipe
    from paints_undo.training.config import read_config
    from paints_undo.training.processes import join_processes

    processes = join_processes(chosen.device)
    logging.getLogger("paints_undo").setLevel(logging.INFO if processes.is_main else logging.WARNING)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    parts = PARTS if chosen.part == "all" else [part for part in PARTS if part == chosen.part]
    if chosen.config and len(parts) > 1 and not chosen.config.is_dir():
        raise InputError(f"--config is {chosen.config}, but all parts are trained; give a folder with PART.json files")
    on_gpu = processes.device.type != "cpu"
    configs = {
        part: read_config(part, chosen.config, chosen.size, on_gpu).chosen(
            chosen.seed, chosen.minutes, chosen.steps, chosen.batch
        )
        for part in parts
    }
    with processes.main_first():
        data = recipe.own_or_drawn(chosen.data, chosen.pictures, chosen.size, chosen.cache)
        held_out = None if chosen.data else _drawn(chosen, "held_out")
    for part, config in configs.items():
        log.info("training %s on %d pictures, on %s", part, len(data), processes.device)
        recipe.train_part(part, chosen.out, data, held_out, config, processes, chosen.start)
    if parts and processes.is_main:
        print(chosen.out)
    return 0


def evaluate_command(chosen: argparse.Namespace) -> int:
    """Print the figures of a model family as a table, and write them to `evaluation.json`."""
    check_packages()
    from paints_undo.training import recipe
    from paints_undo.training.evaluation import as_table

    figures = {}
    for split in SPLITS:
        figures[split] = recipe.figures_of(chosen.models, _drawn(chosen, split), chosen.count, chosen.device)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "evaluation.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(as_table(figures))
    return 0


def _drawn(chosen: argparse.Namespace, split: str) -> Pictures:
    from paints_undo.training import recipe

    return recipe.draw_pictures(split, min(SPLITS[split], chosen.pictures), chosen.size, chosen.cache)
