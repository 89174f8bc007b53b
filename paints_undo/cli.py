"""The command line: python -m paints_undo run ARTWORK... --out DIR."""

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from paints_undo import __version__
from paints_undo.batch.command import RunFlags
from paints_undo.batch.command import add_commands as add_batch_command
from paints_undo.bench.command import add_commands as add_bench_command
from paints_undo.errors import CheckpointError, InputError
from paints_undo.exports.command import add_commands as add_export_command
from paints_undo.logs import configure
from paints_undo.options import UndoOptions
from paints_undo.profiles import with_profile
from paints_undo.progress import Progress, in_words
from paints_undo.provenance.command import add_commands as add_verify_command
from paints_undo.provenance.content_credentials import Credentials, sign_run
from paints_undo.run.folder import run_folder_for
from paints_undo.run.recorded_folder import MovedFolder
from paints_undo.run.replay import earlier_run, replay
from paints_undo.setup_commands import add_commands as add_setup_commands
from paints_undo.time_left import TimeLeft
from paints_undo.training.command import add_commands as add_training_commands

if TYPE_CHECKING:
    from paints_undo.pipeline import PaintsUndo

DONE, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

# command-line name -> field of KeyframeOptions and of SegmentOptions
KEYFRAME_FLAGS = {
    "prompt": (str, "what the artwork shows, instead of the tagger's answer"),
    "negative_prompt": (str, "what the keyframes shall not look like"),
    "width": (int, "of the keyframes, in pixels"),
    "height": (int, "of the keyframes, in pixels"),
    "seed": (int, "of the keyframes' noise"),
    "sampling_steps": (int, "denoising iterations of the keyframes, 1 to 100"),
    "guidance_scale": (float, "how strictly the keyframes follow the prompt, 1 to 32"),
}
SEGMENT_FLAGS = {
    "video_prompt": (str, "kind of picture, like '1girl, masterpiece, best quality'; never the artwork's tags"),
    "video_seed": (int, "of the segments' noise; pair i uses seed + i"),
    "video_sampling_steps": (int, "denoising iterations of the segments, 1 to 100"),
    "video_guidance_scale": (float, "how strictly the segments follow their conditions, 1 to 32"),
    "frame_stride": (int, "how much happens between two frames; the networks know 3 best"),
    "video_reuse_interval": (int, "approximation: deep features are computed in every so manieth step, 1 to 10"),
}


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="paints-undo", description="From a picture to a video of how it was drawn.")
    top.add_argument("--version", action="version", version=f"paints-undo {__version__}")
    top.add_argument("--verbose", action="store_true", help="say on the terminal what happens, step by step")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="draw the timelapse of one or more artworks")
    run.add_argument("artworks", nargs="*", metavar="ARTWORK", help="picture files: PNG, JPEG, WebP or GIF")
    run.add_argument(
        "--replay", metavar="RUN", help="repeat an earlier run: its folder, or a PNG or MP4 of it and the ARTWORK"
    )
    run.add_argument("--out", type=Path, default=Path("outputs"), metavar="DIR", help="where run folders go (outputs)")
    add_engine_flags(run)
    add_drawing_flags(run)
    run.add_argument("--save-frames", action="store_true", help="keep every frame as PNG, too")
    run.add_argument("--c2pa-key", type=Path, metavar="PEM", help="sign keyframes and video with this private key")
    run.add_argument("--c2pa-certificate", type=Path, metavar="PEM", help="the certificate of that key, with its chain")
    run.add_argument("--quiet", action="store_true", help="show no progress")
    run.set_defaults(work=run_command)

    add_setup_commands(commands, add_engine_flags)
    add_verify_command(commands)
    add_batch_command(commands, RunFlags(add_engine_flags, add_drawing_flags, load_engine, chosen_options, Meter))
    add_bench_command(commands)
    add_training_commands(commands)
    add_export_command(commands)
    return top


def add_engine_flags(command: argparse.ArgumentParser) -> None:
    """Flags that say what computes; the web app has the same."""
    command.add_argument("--models", default="auto", metavar="mini|released|FOLDER", help="the model family")
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
    add_option_flags(drawing, KEYFRAME_FLAGS)
    drawing.add_argument(
        "--operation-steps", nargs="+", type=int, metavar="STEP", help="0 finished to 999 first stroke"
    )
    filling = command.add_argument_group("segments")
    add_option_flags(filling, SEGMENT_FLAGS)
    filling.add_argument(
        "--video-guidance-interval",
        nargs=2,
        type=int,
        metavar=("LOW", "HIGH"),
        help="approximation: guidance at these timesteps alone, 0 to 999",
    )
    filling.add_argument("--fps", type=int, help="frames per second of the video, 1 to 60")
    command.add_argument(
        "--profile",
        choices=["exact", "fast"],
        default="exact",
        help="fast: fewer steps, less guidance, reused features",
    )
    command.add_argument(
        "--fit",
        choices=["pad", "crop"],
        help="how the artwork fills the networks' sizes: pad loses nothing (the default), crop cuts as the original",
    )
    command.add_argument("--mark", action="store_true", default=None, help="say in a corner of the video: made by AI")


