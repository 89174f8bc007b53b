"""Who can reach the server, the guards that follow from it, and what to say aloud about it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from starlette.middleware import Middleware
from starlette.routing import Route

from paints_undo.web.answers import CarefulAnswers
from paints_undo.web.bodies import BoundedBodies
from paints_undo.web.calls import BoundedCalls
from paints_undo.web.connections import watched
from paints_undo.web.hosts import LOOPBACK_NAMES, SHARE_NAMES, KnownHosts, OwnPagesOnly, own_names
from paints_undo.web.logins import BoundedLogins
from paints_undo.web.run_files import RunFiles
from paints_undo.web.sessions import LoginFirst


def guards(listen: bool, share: bool, host_names: Sequence[str], out: Path) -> list[Middleware]:
    """What every request goes through, the outermost first.

    host_names: further names the server is known under, such as that of a proxy before it.
    """
    names = (*LOOPBACK_NAMES, *host_names, *(own_names() if listen else ()), *(SHARE_NAMES if share else ()))
    return [
        Middleware(CarefulAnswers),
        Middleware(KnownHosts, names=names, addresses=listen),
        Middleware(OwnPagesOnly, names=tuple(host_names)),
        Middleware(BoundedBodies),
        Middleware(LoginFirst),
        Middleware(BoundedLogins),
        Middleware(BoundedCalls),
        Middleware(RunFiles, out=out),
    ]


def guarded(guards: Sequence[Middleware], tools: Any = None) -> dict[str, Any]:
    """What makes gradio's server one behind the guards: the keyword arguments of its application.

    tools: an mcp_tools.Tools, which it then has, too.

    Gradio puts middleware of its own before any that it is given, which would answer some requests by itself (CORS).
    The guards change places with it when the server starts.
    """

    @contextlib.asynccontextmanager
    async def first(app: Any) -> AsyncIterator[None]:
        app.user_middleware.sort(key=lambda middleware: middleware not in guards)
        app.middleware_stack = app.build_middleware_stack()
        async with watched(app), tools.running() if tools else contextlib.nullcontext():
            yield

    routes = [Route(f"{tools.address}{end}", tools) for end in ("", "/")] if tools else []
    return {"middleware": list(guards), "lifespan": first, "routes": routes}


def warning(listen: bool, share: bool, auth: object) -> str:
    """What to say before such a server starts; empty where it is safe."""
    if auth or not (listen or share):
        return ""
    who = "everybody on the internet who has or guesses its link" if share else "everybody on your network"
    return (
        f"\n{'!' * 78}\nNo password is set: {who} can use this computer's GPU and fill its disk.\n"
        f"Stop with Ctrl+C and start again with --auth USER:PASSWORD.\n{'!' * 78}"
    )
