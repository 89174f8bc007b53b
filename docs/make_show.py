"""Makes the film that the page plays while no run is open: `python docs/make_show.py`.

One of the shipped examples, drawn in strokes, without the parts in which little happens.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from paints_undo.options import KeyframeOptions  # noqa: E402
from paints_undo.pictures.pixels import read_picture  # noqa: E402
from paints_undo.pictures.video import write_video  # noqa: E402
from paints_undo.strokes.film import Film  # noqa: E402
from paints_undo.strokes.process import plan_process  # noqa: E402
from paints_undo.web.workbench import EXAMPLES, FILM  # noqa: E402

SECONDS, FPS = 11, 20
FIRST = 12  # operations that are done in the first frame: something is to be seen at once
QUIET, HURRY = ("shading",), 3  # phases of small changes, and how much faster they go
HELD = 2.0  # seconds that the finished picture stands


def main() -> None:
    """Write the film."""
    process = plan_process(read_picture(EXAMPLES["girl"]), KeyframeOptions().seed)
    film = Film(process, SECONDS, FPS)
    moments = film.moments[film.moments >= FIRST]
    phases = [process.operations[min(len(process.operations) - 1, int(moment))].phase for moment in moments]
    kept = [k for k, phase in enumerate(phases) if phase not in QUIET or k % HURRY == 0]
    moments = np.concatenate([moments[kept], np.full(round(HELD * FPS), len(process.operations))])
    write_video(iter(film.at(moments)), FILM, FPS)


if __name__ == "__main__":
    main()
