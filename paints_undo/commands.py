"""What commands share: how they end, and the flags of `run` with what they are turned into."""

from __future__ import annotations

import argparse
import logging
import pkgutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from paints_undo.engine import Engine
from paints_undo.errors import InputError, check_descriptions
from paints_undo.family.choice import STROKES
from paints_undo.options import (
    ENGINE_DEFAULTS,
    FITS,
    OF_NETWORKS,
    OF_STROKES,
    PROFILES,
    ROUTES,
    UndoOptions,
    with_profile,
)
from paints_undo.progress import Progress, in_words
from paints_undo.time_left import TimeLeft

log = logging.getLogger(__name__)

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130  # exit statuses of every command

ENGINE_FLAGS = ("models", *ENGINE_DEFAULTS)
# Command-line names of the fields of KeyframeOptions and SegmentOptions, and what argparse is told of each.
KEYFRAME_FLAGS: dict[str, dict[str, Any]] = {
    "prompt": {"help": "what the artwork shows, instead of the tagger's answer"},
    "negative_prompt": {"help": "what the keyframes shall not look like"},
    "width": {"type": int, "help": "of the keyframes, in pixels"},
    "height": {"type": int, "help": "of the keyframes, in pixels"},
    "seed": {"type": int, "help": "of the keyframes' noise"},
    "sampling_steps": {"type": int, "help": "denoising iterations of the keyframes, 1 to 100"},
    "guidance_scale": {"type": float, "help": "how strictly the keyframes follow the prompt, 1 to 32"},
    "operation_steps": {"type": int, "nargs": "+", "metavar": "STEP", "help": "0 finished to 999 first stroke"},
}
SEGMENT_FLAGS: dict[str, dict[str, Any]] = {
    "video_prompt": {"help": "kind of picture, like '1girl, masterpiece, best quality'; never the artwork's tags"},
    "video_seed": {"type": int, "help": "of the segments' noise; pair i uses seed + i"},
    "video_sampling_steps": {"type": int, "help": "denoising iterations of the segments, 1 to 100"},
    "video_guidance_scale": {"type": float, "help": "how strictly the segments follow their conditions, 1 to 32"},
    "frame_stride": {"type": int, "help": "how much happens between two frames; the networks know 3 best"},
    "video_reuse_interval": {
        "type": int,
        "help": "approximation: deep features are computed in every so manieth step, 1 to 10",
    },
    "video_guidance_interval": {
        "type": int,
        "nargs": 2,
        "metavar": ("LOW", "HIGH"),
        "help": "approximation: guidance at these timesteps alone, 0 to 999",
    },
}


def later(home: str) -> Callable[..., Any]:
    """The function at "module:name" in this package, imported when it is called: what it needs takes seconds."""

    def call(*arguments: Any, **named: Any) -> Any:
        check_descriptions()
        return pkgutil.resolve_name(f"paints_undo.{home}")(*arguments, **named)

    return call


def complain(sentence: object) -> None:
    """Say on stderr what went wrong."""
    print(f"paints-undo: {sentence}", file=sys.stderr, flush=True)


def status_of(error: Exception) -> int:
    """The exit status of a command that an error ended."""
    return BAD_INPUT if isinstance(error, InputError) else FAILED


def add_engine_flags(command: argparse.ArgumentParser) -> None:
    """Flags that say what computes; the web app has the same."""
    command.add_argument("--models", default="auto", metavar="strokes|mini|released|FOLDER", help="the model family")
    command.add_argument("--device", help="cuda, mps or cpu; the best one by default")
    command.add_argument("--dtype", choices=["fp32", "fp16", "bf16"], help="number format of the networks")
    command.add_argument(
        "--noise",
        choices=["device", "cpu"],
        default="device",
        help="where noise is drawn: on the compute device as the original, or on the CPU, the same for every device",
    )
    command.add_argument("--attention", choices=["sdpa", "xformers", "plain"], default="sdpa", help="attention backend")
    command.add_argument(
        "--vram", default="auto", metavar="auto|GB", help="GiB of device memory that may be used; auto: what is free"
    )
    command.add_argument(
        "--bit-exact", action="store_true", help="guidance in two passes and one segment at a time, as the original"
    )
    command.add_argument(
        "--compile",
        dest="compiled",
        action="store_true",
        help="on a GPU: compile the networks' blocks; the first run waits minutes for it",
    )
    command.add_argument(
        "--workers", type=int, default=1, help="processes that share the segments, one for each GPU or some CPU cores"
    )


