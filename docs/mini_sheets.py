"""Draws the sample sheets of the mini family's model card: python docs/mini_sheets.py (needs the train extra)."""

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from skimage import data, filters  # noqa: E402

from paints_undo import PaintsUndo  # noqa: E402
from paints_undo.pictures.fit import crop_to  # noqa: E402
from paints_undo.pictures.pixels import read_picture  # noqa: E402
from paints_undo.training import recipe  # noqa: E402
from paints_undo.training.sheets import contact_sheet  # noqa: E402

SHEETS = ROOT / "docs" / "mini"
SIZE = 128
STEPS = (0, 200, 400, 600, 800, 900, 950, 999)


def held_out(count: int) -> list[np.ndarray]:
    """Finished pictures that training never saw, uint8 (128, 128, 3)."""
    data = recipe.draw_pictures("held_out", 300, SIZE, None)
    finished = data.finished(torch.arange(count)).permute(0, 2, 3, 1)
    return list(((finished + 1) * 127.5).clamp(0, 255).byte().numpy())


def outsiders() -> list[np.ndarray]:
    """What the family was not made for: a photo, a line drawing, a painting-like picture and a poster."""
    photo = crop_to(data.astronaut(), 256, 256)
    edges = filters.sobel(cv2.cvtColor(crop_to(data.chelsea(), 256, 256), cv2.COLOR_RGB2GRAY))
    line_drawing = np.repeat((255 * (1 - np.clip(edges * 6, 0, 1))).astype(np.uint8)[..., None], 3, axis=2)
    painting = cv2.stylization(crop_to(data.coffee(), 256, 256), sigma_s=20, sigma_r=0.5)
    poster = np.full((256, 256, 3), (250, 235, 200), np.uint8)
    for row, word in enumerate(("PAINT", "IT", "AGAIN")):
        cv2.putText(poster, word, (20, 80 + 70 * row), cv2.FONT_HERSHEY_DUPLEX, 2, (150, 30, 60), 5, cv2.LINE_AA)
    return [photo, line_drawing, painting, poster]


def process_rows(engine: PaintsUndo, pictures: list[np.ndarray]) -> list[list[np.ndarray]]:
    """For each picture: the artwork, then the keyframe of each operation step."""
    options = replace(engine.default_options.keyframes, operation_steps=STEPS)
    rows = []
    for picture in pictures:
        told = replace(options, prompt=engine.tag(picture))
        rows.append([crop_to(picture, SIZE, SIZE), *engine.draw_keyframes(picture, told)])
    return rows


def timelapse_rows(engine: PaintsUndo, pictures: list[np.ndarray]) -> list[list[np.ndarray]]:
    """For each picture: 15 frames of the timelapse that the defaults give, blank to finished."""
    rows = []
    for picture in pictures:
        frames = engine.undo(picture, replace(engine.default_options, fit="crop")).frames
        rows.append([frames[i] for i in np.linspace(0, len(frames) - 1, 15).round().astype(int)])
    return rows


def main() -> None:
    engine, pictures = PaintsUndo.load("mini", device="cpu"), held_out(12)
    examples = [read_picture(ROOT / "paints_undo" / "examples" / f"{name}.png") for name in ("girl", "cat")]
    SHEETS.mkdir(parents=True, exist_ok=True)
    sheets = {
        "held_out": process_rows(engine, pictures),
        "timelapses": timelapse_rows(engine, [*pictures[:2], *examples]),
        "outside": process_rows(engine, outsiders()),
    }
    for name, rows in sheets.items():
        # 256 colours: to be looked at, and a third of the size
        Image.fromarray(contact_sheet(rows)).quantize(256).save(SHEETS / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
