"""Small pictures and processes for the tests of paints_undo.training."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from paints_undo.training.dataset import PictureSet
from paints_undo.training.keyframe_training import KeyframeSizes
from paints_undo.training.layering import build_process
from paints_undo.training.loop import LoopOptions
from paints_undo.training.picture_vae import VaeOptions
from paints_undo.training.process import DrawingProcess, Habits, compose_batch, moments_of
from paints_undo.training.segment_training import SegmentSizes, SegmentTrainingOptions

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


def a_set(count: int = 2, size: int = 64, tags: Sequence[tuple[str, ...]] = ()) -> PictureSet:
    """So many times the same process, as training reads it."""
    maps = torch.from_numpy(a_process(size).to_maps())[None].repeat(count, 1, 1, 1)
    return PictureSet(list("abcdefgh"[:count]), list(tags) or [()] * count, maps, moments_of([Habits()] * count))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def quick(steps: int, rate: float = 1e-2) -> LoopOptions:
    """Of a few updates that teach much."""
    return LoopOptions(steps=steps, learning_rate=rate, warmup_steps=2, averaging=0.5, mixed_precision=False)


TINY_VAE = VaeOptions(base_channels=8, channel_multipliers=(1, 2), norm_groups=4, crop=16, crops=2, whole_share=0.5)
TINY_KEYFRAMES = KeyframeSizes(widths=(16, 32), heads=(0, 2), norm_groups=8, text_width=16, text_layers=1, text_heads=2)
TINY_SEGMENTS = SegmentSizes(channels=8, multipliers=(1, 2), attention_at=(2,), head_width=4, norm_groups=4, context=16,
                             image_tokens=2, vision_width=16, vision_layers=1, picture=32, patch=16)  # fmt: skip
QUICK_SEGMENTS = SegmentTrainingOptions(
    sparse_frames=3, sparse_share=0.6, sparse_batch=2, buffer=6, sizes=TINY_SEGMENTS
)
