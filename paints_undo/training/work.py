"""The recipe's steps as the commands `train` and `evaluate` take them."""

from __future__ import annotations

import argparse
import json
import logging

import torch
from accelerate import PartialState

from paints_undo.errors import InputError
from paints_undo.training import recipe
from paints_undo.training.command import PARTS
from paints_undo.training.config import read_config
from paints_undo.training.dataset import Pictures
from paints_undo.training.evaluation import as_table
from paints_undo.training.loop import join_processes
from paints_undo.training.own_timelapses import load_timelapses

log = logging.getLogger(__name__)

SPLITS = {"held_out": 300, "unseen_style": 100}  # pictures that training never sees


def train_command(chosen: argparse.Namespace) -> int:
    """Train one part, or all of them in order; a stopped run goes on where it stopped."""
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
    with PartialState().main_process_first():
        if chosen.data:
            data: Pictures = load_timelapses(chosen.data, chosen.size)
            held_out = None
        else:
            data = recipe.draw_pictures("train", chosen.pictures, chosen.size, chosen.cache)
            held_out = _drawn(chosen, "held_out")
    for part, config in configs.items():
        log.info("training %s on %d pictures, on %s", part, len(data), processes.device)
        recipe.train_part(part, chosen.out, data, held_out, config, processes, chosen.start)
    if parts and processes.is_main:
        print(chosen.out)
    return 0


def evaluate_command(chosen: argparse.Namespace) -> int:
    """Print the figures of a model family as a table, and write them to `evaluation.json`."""
    figures = {}
    for split in SPLITS:
        figures[split] = recipe.figures_of(chosen.models, _drawn(chosen, split), chosen.count, chosen.device)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "evaluation.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(as_table(figures))
    return 0


def _drawn(chosen: argparse.Namespace, split: str) -> Pictures:
    return recipe.draw_pictures(split, min(SPLITS[split], chosen.pictures), chosen.size, chosen.cache)
