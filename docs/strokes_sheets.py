"""Draws docs/strokes/: sheets of canvases of pictures that are ours or in the public domain, and a moving picture.

python docs/strokes_sheets.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from paints_undo.pictures.pixels import read_picture
from paints_undo.strokes.film import Film
from paints_undo.strokes.process import Process, plan_process
from paints_undo.strokes.report import sheet

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "paints_undo" / "examples"
SECONDS, FPS, MOVING = 8, 10, 240  # of the moving picture, and its pixels


def moving(processes: list[Process], path: Path) -> None:
    """All processes side by side as an animated WebP."""
    films = [
        Film(process.at(MOVING * process.size[0] // process.size[1], MOVING), SECONDS, FPS) for process in processes
    ]
    frames = [
        Image.fromarray(np.concatenate([film.frame(place) for film in films], 1)) for place in range(SECONDS * FPS)
    ]
    durations = [1000 // FPS] * (len(frames) - 1) + [2000]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=60, method=4)


def main() -> None:
    """Everything in docs/strokes/."""
    target = HERE / "strokes"
    target.mkdir(exist_ok=True)
    ours = {path.stem: read_picture(path) for path in sorted(EXAMPLES.glob("*.png"))}
    photos = {"astronaut": data.astronaut(), "chelsea": data.chelsea(), "coffee": data.coffee()}
    processes = {name: plan_process(picture, seed=16) for name, picture in {**ours, **photos}.items()}
    for name, process in processes.items():
        Image.fromarray(sheet(process)).save(target / f"{name}.jpg", quality=80, optimize=True)
    moving([processes[name] for name in ours], target / "drawing.webp")


if __name__ == "__main__":
    main()
