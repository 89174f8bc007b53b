"""Small pictures and processes for the tests of paints_undo.training."""

import cv2
import numpy as np
import torch

from paints_undo.training.layering import build_process
from paints_undo.training.process import DrawingProcess, compose_batch

SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><defs><linearGradient id="g"><stop offset="0" '
    'stop-color="#000" stop-opacity="0"/><stop offset="1" stop-color="#000" stop-opacity=".4"/></linearGradient>'
    '<g id="eye"><circle cx="0" cy="0" r="6" fill="#102040"/></g></defs>'
    '<rect y="70" width="100" height="30" fill="#7ab648"/><circle cx="50" cy="45" r="32" fill="#f2b36b"/>'
    '<circle cx="50" cy="45" r="32" fill="url(#g)"/><use href="#eye" x="38" y="40"/>'
    '<use href="#eye" x="62" y="40"/></svg>'
)


def a_face(size: int = 64) -> np.ndarray:
    """A round face on white, uint8 (size, size, 3)."""
    picture = np.full((size, size, 3), 255, np.uint8)
    unit = size / 64
    cv2.circle(picture, (round(32 * unit), round(32 * unit)), round(22 * unit), (240, 180, 110), -1)
    for x in (25, 39):
        cv2.circle(picture, (round(x * unit), round(28 * unit)), round(3 * unit), (40, 60, 150), -1)
    cv2.rectangle(
        picture, (round(26 * unit), round(40 * unit)), (round(38 * unit), round(44 * unit)), (190, 50, 60), -1
    )
    return picture


def compose(process: DrawingProcess, operation_step: int) -> np.ndarray:
    """The canvas at one operation step, uint8 (H, W, 3)."""
    canvas = compose_batch(torch.from_numpy(process.to_maps())[None], torch.tensor([operation_step]))[0]
    return ((canvas + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()


def labels_of(picture: np.ndarray) -> np.ndarray:
    """The label map (H, W) of a picture of few colours: one label a colour."""
    return np.unique(picture.reshape(-1, 3), axis=0, return_inverse=True)[1].reshape(picture.shape[:2])


def a_process(size: int = 64) -> DrawingProcess:
    working = a_face(2 * size)
    return build_process(working, labels_of(working))
