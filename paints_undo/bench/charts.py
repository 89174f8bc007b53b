"""Pictures of a run: memory over its course, and time by stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

FONT, SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.42
COLOURS = ((84, 104, 160), (200, 120, 60), (90, 150, 90), (160, 80, 140), (120, 120, 120))
INK, GRID = (70, 70, 70), (225, 225, 225)
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 30, 40
ROW = 22  # pixels for each bar

Points = Sequence[tuple[float, float]]


def line_chart(
    lines: Mapping[str, Points], title: str, across: str, width: int = 900, height: int = 360, steps: bool = False
) -> np.ndarray:
    """A picture uint8 (height, width, 3) of lines through (x, y) points from 0 up; steps: flat between two points."""
    canvas = np.full((height, width, 3), 255, np.uint8)
    most_x = max((x for points in lines.values() for x, _ in points), default=0) or 1
    most_y = max((y for points in lines.values() for _, y in points), default=0) or 1
    write(canvas, title, (LEFT, 18))
    write(canvas, across, (width // 2 - 4 * len(across), height - 8))
    for share in np.linspace(0, 1, 5):
        y = round(height - BOTTOM - share * (height - TOP - BOTTOM))
        x = round(LEFT + share * (width - LEFT - RIGHT))
        cv2.line(canvas, (LEFT, y), (width - RIGHT, y), GRID, 1)
        write(canvas, f"{share * most_y:.3g}", (6, y + 4))
        write(canvas, f"{share * most_x:.3g}", (x - 10, height - BOTTOM + 16))
    for number, (name, points) in enumerate(lines.items()):
        colour, (x, y) = COLOURS[number % len(COLOURS)], np.array(points, dtype=np.float64).reshape(-1, 2).T
        if steps:
            x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
        at = np.stack(
            [LEFT + x / most_x * (width - LEFT - RIGHT), height - BOTTOM - y / most_y * (height - TOP - BOTTOM)]
        )
        cv2.polylines(canvas, [np.round(at.T * 8).astype(np.int32)], False, colour, 2, cv2.LINE_AA, 3)
        write(canvas, name, (width - RIGHT - 150, TOP + 14 + 18 * number), colour)
    return canvas


def bar_chart(bars: dict[str, dict[str, float]], title: str, unit: str, width: int = 900) -> np.ndarray:
    """A picture uint8 (h, width, 3): for each name one bar for each of its values, all on one scale from 0."""
    groups = list(dict.fromkeys(group for values in bars.values() for group in values))
    most = max((value for values in bars.values() for value in values.values()), default=0) or 1
    space = ROW * len(groups) + ROW // 2
    canvas = np.full((TOP + BOTTOM + space * len(bars), width, 3), 255, np.uint8)
    write(canvas, title, (10, 18))
    start, room = 170, width - 170 - 110
    for row, (name, values) in enumerate(bars.items()):
        top = TOP + row * space
        write(canvas, name, (10, top + ROW * len(groups) // 2 + 4))
        for number, group in enumerate(groups):
            value, y = values.get(group, 0.0), top + ROW * number
            end = round(start + value / most * room)
            cv2.rectangle(
                canvas, (start, y + 3), (max(end, start + 1), y + ROW - 3), COLOURS[number % len(COLOURS)], -1
            )
            write(canvas, f"{value:.3g} {unit}", (end + 6, y + ROW - 7))
    for number, group in enumerate(groups):
        write(canvas, group, (start + 160 * number, canvas.shape[0] - 12), COLOURS[number % len(COLOURS)])
    return canvas


def write(canvas: np.ndarray, text: str, place: tuple[int, int], colour: tuple[int, int, int] = INK) -> None:
    cv2.putText(canvas, text, place, FONT, SCALE, colour, 1, cv2.LINE_AA)
