"""Figures about finished frames: how close they are to the artwork, and how much they flicker."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def peak_signal_to_noise(first: np.ndarray, second: np.ndarray) -> float:
    """PSNR in dB of two pictures uint8 of one shape; infinite where they are the same."""
    error = np.mean((first.astype(np.float32) - second) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def flicker(frames: Iterable[np.ndarray]) -> float:
    """Mean grey levels by which pixels go back and forth from frame to frame, uint8 (h, w, 3); 0 for a steady change.

    Of three frames in a row, what the middle one is outside of the span of its neighbours is flicker.
    """
    found, window = [], []
    for frame in frames:
        window = [*window[-2:], frame.astype(np.int16)]
        if len(window) == 3:
            low, high = np.minimum(window[0], window[2]), np.maximum(window[0], window[2])
            outside = np.maximum(window[1] - high, 0) + np.maximum(low - window[1], 0)
            found.append(float(outside.mean()))
    return float(np.mean(found)) if found else 0.0
