"""The recipe's steps, as the commands `train` and `evaluate` take them: draw pictures, train a part, measure a family.

Everything lands in one folder: a folder of checkpoints and sheets for each part, and `family`, the model family that
the trained parts make, which `python -m paints_undo run --models FOLDER/family` draws with.
"""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from diffusers import AutoencoderKL

from paints_undo.atomic import write_atomically
from paints_undo.errors import InputError
from paints_undo.family.weights import load_part, load_tokenizer
from paints_undo.pictures.pixels import encode_png
from paints_undo.pictures.tensors import tensor_to_pixels
from paints_undo.pipeline import PaintsUndo, find_family
from paints_undo.training.command import PARTS
from paints_undo.training.config import PartConfig, read_config, write_config
from paints_undo.training.dataset import Pictures, draw_pictures
from paints_undo.training.evaluation import as_table, evaluate_keyframes, evaluate_segments, evaluate_tagger
from paints_undo.training.family_files import update_family_file, write_json, write_stage
from paints_undo.training.keyframe_training import (
    KEYFRAME_DEFAULTS,
    PREDICTION,
    keyframe_sheet,
    make_tokenizer,
    networks_of,
    train_keyframes,
)
from paints_undo.training.loop import CPU, Trainer, Training, join_processes
from paints_undo.training.own_timelapses import load_timelapses
from paints_undo.training.picture_vae import evaluate_vae, reconstruct, stage_steps, train_vae
from paints_undo.training.segment_training import SEGMENT_DEFAULTS, SEGMENT_HINT, train_segments
from paints_undo.training.tagger import train_tagger, write_tagger
from paints_undo.training.video_vae_training import train_video_vae
from wd14_tagger import Tagger

log = logging.getLogger(__name__)

UNSEEN = {"held_out": 300, "unseen_style": 100}  # pictures of these splits, which training never sees
SHEET_PICTURES = 8
SEGMENTS_SHARE = 4  # an artwork has 7 segments, so a fourth of the pictures says enough


def train_command(chosen: argparse.Namespace) -> int:
    """Train one part, or all of them in order; a stopped run goes on where it stopped."""
    device, is_main = join_processes(chosen.device), PartialState().is_main_process
    logging.getLogger("paints_undo").setLevel(logging.INFO if is_main else logging.WARNING)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    parts = PARTS if chosen.part == "all" else [part for part in PARTS if part == chosen.part]
    if chosen.config and len(parts) > 1 and not chosen.config.is_dir():
        raise InputError(f"--config is {chosen.config}, but all parts are trained; give a folder with PART.json files")
    changes = chosen.seed, chosen.minutes, chosen.steps, chosen.batch
    configs = {
        part: read_config(part, chosen.config, chosen.size, device.type != "cpu").chosen(*changes) for part in parts
    }
    with PartialState().main_process_first():
        if chosen.data:
            data: Pictures = load_timelapses(chosen.data, chosen.size)
            shown = data
        else:
            data = draw_pictures("train", chosen.pictures, chosen.size, chosen.cache)
            shown = _unseen("held_out", chosen)
    for part, config in configs.items():
        log.info("training %s on %d pictures, on %s", part, len(data), device)
        train_part(part, chosen.out, data, shown, config, device, chosen.start)
    if parts and is_main:
        print(chosen.out)
    return 0


def evaluate_command(chosen: argparse.Namespace) -> int:
    """Print the figures of a model family as a table, and write them to `evaluation.json`."""
    figures = {
        split: figures_of(chosen.models, _unseen(split, chosen), chosen.count, chosen.device) for split in UNSEEN
    }
    chosen.out.mkdir(parents=True, exist_ok=True)
    write_json(chosen.out / "evaluation.json", figures)
    print(as_table(figures))
    return 0


def _unseen(split: str, chosen: argparse.Namespace) -> Pictures:
    return draw_pictures(split, min(UNSEEN[split], chosen.pictures), chosen.size, chosen.cache)


def train_part(
    part: str,
    out: Path,
    data: Pictures,
    shown: Pictures,
    config: PartConfig,
    device: torch.device = CPU,
    start: str | Path | None = None,
) -> None:
    """Train a part in `out`, whose `family` then has it; sheets show the pictures `shown`.

    start: the name or folder of a family whose keyframe networks are trained further, instead of new ones.
    """
    if PartialState().is_main_process:
        write_config(out / part, config)
    training = Training(data, out / part, config.options, config.loop, device=device)
    if part == "vae":
        train_vae(replace(training, look=partial(_look_at_vae, out / part, shown.on(device))))
    elif part == "tagger":
        network = train_tagger(training)
        if PartialState().is_main_process:
            write_tagger(out / "family" / "tagger", network, data, config.options.size)
    elif part == "keyframes":
        _train_keyframes(out, training, shown, start)
    else:
        assert config.decoder and config.decoder_loop, "the segments' config has both"
        decoder = Training(data, out / "video_vae", config.decoder, config.decoder_loop, device=device)
        _train_segments(out, training, decoder)
    PartialState().wait_for_everyone()  # the next part reads what the main process wrote of this one


