"""`python -m paints_undo download` and `doctor`: what comes before the first run.

What they need is imported when they run: the program's `--help` must not wait for it.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from pathlib import Path

DONE, FAILED = 0, 1


def add_commands(subparsers: argparse._SubParsersAction, add_engine_flags: Callable) -> None:
    """Add both commands to the command line; each sets `work` to the function that does it."""
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


def download_command(chosen: argparse.Namespace) -> int:
    """Fetch what is lacking, and say where the family is."""
    from paints_undo.family.released import download_released

    logging.getLogger().handlers[0].setLevel(logging.INFO)  # a download is followed, not only its warnings
    family = download_released(chosen.source)
    print(f"the model family released is complete in {family.folders['single_frame'].parents[2]}")
    return DONE


def doctor_command(chosen: argparse.Namespace) -> int:
    """Print the report; done only when a run can succeed."""
    from paints_undo.doctor import examine

    report = examine(chosen.models, chosen.device, chosen.dtype, chosen.attention, chosen.vram, chosen.out)
    print(json.dumps(report.to_json(), indent=2, ensure_ascii=False) if chosen.json else report.text())
    return DONE if report.ready else FAILED
