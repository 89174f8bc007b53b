"""What latents look like, without a decoder: a linear map from latent channels to colours, fitted on one picture.

A latent is close to a small picture of its own: each colour is nearly an affine function of the channels at its place.
The map is found by least squares from a picture and the latent it was encoded to, so that it fits any family's VAE.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from torch import Tensor

Look = Callable[[Tensor], Any]  # clean latents as they are seen so far -> what a preview gives of them


@dataclass(frozen=True)
class LatentColours:
    """Colours 0..255 = channels @ weights[:-1] + weights[-1]."""

    weights: np.ndarray  # float32 (c + 1, 3)

    @classmethod
    def fit(cls, latent: Tensor, picture: np.ndarray) -> LatentColours:
        """The map that takes latent (c, h, w) nearest to its picture, uint8 (H, W, 3), shrunk to (h, w)."""
        channels, height, width = latent.shape
        small = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).reshape(-1, 3).astype(np.float32)
        places = latent.detach().float().cpu().reshape(channels, -1).T.numpy()
        known = np.concatenate([places, np.ones((len(places), 1), np.float32)], axis=1)
        return cls(np.linalg.lstsq(known, small, rcond=1e-4)[0].astype(np.float32))

    def of_first(self, latents: Tensor) -> np.ndarray:
        """A small picture, uint8 (h, w, 3), of the first of latents (n, c, [t,] h, w), in the middle of its frames."""
        first = latents[0]
        return self(first if first.ndim == 3 else first[:, first.shape[1] // 2])

    def __call__(self, latent: Tensor) -> np.ndarray:
        """A small picture, uint8 (h, w, 3), of a latent (c, h, w)."""
        channels, height, width = latent.shape
        places = latent.detach().float().cpu().reshape(channels, -1).T.numpy()
        colours = places @ self.weights[:-1] + self.weights[-1]
        return np.nan_to_num(colours).clip(0, 255).astype(np.uint8).reshape(height, width, 3)
