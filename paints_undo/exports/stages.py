"""The stages of a run, named once for layers, sheets and pages."""

from __future__ import annotations

import cv2
import numpy as np

from paints_undo.exports.source import Source
from paints_undo.finishing.settling import match_colours
from paints_undo.process.curves import measure
from paints_undo.process.stages import Stage, stages


def stages_of(source: Source) -> list[Stage]:
    """A stage for each keyframe, first stroke first, and one for the artwork."""
    fit = source.fit
    finished = fit.uncover(fit.keyframe(source.artwork))
    frames = [*match_colours(fit.uncover(source.keyframes), finished), finished]
    return stages(frames, measure(frames, finished))


def shown_small(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture uint8 (H, W, 3) as large as it fits into width x height."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, size, interpolation=how)
