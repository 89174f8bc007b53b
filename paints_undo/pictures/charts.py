"""Charts of plain numbers: lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw

COLOURS = ("#5468a0", "#c8783c", "#5a965a", "#a0508c", "#787878")
INK, GRID = "#464646", "#e1e1e1"
WIDTH, HEIGHT = 900, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 30, 40

Points = Sequence[tuple[float, float]]


def line_chart(lines: Mapping[str, Points], title: str, across: str, logarithmic: bool = False) -> np.ndarray:
    """A picture uint8 (360, 900, 3) of lines through (x, y) points, x from 0 up; y likewise, unless logarithmic."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw, wide, high = ImageDraw.Draw(picture), WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    into, back = (math.log, math.exp) if logarithmic else (float, float)
    most_x = max((x for points in lines.values() for x, _ in points), default=0) or 1
    levels = [into(y) for points in lines.values() for _, y in points]
    low = min(levels, default=0) if logarithmic else 0
    range_y = max(levels, default=0) - low or 1
    draw.text((LEFT, 8), title, INK)
    draw.text((WIDTH / 2, HEIGHT - 8), across, INK, anchor="ms")
    for share in (0, 0.25, 0.5, 0.75, 1):
        x, y = LEFT + share * wide, TOP + (1 - share) * high
        draw.line([(LEFT, y), (WIDTH - RIGHT, y)], GRID)
        draw.text((LEFT - 6, y), f"{back(low + share * range_y):.3g}", INK, anchor="rm")
        draw.text((x, HEIGHT - BOTTOM + 16), f"{share * most_x:.3g}", INK, anchor="ms")
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        places = [(LEFT + x / most_x * wide, TOP + (1 - (into(y) - low) / range_y) * high) for x, y in points]
        draw.line(places, colour, 2)
        draw.text((WIDTH - RIGHT - 150, TOP + 4 + 18 * number), name, colour)
    return np.asarray(picture)