def add_option_flags(group: argparse._ArgumentGroup, flags: dict[str, tuple[type, str]]) -> None:
    for name, (kind, meaning) in flags.items():
        group.add_argument("--" + name.replace("_", "-"), type=kind, help=meaning)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 2 bad input (one sentence on stderr), 1 failed."""
    # the traps of a terminal that cannot show a file name are not worth a failed run
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    chosen = parser().parse_args(arguments)
    configure(chosen.verbose)
    try:
        return chosen.work(chosen)
    except InputError as error:
        print(f"paints-undo: {error}", file=sys.stderr)
        return BAD_INPUT
    except (CheckpointError, OSError, MemoryError, FloatingPointError) as error:
        print(f"paints-undo: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("paints-undo: stopped; the same command goes on where it was", file=sys.stderr)
        return INTERRUPTED


def load_engine(chosen: argparse.Namespace) -> "PaintsUndo":
    from paints_undo.pipeline import PaintsUndo  # takes seconds, which --help and bad flags need not wait for

    return PaintsUndo.load(
        chosen.models,
        chosen.device,
        chosen.dtype,
        chosen.noise,
        chosen.attention,
        chosen.vram,
        chosen.bit_exact,
        chosen.workers,
        chosen.compiled,
    )


def run_command(chosen: argparse.Namespace) -> int:
    """Draw every artwork into a run folder of its own; one that fails does not stop the rest."""
    if not (chosen.artworks or chosen.replay) or (chosen.replay and len(chosen.artworks) > 1):
        raise InputError("give one or more picture files, or --replay with an earlier run (and its artwork)")
    credentials = chosen_credentials(chosen)
    engine = load_engine(chosen)
    if chosen.replay:
        earlier = earlier_run(chosen.replay, *chosen.artworks)
        warn_of_differences(earlier.settings, engine)
        jobs, options = [(earlier.name, partial(replay, engine, earlier))], earlier.options
    else:
        options = chosen_options(with_profile(engine.default_options, chosen.profile), chosen)
        jobs = [(Path(name).name, partial(engine.undo, Path(name), options)) for name in chosen.artworks]
    # checked here, before the first picture is read or a network is loaded
    engine.family.check_keyframe_size(options.keyframes.width, options.keyframes.height)
    plan = engine.plan(options)
    if not chosen.quiet:
        from paints_undo.execution.plans import expectation  # loads PyTorch, as the engine has

        told = engine.describe()
        print(f"{told.device}: {expectation(plan, told.device, told.dtype)}", file=sys.stderr)

    worst, begun = DONE, False
    for name, draw in jobs:
        try:
            if begun and not chosen.out.is_dir():  # made anew it would hold the rest of the runs alone
                raise InputError(
                    f"the folder {chosen.out} was renamed, moved or deleted meanwhile, and this picture is not begun: "
                    "give it its name back and start the same command again"
                )
            folder = run_folder_for(chosen.out, name)
            draw(folder, Meter(name, chosen.quiet), chosen.save_frames)
            begun = True
            if credentials:
                sign_run(folder, credentials)
            print(folder / "timelapse.mp4")
        except (InputError, OSError, MemoryError, FloatingPointError) as error:
            print(f"paints-undo: {name}: {error}", file=sys.stderr)
            worst = max(worst, BAD_INPUT if isinstance(error, InputError) else FAILED)
            begun = begun or isinstance(error, MovedFolder)
    return worst


def chosen_credentials(chosen: argparse.Namespace) -> "Credentials | None":
    """What to sign with; nothing where no flag asks for it."""
    if not (chosen.c2pa_key or chosen.c2pa_certificate):
        return None
    if not (chosen.c2pa_key and chosen.c2pa_certificate):
        raise InputError("content credentials need both --c2pa-key and --c2pa-certificate")
    return Credentials(chosen.c2pa_key, chosen.c2pa_certificate)


def chosen_options(defaults: "UndoOptions", chosen: argparse.Namespace) -> "UndoOptions":
    """The defaults with what the flags change."""

    def given(names: Sequence[str], prefix: str = "") -> dict:
        values = {name.removeprefix(prefix): getattr(chosen, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}

    keyframes = replace(defaults.keyframes, **given([*KEYFRAME_FLAGS, "operation_steps"]))
    segments = replace(defaults.segments, **given([*SEGMENT_FLAGS, "video_guidance_interval"], prefix="video_"))
    # an empty --prompt is a choice, too: no words, and no tagger
    given_here = given(["fps", "mark", "fit"])
    return replace(defaults, keyframes=keyframes, segments=segments, tag=chosen.prompt is None, **given_here)


def warn_of_differences(settings: dict, engine: "PaintsUndo") -> None:
    """Say what differs from the recorded run, beside the options, and may so change its pixels."""
    now = engine.settings_of(engine.default_options)
    for name in sorted(now.keys() - {"options"}):
        if settings.get(name, now[name]) != now[name]:
            logging.warning("%s was %s and is %s: the frames may differ", name, settings[name], now[name])


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
