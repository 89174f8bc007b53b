"""The command `verify`."""

from __future__ import annotations

import argparse
import json
import sys

from paints_undo.commands import BAD_INPUT, DONE, FAILED
from paints_undo.verification.verify import RECORDED, UNREADABLE, verify


def add_commands(commands: argparse._SubParsersAction) -> None:
    """The command `verify`."""
    command = commands.add_parser(
        "verify",
        help="say what pictures, videos and run folders are, as they say themselves",
        description="Read the record in files that this program wrote. Whoever changes a file can change its record, "
        "too, unless it is signed (run --c2pa-key --c2pa-certificate).",
    )
    command.add_argument("files", nargs="+", metavar="FILE", help="PNG, MP4, GIF or WebP files, or run folders")
    command.add_argument("--artwork", metavar="PICTURE", help="check that they were made from this picture")
    command.add_argument("--json", action="store_true", help="print everything as JSON, a list")
    command.set_defaults(work=verify_command)


def verify_command(chosen: argparse.Namespace) -> int:
    """0 where every file carries a record and nothing contradicts it, 1 where not, 2 for what cannot be read."""
    findings = [verify(file, chosen.artwork) for file in chosen.files]
    if chosen.json:
        text = json.dumps([finding.to_dict() for finding in findings], indent=2)
    else:
        text = "\n\n".join(finding.text for finding in findings)
    sys.stdout.write(text + "\n")
    states = {finding.state for finding in findings}
    return BAD_INPUT if UNREADABLE in states else FAILED if states != {RECORDED} else DONE
