"""Who can reach the server, the guards that follow from it, and what to say aloud about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paints_undo.web.bodies import BoundedBodies
from paints_undo.web.calls import BoundedCalls
from paints_undo.web.hosts import LOOPBACK_NAMES, SHARE_NAMES, KnownHosts, OwnPagesOnly, own_names
from paints_undo.web.logins import BoundedLogins
from paints_undo.web.refusals import RefusedNotFailed
from paints_undo.web.run_files import RunFiles

Guard = tuple[type, tuple[Any, ...], dict[str, Any]]  # an ASGI middleware and its arguments


def guards(listen: bool, share: bool, host_names: Sequence[str], out: Path) -> list[Guard]:
    """What every request goes through, the outermost first.

    host_names: further names the server is known under, such as that of a proxy before it.
    """
    names = (*LOOPBACK_NAMES, *host_names, *(own_names() if listen else ()), *(SHARE_NAMES if share else ()))
    return [
        (KnownHosts, (), {"names": names, "addresses": listen}),
        (OwnPagesOnly, (), {"names": tuple(host_names)}),
        (BoundedBodies, (), {}),
        (BoundedLogins, (), {}),
        (BoundedCalls, (), {}),
        (RunFiles, (), {"out": out}),
        (RefusedNotFailed, (), {}),
    ]


def warning(listen: bool, share: bool, auth: object) -> str:
    """What to say before such a server starts; empty where it is safe."""
    if auth or not (listen or share):
        return ""
    who = "everybody on the internet who has or guesses its link" if share else "everybody on your network"
    return (
        f"\n{'!' * 78}\nNo password is set: {who} can use this computer's GPU and fill its disk.\n"
        f"Stop with Ctrl+C and start again with --auth USER:PASSWORD.\n{'!' * 78}"
    )
