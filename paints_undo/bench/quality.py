"""How near the frames of an approximate run come to those of the exact one."""

from __future__ import annotations

import cv2
import numpy as np

# Wang et al. 2004, section III: a Gaussian window of 11 pixels, and constants for 8-bit pictures.
WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
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
    """Structural similarity of two pictures uint8 (h, w, 3), on their grey values: Wang et al. 2004, equation 13."""
    a, b = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64) for picture in (exact, other))
    mean_a, mean_b = local_mean(a), local_mean(b)
    variance_a, variance_b = local_mean(a * a) - mean_a**2, local_mean(b * b) - mean_b**2
    covariance = local_mean(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    structure = (2 * covariance + C2) / (variance_a + variance_b + C2)
    return float(np.mean(luminance * structure))


def local_mean(values: np.ndarray) -> np.ndarray:
    """Weighted means (h - 10, w - 10) of (h, w): only windows that lie inside the picture."""
    border = WINDOW // 2
    return cv2.GaussianBlur(values, (WINDOW, WINDOW), SIGMA)[border:-border, border:-border]
