"""Draws docs/strokes/: sheets of canvases of pictures that are ours or in the public domain, and a moving picture.

`python docs/strokes_sheets.py PICTURE... --out FOLDER` draws sheets of other pictures, and prints their figures.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage import data

from paints_undo.pictures.pixels import read_picture
from paints_undo.strokes.film import Film
from paints_undo.strokes.process import Process, plan_process

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))

from strokes_figures import measured  # noqa: E402

EXAMPLES = HERE.parent / "paints_undo" / "examples"
SHEET_SIZE, SHEET_WIDE, SHEET_HIGH = 216, 6, 4  # pixels across a canvas, canvases across and down
SECONDS, FPS, MOVING = 8, 10, 240  # of the moving picture, and its pixels


def sheet(process: Process) -> np.ndarray:
    """Canvases from the first stroke to the last in rows, uint8 RGB."""
    total, count = len(process.operations), SHEET_WIDE * SHEET_HIGH
    scale = SHEET_SIZE / process.size[1]
    size = (SHEET_SIZE, max(1, round(process.size[0] * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    dones = [round(k * total / (count - 1)) for k in range(count)]
    small = [cv2.resize(canvas, size, interpolation=how) for canvas in process.canvases(dones)]
    return np.vstack([np.hstack(small[k : k + SHEET_WIDE]) for k in range(0, count, SHEET_WIDE)])


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


def figures(paths: list[Path], target: Path) -> None:
    """Print what the process of each picture comes to, and draw its sheet."""
    for path in paths:
        begun = time.perf_counter()
        process = plan_process(read_picture(path))
        values = {"route": process.plan.route, "seconds": time.perf_counter() - begun, **vars(measured(process))}
        told = (
            f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
        )
        print(path.stem, *told, sep="\t", flush=True)
        Image.fromarray(sheet(process)).save(target / f"{path.stem}.png")


def ours(target: Path) -> None:
    """Everything in docs/strokes/."""
    examples = {path.stem: read_picture(path) for path in sorted(EXAMPLES.glob("*.png"))}
    photos = {"astronaut": data.astronaut(), "chelsea": data.chelsea(), "coffee": data.coffee()}
    processes = {name: plan_process(picture, seed=16) for name, picture in {**examples, **photos}.items()}
    for name, process in processes.items():
        Image.fromarray(sheet(process)).save(target / f"{name}.jpg", quality=80, optimize=True)
    moving([processes[name] for name in examples], target / "drawing.webp")


def main() -> None:
    """As the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "strokes")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.pictures:
        figures(given.pictures, given.out)
    else:
        ours(given.out)


if __name__ == "__main__":
    main()
