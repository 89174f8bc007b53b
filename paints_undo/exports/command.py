"""`python -m paints_undo export RUN --as psd,gif`: the command line of the exports."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

from paints_undo.atomic import explained, written_atomically
from paints_undo.commands import later
from paints_undo.errors import InputError
from paints_undo.exports.charts import write_curves
from paints_undo.exports.formats import FORMATS, chosen_formats, export
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.source import Source
from paints_undo.run.folder import EXPORTS
from paints_undo.words.languages import LANGUAGES

FPS_HELP = (
    "frames a second, 1 to 60, each drawn frame once (25, or the run's from 24 on: videos as long as the run's, one "
    "frame leading over to the next; GIF, WebP and APNG show each drawn frame once, unless --seconds is given)"
)


def add_commands(subparsers: argparse._SubParsersAction) -> None:
    """Add `export` to the command line; it sets `work` to the function that does it."""
    command = subparsers.add_parser("export", help="a finished run at the artwork's size, in other formats")
    command.add_argument("run", nargs="?", metavar="RUN", help="the folder of a finished run")
    command.add_argument("--as", dest="formats", metavar="FORMAT,...", help="what to write, or all (mp4)")
    command.add_argument("--list", action="store_true", help="say which formats there are, and nothing else")
    command.add_argument("--out", type=Path, metavar="DIR", help="where the files go (RUN/exports)")
    command.add_argument("--title", default="", help="what the picture is called in layers, sheets and pages")
    command.add_argument("--language", choices=LANGUAGES, default="en", help="of what a step sheet says")
    command.add_argument("--longest-side", type=int, metavar="PIXELS", help="by default the artwork's own size")
    command.add_argument(
        "--compare", metavar="RUN", help="draw the curves of another run beside those of this one, nothing else"
    )
    pacing = command.add_argument_group("pacing")
    pacing.add_argument("--fps", type=int, help=FPS_HELP)
    pacing.add_argument("--seconds", type=float, help="length of the whole, holds included")
    pacing.add_argument(
        "--hold-start", type=float, default=argparse.SUPPRESS, metavar="SECONDS", help="of the first frame (0.5)"
    )
    pacing.add_argument(
        "--hold-end", type=float, default=argparse.SUPPRESS, metavar="SECONDS", help="of the finished artwork (2)"
    )
    pacing.add_argument(
        "--curve",
        choices=["steps", "strokes"],
        default=argparse.SUPPRESS,
        help="steps: each frame as long as any other; strokes: as much change in each second",
    )
    pacing.add_argument("--keep-dead-frames", action="store_true", help="also frames in which nothing happens")
    pacing.add_argument(
        "--midpoints",
        type=int,
        default=0,
        metavar="N",
        help="draw the N widest jumps between frames again, 14 frames each (needs the run's model family)",
    )
    command.set_defaults(work=export_command)


def export_command(chosen: argparse.Namespace) -> int:
    """Write what was asked for and print the paths."""
    if chosen.list:
        for name, each in FORMATS.items():
            print(f"{name:<14}{each.words} ({each.file})")
        return 0
    if chosen.run is None:
        raise InputError("no run is given; give the folder that a run was drawn into, the one with run.json")
    options = ExportOptions.of(vars(chosen))
    # before any work: a misspelt format shall not cost minutes
    chosen_formats("mp4" if chosen.formats is None else chosen.formats)
    source = Source.of_run(chosen.run, options.title)
    wanted = chosen_formats("mp4" if chosen.formats is None else chosen.formats, source)
    out = chosen.out or Path(chosen.run) / EXPORTS
    if chosen.compare:
        for path in compare(source, Source.of_run(chosen.compare), out, options):
            print(path)
        return 0
    if chosen.midpoints:
        frames = later("exports.midpoints:midpoints_of_run")(chosen.run, source.frames, chosen.midpoints)
        source = dataclasses.replace(source, frames=frames)
    for name in wanted:
        print(f"{name} ...", end="\r", file=sys.stderr, flush=True)
        print(export(source, [name], out, options)[name])
    return 0


def compare(source: Source, other: Source, out: Path, options: ExportOptions) -> list[Path]:
    """The curves of two runs as SVG and PNG; the paths."""
    with explained("make", out):
        out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"comparison.{ending}" for ending in ("svg", "png")]
    for path in paths:
        with written_atomically(path) as temporary:
            write_curves(source, temporary, options, kind=path.suffix, other=other)
    return paths
