"""What the page shows before there is a run: a finished film, and pictures to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paints_undo import examples
from paints_undo.web.run_files import handed_out

EXAMPLES = {name: Path(examples.__file__).parent / f"{name}.png" for name in ("girl", "cat", "house", "flower")}
FILM = Path(__file__).parent / "static" / "show.mp4"  # docs/make_show.py makes it


def show() -> dict[str, Any]:
    """{"film": a path, "examples": [{"name", "path"}]}; each can be fetched, and an example opened as a run."""
    pictures = [{"name": name, "path": handed_out(path)} for name, path in EXAMPLES.items()]
    return {"film": handed_out(FILM), "examples": pictures}
