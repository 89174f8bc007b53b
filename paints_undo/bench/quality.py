"""How near the frames of an approximate run come to those of the exact one."""

from __future__ import annotations

import cv2
import numpy as np
from skimage.metrics import structural_similarity

EQUAL = 100.0  # decibels given to pictures without any difference


def quality(exact_frames: np.ndarray, other_frames: np.ndarray) -> dict[str, float]:
    """Compare frames uint8 (n, h, w, 3) one by one: the means "psnr" (decibels) and "ssim" (at most 1), and the worst.

    Raises ValueError where the two have other shapes.
    """
    if exact_frames.shape != other_frames.shape:
        raise ValueError(f"frames of shape {other_frames.shape} cannot be compared with {exact_frames.shape}")
    pairs = list(zip(exact_frames, other_frames, strict=True))
    psnrs, ssims = [psnr(a, b) for a, b in pairs], [ssim(a, b) for a, b in pairs]
    means = {"psnr": float(np.mean(psnrs)), "ssim": float(np.mean(ssims))}
    return {**means, "worst_psnr": min(psnrs), "worst_ssim": min(ssims)}


def psnr(exact: np.ndarray, other: np.ndarray) -> float:
    """Peak signal-to-noise ratio of two pictures uint8 (h, w, 3), in decibels."""
    return min(EQUAL, cv2.PSNR(exact, other))


def ssim(exact: np.ndarray, other: np.ndarray) -> float:
    """Structural similarity of two pictures uint8 (h, w, 3), on their grey values, as Wang et al. 2004 compute it."""
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (exact, other)]
    as_published = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(*grey, data_range=255, **as_published))