def write_sheet(path: Path, *stacks: torch.Tensor) -> None:
    """A PNG for people: one row for each stack of pictures, all float (n, 3, H, W) in -1..1, within grey lines."""
    frame = ((2, 2), (2, 2), (0, 0))
    rows = [[np.pad(picture, frame, constant_values=225) for picture in tensor_to_pixels(stack)] for stack in stacks]
    write_atomically(path, encode_png(np.concatenate([np.concatenate(row, axis=1) for row in rows])))


def _look_at_vae(folder: Path, shown: Pictures, trainer: Trainer) -> None:
    indices = torch.arange(min(SHEET_PICTURES, len(shown)))
    rows = []
    for steps in stage_steps(len(indices)).values():
        pictures = shown.canvases(indices, steps)
        rows += [pictures, reconstruct(trainer.averaged, pictures)]
    write_sheet(folder / "sheet.png", *rows)
    log.info("PSNR %s", {k: round(v, 2) for k, v in evaluate_vae(trainer.averaged, shown, 16).items()})


def _train_keyframes(out: Path, training: Training, shown: Pictures, start: str | Path | None) -> None:
    if start is None:
        vae, networks, prediction, defaults = trained_vae(out), None, PREDICTION, KEYFRAME_DEFAULTS
        tokenizer = make_tokenizer(training.data, out / "tokenizer")
    else:
        family = find_family(start)
        vae, networks = load_part(family, "single_frame/vae", torch.float32), networks_of(family)
        prediction, defaults = family.keyframe_prediction, family.keyframe_defaults
        tokenizer = load_tokenizer(family, "single_frame/tokenizer")

    def look(trainer: Trainer) -> None:
        pictures = keyframe_sheet(trainer.averaged, vae, tokenizer, shown, prediction)
        write_sheet(training.folder / "sheet.png", *pictures)

    trained = train_keyframes(replace(training, look=look), vae, tokenizer, networks, prediction)
    if PartialState().is_main_process:
        write_stage(out / "family" / "single_frame", trained, vae, tokenizer)
        height, width = _size_of(training.data)
        update_family_file(
            out / "family",
            keyframe_size={"width": width, "height": height},
            keyframe_prediction=prediction,
            keyframe_defaults=defaults,
        )


def _train_segments(out: Path, training: Training, decoder: Training) -> None:
    picture_vae, tokenizer = trained_vae(out), make_tokenizer(training.data, out / "tokenizer")
    vae = train_video_vae(decoder, picture_vae)
    networks = train_segments(training, vae, tokenizer)
    if PartialState().is_main_process:
        write_stage(out / "family" / "multi_frame", networks, vae, tokenizer)
        update_family_file(
            out / "family",
            video_sizes=[list(_size_of(training.data))],
            segment_hint=SEGMENT_HINT,
            segment_defaults=SEGMENT_DEFAULTS,
        )


def _size_of(data: Pictures) -> tuple[int, int]:
    height, width = data.finished(torch.tensor([0])).shape[-2:]
    return height, width


def trained_vae(out: Path) -> AutoencoderKL:
    """The VAE that an earlier step trained. Raises InputError when there is none yet."""
    folder = out / "vae" / "vae"
    if not (folder / "config.json").exists():
        raise InputError(f"there is no trained VAE in {folder}; run `python -m paints_undo train vae` first")
    return AutoencoderKL.from_pretrained(folder, local_files_only=True).eval()


def figures_of(models: str | Path, data: Pictures, count: int, device: str | None = None) -> dict[str, float]:
    """All figures of a model family on the first `count` of these pictures, and on how many of them each rests."""
    engine = PaintsUndo.load(models, device)
    where, indices = torch.device(engine.describe().device), range(min(count, len(data)))
    data = data.on(where)
    vae = load_part(engine.family, "single_frame/vae", torch.float32).to(where)
    figures = {f"vae psnr {stage}": value for stage, value in evaluate_vae(vae, data, count).items()}
    model, tags = engine.family.tagger_model, engine.family.tagger_tags
    if model and tags:
        tagger = Tagger(model, tags)
        known = [name.replace("_", " ") for name in tagger.names]
        figures["tagger micro-F1"] = evaluate_tagger(tagger.tags, known, data, range(len(data)))
    drawing = evaluate_keyframes(partial(_draw, engine), data, indices)
    figures |= {f"keyframes {name}": value for name, value in drawing.items()}
    filled = max(1, len(indices) // SEGMENTS_SHARE)
    filling = evaluate_segments(engine.fill_segments, data, filled)
    filling["error over cross-fading"] = filling["error"] / filling["cross_fade_error"]
    figures |= {f"segments {name.replace('_', ' ')}": value for name, value in filling.items()}
    samples = {"vae and keyframes": len(indices), "tagger": len(data), "segments": filled}
    return figures | {f"pictures for {name}": number for name, number in samples.items()}


def _draw(engine: PaintsUndo, artwork: np.ndarray, prompt: str, steps: tuple[int, ...], seed: int) -> np.ndarray:
    options = replace(engine.default_options.keyframes, prompt=prompt, operation_steps=steps, seed=seed)
    return engine.draw_keyframes(artwork, options)
