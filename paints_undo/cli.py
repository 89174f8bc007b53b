"""The command line: python -m paints_undo run ARTWORK... --out DIR."""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from paints_undo import __version__
from paints_undo.batch.command import add_commands as add_batch_command
from paints_undo.bench.command import add_commands as add_bench_command
from paints_undo.commands import (
    DONE,
    FAILED,
    INTERRUPTED,
    Meter,
    add_drawing_flags,
    add_engine_flags,
    chosen_options,
    complain,
    later,
    load_engine,
    status_of,
)
from paints_undo.engine import Engine
from paints_undo.errors import EXPECTED, InputError
from paints_undo.exports.command import add_commands as add_export_command
from paints_undo.family.released import download_released
from paints_undo.logs import configure
from paints_undo.run.folder import run_folder_for
from paints_undo.run.recorded_folder import MovedFolder
from paints_undo.run.replay import earlier_run, replay
from paints_undo.training.command import add_commands as add_training_commands
from paints_undo.verification.command import add_commands as add_verify_command
from paints_undo.verification.content_credentials import Credentials, sign_run


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

    add_setup_commands(commands)
    add_verify_command(commands)
    add_batch_command(commands)
    add_bench_command(commands)
    add_training_commands(commands)
    add_export_command(commands)
    return top


def add_setup_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add what comes before the first run."""
    download = subparsers.add_parser("download", help="fetch the published model family (7.6 GB) into the hub's cache")
    download.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="FOLDER",
        help="copy what is there first: a hub cache, a model family, or clones of the repositories",
    )
    download.set_defaults(work=download_command)

    doctor = subparsers.add_parser("doctor", help="say what this machine can do, and what is missing")
    add_engine_flags(doctor)
    doctor.add_argument("--out", type=Path, default=Path("outputs"), metavar="DIR", help="where run folders would go")
    doctor.add_argument("--json", action="store_true", help="plain values for programs")
    doctor.set_defaults(work=doctor_command)


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
    except EXPECTED as error:
        complain(error)
        return status_of(error)
    except KeyboardInterrupt:
        complain("stopped; the same command goes on where it was")
        return INTERRUPTED


def run_command(chosen: argparse.Namespace) -> int:
    """Draw every artwork into a run folder of its own; one that fails does not stop the rest."""
    if not (chosen.artworks or chosen.replay) or (chosen.replay and len(chosen.artworks) > 1):
        raise InputError("give one or more picture files, or --replay with an earlier run (and its artwork)")
    credentials = chosen_credentials(chosen)
    earlier = earlier_run(chosen.replay, *chosen.artworks) if chosen.replay else None
    if earlier and chosen.models == "auto":
        chosen.models = earlier.models
    engine = load_engine(chosen)
    if earlier:
        warn_of_differences(earlier.settings, engine)
        jobs, options = [(earlier.name, partial(replay, engine, earlier))], earlier.options
    else:
        options = chosen_options(engine.default_options, chosen)
        jobs = [(Path(name).name, partial(engine.undo, Path(name), options)) for name in chosen.artworks]
    # checked here, before the first picture is read or a network is loaded
    engine.family.check(options)
    plan = engine.plan(options)
    if not chosen.quiet and not options.in_strokes:
        told = engine.describe()
        expected = later("execution.plans:expectation")(plan, told.device, told.dtype)
        print(f"{told.device}: {expected}", file=sys.stderr)

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
            complain(f"{name}: {error}")
            worst = max(worst, status_of(error))
            begun = begun or isinstance(error, MovedFolder)
    return worst


def chosen_credentials(chosen: argparse.Namespace) -> Credentials | None:
    """What to sign with; nothing where no flag asks for it."""
    if not (chosen.c2pa_key or chosen.c2pa_certificate):
        return None
    if not (chosen.c2pa_key and chosen.c2pa_certificate):
        raise InputError("content credentials need both --c2pa-key and --c2pa-certificate")
    return Credentials(chosen.c2pa_key, chosen.c2pa_certificate)


def warn_of_differences(settings: dict, engine: Engine) -> None:
    """Say what differs from the recorded run, beside the options, and may so change its pixels."""
    now = engine.settings_of(engine.default_options)
    for name in sorted(now.keys() - {"options"}):
        if settings.get(name, now[name]) != now[name]:
            logging.warning("%s was %s and is %s: the frames may differ", name, settings[name], now[name])


def download_command(chosen: argparse.Namespace) -> int:
    """Fetch what is lacking, and say where the family is."""
    logging.getLogger().handlers[0].setLevel(logging.INFO)  # a download is followed, not only its warnings
    family = download_released(chosen.source)
    print(f"the model family released is complete in {family.folders['single_frame'].parents[2]}")
    return DONE


def doctor_command(chosen: argparse.Namespace) -> int:
    """Print the report; done only when a run can succeed."""
    report = later("doctor.examination:examine")(
        chosen.models, chosen.device, chosen.dtype, chosen.attention, chosen.vram, chosen.out
    )
    print(json.dumps(report.to_json(), indent=2, ensure_ascii=False) if chosen.json else report.text())
    return DONE if report.ready else FAILED
