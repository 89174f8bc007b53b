"""What commands share: how they end, and the flags of `run` with what they are turned into."""

from __future__ import annotations

import argparse
import logging
import pkgutil
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from paints_undo.engine import Engine
from paints_undo.errors import InputError, check_descriptions
from paints_undo.family.choice import STROKES
from paints_undo.options import (
    DEFAULTS,
    ENGINE_DEFAULTS,
    OF_NETWORKS,
    OF_STROKES,
    PLACES,
    PROFILES,
    SETTINGS,
    UndoOptions,
    with_profile,
    with_settings,
)
from paints_undo.progress import Progress, in_words
from paints_undo.time_left import TimeLeft

log = logging.getLogger(__name__)

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130  # exit statuses of every command

ENGINE_FLAGS = ("models", *ENGINE_DEFAULTS)
# What the command line and manifests call a setting.
FLAGS = {f"video_{name}" if name.endswith("_interval") else name: name for name in SETTINGS}


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
        help="where noise is drawn: on the compute device as the original, or on the CPU, the same for every device",
    )
    command.add_argument("--attention", choices=["sdpa", "xformers", "plain"], help="attention backend")
    command.add_argument("--vram", metavar="auto|GB", help="GiB of device memory that may be used; auto: what is free")
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
        "--workers", type=int, help="processes that share the segments, one for each GPU or some CPU cores"
    )
    command.set_defaults(**ENGINE_DEFAULTS)


def add_drawing_flags(command: argparse.ArgumentParser) -> None:
    """Flags that say what is drawn: the settings of a run."""
    groups = {part: command.add_argument_group(part) for part in ("keyframes", "segments")}
    for flag, name in FLAGS.items():
        setting, default = SETTINGS[name], DEFAULTS[name]
        told: dict[str, Any] = {"help": setting.told}
        if isinstance(default, bool):
            told |= {"action": "store_true", "default": None}
        elif setting.choices:
            told |= {"choices": setting.choices}
        elif setting.bounds:
            told["type"] = float if isinstance(default, float) else int
        if isinstance(default, tuple):
            told |= {"nargs": 2, "metavar": ("LOW", "HIGH")} if len(default) == 2 else {"nargs": "+", "metavar": "STEP"}
        groups.get(PLACES[name][0], command).add_argument("--" + flag.replace("_", "-"), **told)
    command.add_argument(
        "--profile",
        choices=PROFILES,
        default="exact",
        help="fast: fewer steps, less guidance, reused features",
    )


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

    chosen = _with_effect(defaults, chosen)
    given = {name: value for flag, name in FLAGS.items() if (value := getattr(chosen, flag)) is not None}
    options = with_settings(with_profile(defaults, chosen.profile), given)
    # an empty --prompt is a choice, too: no words, and no tagger
    return replace(options, tag=defaults.tag and chosen.prompt is None)


def _with_effect(defaults: UndoOptions, chosen: argparse.Namespace) -> argparse.Namespace:
    """The flags without those that the family has no use for, each of which is told."""
    kept = vars(chosen).copy()
    useless = OF_NETWORKS if defaults.in_strokes else OF_STROKES
    unknown = [flag for flag, name in FLAGS.items() if name in useless]
    for name in sorted([*unknown, "profile"] if defaults.in_strokes else unknown):
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