def add_drawing_flags(command: argparse.ArgumentParser) -> None:
    """Flags that say what is drawn: the settings of a run."""
    drawing = command.add_argument_group("keyframes")
    filling = command.add_argument_group("segments")
    for group, flags in ((drawing, KEYFRAME_FLAGS), (filling, SEGMENT_FLAGS)):
        for name, meaning in flags.items():
            group.add_argument("--" + name.replace("_", "-"), **meaning)
    filling.add_argument("--seconds", type=float, help="length of the video where strokes are drawn, 3 to 600 (20)")
    command.add_argument("--route", choices=ROUTES, help="as what the artwork is taken apart into strokes")
    filling.add_argument("--fps", type=int, help="frames per second of the video, 1 to 60")
    command.add_argument(
        "--profile",
        choices=PROFILES,
        default="exact",
        help="fast: fewer steps, less guidance, reused features",
    )
    command.add_argument(
        "--fit",
        choices=FITS,
        help="how the artwork fills the networks' sizes: pad loses nothing, crop cuts as the original",
    )
    command.add_argument("--mark", action="store_true", default=None, help="say in a corner of the video: made by AI")


def drawing_flags() -> set[str]:
    """What the settings of a run are called, on the command line and in a manifest."""
    bare = argparse.ArgumentParser()
    add_drawing_flags(bare)
    return set(vars(bare.parse_args([])))


def load_engine(chosen: argparse.Namespace) -> Engine:
    """The engine that the flags ask for."""
    choices = {name: getattr(chosen, name) for name in ENGINE_FLAGS}
    if later("family.choice:find_family")(chosen.models).name == STROKES:
        return later("strokes_engine:Strokes.load")(**choices)
    return later("pipeline:PaintsUndo.load")(**choices)


def chosen_options(defaults: UndoOptions, chosen: argparse.Namespace) -> UndoOptions:
    """The defaults as the profile and the other flags change them."""

    def given(names: Iterable[str], prefix: str = "") -> dict[str, Any]:
        values = {name.removeprefix(prefix): getattr(chosen, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}

    chosen = _with_effect(defaults, chosen)
    defaults = with_profile(defaults, chosen.profile)
    keyframes = replace(defaults.keyframes, **given(KEYFRAME_FLAGS))
    segments = replace(defaults.segments, **given(SEGMENT_FLAGS, prefix="video_"))
    # an empty --prompt is a choice, too: no words, and no tagger
    others = {"tag": defaults.tag and chosen.prompt is None, **given(["fps", "mark", "fit", "seconds", "route"])}
    return replace(defaults, keyframes=keyframes, segments=segments, **others)


def _with_effect(defaults: UndoOptions, chosen: argparse.Namespace) -> argparse.Namespace:
    """The flags without those that the family has no use for, each of which is told."""
    kept = vars(chosen).copy()
    unknown = {*OF_NETWORKS, *SEGMENT_FLAGS, "profile"} if defaults.in_strokes else OF_STROKES
    for name in sorted(unknown & kept.keys()):
        usual = "exact" if name == "profile" else None
        if kept[name] not in (None, usual):
            kind = "without networks" if defaults.in_strokes else "with networks, not in strokes"
            log.warning("--%s changes nothing: this model family draws %s", name.replace("_", "-"), kind)
        kept[name] = usual
    return argparse.Namespace(**kept)


class Meter:
    """One line on the terminal that says how far a run is and how long the rest of it takes."""

    def __init__(self, name: str, quiet: bool):
        self.name = name
        self.quiet = quiet
        self.on_terminal = sys.stderr.isatty()
        self.time_left = TimeLeft()
        self.last = ""

    def __call__(self, progress: Progress) -> None:
        left = self.time_left(progress)
        if self.quiet:
            return
        ended = progress.done >= progress.total
        line = f"{self.name}: {progress.stage}, {progress.detail} {progress.done}/{progress.total}"
        if left:
            line += f", {in_words(left)} left"
        if self.on_terminal:
            print(f"\r{line:<{len(self.last)}}", end="\n" if ended else "", file=sys.stderr, flush=True)
            self.last = "" if ended else line
        elif ended:
            print(line, file=sys.stderr, flush=True)
