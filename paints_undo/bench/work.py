"""The measurements of `python -m paints_undo bench`, and how they are told."""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from skimage.metrics import structural_similarity

from paints_undo.bench import report
from paints_undo.bench.families import CACHE, random_family
from paints_undo.bench.measure import Request, check_plan, measure
from paints_undo.family.choice import defaults_of, find_networks
from paints_undo.options import PROFILES, UndoOptions, with_profile, with_prompt
from paints_undo.pipeline import PaintsUndo

EQUAL = 100.0  # decibels given to pictures without any difference
PROMPT = "1girl, solo, upper body"  # of families without a tagger


def quality(exact_frames: np.ndarray, other_frames: np.ndarray) -> dict[str, float]:
    """Compare frames uint8 (n, h, w, 3) one by one: the means "psnr" (decibels) and "ssim" (at most 1), and the worst.

    Raises ValueError where the two have other shapes.
    """
    if exact_frames.shape != other_frames.shape:
        raise ValueError(f"frames of shape {other_frames.shape} cannot be compared with {exact_frames.shape}")
    pairs = list(zip(exact_frames, other_frames, strict=True))
    psnrs, ssims = [psnr(a, b) for a, b in pairs], [ssim(a, b) for a, b in pairs]
    means = {"psnr": float(np.mean(psnrs)), "ssim": float(np.mean(ssims))}
    return {**means, "worst_psnr": min(psnrs), "worst_ssim": min(ssims)}


def psnr(exact: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two pictures uint8 (h, w, 3), in decibels."""
    return min(EQUAL, cv2.PSNR(exact, other))


def ssim(exact: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity of two pictures uint8 (h, w, 3), on their grey values, as Wang et al. 2004 compute it."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (exact, other)]
    as_published = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(*grey, data_range=255, **as_published))


def bench_command(chosen: argparse.Namespace) -> int:
    """Measure, print the tables, and write what was asked for."""
    logging.getLogger("paints_undo").setLevel(logging.INFO)
    if chosen.quality:
        print(json.dumps(compare_profiles(chosen), indent=2))
        return 0
    plans = chosen.plan.split(",")
    for plan in plans:
        check_plan(plan)
    values = {"machine": report.machine(chosen.device, chosen.threads)}
    print(json.dumps(values["machine"], indent=2))
    values["plans"] = measure_plans(chosen, plans)
    if chosen.json:
        chosen.json.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    return 0


def chosen_options(chosen: argparse.Namespace, models: str) -> UndoOptions:
    """The family's defaults with the chosen numbers of steps; a fixed prompt where the family cannot tag."""
    family = find_networks(models)
    options = defaults_of(family)
    keyframes, segments = options.keyframes, options.segments
    if chosen.sampling_steps is not None:
        keyframes = replace(keyframes, sampling_steps=chosen.sampling_steps)
        segments = replace(segments, sampling_steps=chosen.sampling_steps)
    if chosen.operation_steps is not None:
        keyframes = replace(keyframes, operation_steps=tuple(chosen.operation_steps))
    options = replace(options, keyframes=keyframes, segments=segments)
    return options if family.tagger_model is not None else with_prompt(options, PROMPT)


def measure_plans(chosen: argparse.Namespace, plans: list[str]) -> dict[str, Any]:
    """The figures of each plan, run in turn; they go onto the screen, too."""
    models = models_of(chosen)
    options, common = chosen_options(chosen, models), (chosen.device, chosen.dtype, chosen.threads, chosen.compiled)
    requests = [Request(models, str(chosen.artwork), options, plan, *common) for plan in plans]
    measured = dict(zip(plans, measure(requests, chosen.repeats), strict=True))
    values = {plan: report.summary(runs) for plan, runs in measured.items()}
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
    if chosen.models:
        return chosen.models
    family = random_family(chosen.size or "small", chosen.cache or CACHE)
    return str(family.folders["single_frame"].parent)


def compare_profiles(chosen: argparse.Namespace) -> dict[str, Any]:
    """The profile "fast" against "exact" with the same seeds: how alike the frames are, and the seconds of both."""
    models = models_of(chosen)
    options, frames, seconds = chosen_options(chosen, models), {}, {}
    for profile in PROFILES:
        engine, began = PaintsUndo.load(models, chosen.device, chosen.dtype), time.perf_counter()
        frames[profile] = engine.undo(chosen.artwork, with_profile(options, profile)).frames
        seconds[profile] = round(time.perf_counter() - began, 2)
    return {"seconds": seconds, **quality(frames["exact"], frames["fast"])}
