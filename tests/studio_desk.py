"""A studio with an engine that pretends, and one visitor at it, for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fake_engine import FakeEngine

from paints_undo.run.edits import EDITS
from paints_undo.web.engine import EngineOnUse
from paints_undo.web.studio import Studio

ME, OTHER = "visitor-one-secret", "visitor-two-secret"
SMALL = {"sampling_steps": 3, "video_sampling_steps": 3, "operation_steps": [400, 800, 999], "prompt": "1girl"}
SMALL |= {"width": 128, "height": 192, "fit": "crop"}  # exact pixels tell the seeds: none is cut off
ARTWORK = np.random.default_rng(0).integers(0, 256, (160, 128, 3), dtype=np.uint8)


class StudioDesk:
    """A studio with its fake engine, and one visitor at it."""

    def __init__(self, out: Path, visitor: str = ME, engine: FakeEngine | None = None) -> None:
        self.engine = engine or FakeEngine()
        self.out = out
        self.studio = Studio(EngineOnUse(lambda: self.engine), out)
        self.visitor = visitor

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name in EDITS:
            return lambda run, *place, **values: self.studio.edit(self.visitor, run, name, *place, **values)
        return lambda *arguments, **options: getattr(self.studio, name)(self.visitor, *arguments, **options)

    def new(self, **settings: Any) -> str:
        return self.studio.open(self.visitor, ARTWORK, {**SMALL, **settings})

    def done(self, step: str, run: str) -> dict[str, Any]:
        """Start a job, wait for it, and return the view."""
        self.generate(run, step)
        assert self.wait(run, 30)
        return self.view(run)

    def finished(self, **settings: Any) -> str:
        run = self.new(**settings)
        assert self.done("video", run)["state"] == "finished"
        self.engine.keyframes_drawn, self.engine.segments_drawn = (), []
        return run


def states(view: dict[str, Any], kind: str) -> list[str]:
    return [piece["state"] for piece in view[kind]]
