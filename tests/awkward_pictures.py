"""Pictures that are hard to draw as a thousand strokes, each made here."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

from paints_undo.strokes.process import Process, plan_process


def sheet(height: int, width: int, level: int = 255) -> np.ndarray:
    """One grey level, uint8 (height, width, 3)."""
    return np.full((height, width, 3), level, np.uint8)


def noise(height: int = 240, width: int = 320) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def qr_code(side: int = 330) -> np.ndarray:
    """Black and white modules like those of a code, with its three eyes and its white frame."""
    modules = np.random.default_rng(2).random((33, 33)) < 0.5
    for y, x in ((4, 4), (4, 22), (22, 4)):
        modules[y - 1 : y + 8, x - 1 : x + 8] = False
        modules[y : y + 7, x : x + 7] = True
        modules[y + 1 : y + 6, x + 1 : x + 6] = False
        modules[y + 2 : y + 5, x + 2 : x + 5] = True
    modules[:3], modules[-3:], modules[:, :3], modules[:, -3:] = False, False, False, False
    grey = np.where(modules, np.uint8(0), np.uint8(255))
    return cv2.resize(np.repeat(grey[..., None], 3, 2), (side, side), interpolation=cv2.INTER_NEAREST)


def page_of_text(height: int = 300, width: int = 240) -> np.ndarray:
    page = sheet(height, width)
    for row, y in enumerate(range(24, height - 10, 14)):
        cv2.putText(
            page,
            "The quick brown fox jumps"[row % 5 :],
            (14, y),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.4,
            (0, 0, 0),
            1,
            cv2.LINE_AA,
        )
    return page


def icon(side: int = 20) -> np.ndarray:
    picture = sheet(200, 200)
    cv2.circle(picture, (100, 100), 80, (250, 200, 40), -1, cv2.LINE_AA)
    cv2.circle(picture, (100, 100), 80, (60, 40, 20), 10, cv2.LINE_AA)
    for x in (70, 130):
        cv2.circle(picture, (x, 80), 12, (40, 30, 20), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (100, 110), (40, 30), 0, 10, 170, (150, 30, 30), 8, cv2.LINE_AA)
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)


def banner(height: int = 100, width: int = 2400) -> np.ndarray:
    t = np.linspace(0, 1, width)
    row = np.stack([120 + 90 * np.sin(9 * t), 150 + 60 * np.cos(5 * t), 200 - 80 * t], 1)
    picture = np.repeat(row[None].round().astype(np.uint8), height, 0)
    for k in range(40):
        cv2.circle(
            picture, (int((k + 0.5) * width / 40), height // 2), height // 4, (40, 40, 50 + 4 * k), 4, cv2.LINE_AA
        )
    return picture


def halftone(side: int = 240) -> np.ndarray:
    """A ball in a printer's dots."""
    ys, xs = np.indices((side, side)) / side
    tone = np.clip(0.2 + 0.8 * np.hypot(xs - 0.4, ys - 0.4), 0, 1)
    angle = np.pi / 4
    u, v = xs * np.cos(angle) + ys * np.sin(angle), ys * np.cos(angle) - xs * np.sin(angle)
    dots = (np.cos(u * 2 * np.pi * 60) + np.cos(v * 2 * np.pi * 60)) / 4 + 0.5
    return np.repeat(np.where(dots > tone, np.uint8(255), np.uint8(20))[..., None], 3, 2)


def scene(height: int = 256, width: int = 200) -> np.ndarray:
    """A small cel drawing: sky, hill, a house with its lines, a sun, shadows."""
    s = height / 256
    picture = sheet(height, width)
    picture[:] = (176, 212, 236)

    def at(*places: tuple[float, float]) -> np.ndarray:
        return np.array([[round(x * width * 16), round(y * height * 16)] for x, y in places], np.int32)

    def shape(colour: tuple[int, int, int], *places: tuple[float, float]) -> None:
        cv2.fillPoly(picture, [at(*places)], colour, cv2.LINE_AA, 4)

    def line(*places: tuple[float, float]) -> None:
        cv2.polylines(picture, [at(*places)], False, (44, 34, 40), max(1, round(2 * s)), cv2.LINE_AA, 4)

    shape((120, 170, 96), (0, 0.7), (0.4, 0.62), (1, 0.74), (1, 1), (0, 1))
    shape((92, 140, 84), (0, 0.88), (0.6, 0.8), (1, 0.9), (1, 1), (0, 1))
    shape((226, 208, 180), (0.25, 0.45), (0.7, 0.45), (0.7, 0.8), (0.25, 0.8))
    shape((196, 170, 148), (0.55, 0.45), (0.7, 0.45), (0.7, 0.8), (0.55, 0.8))
    shape((176, 84, 72), (0.18, 0.46), (0.47, 0.24), (0.78, 0.46))
    shape((96, 70, 62), (0.4, 0.6), (0.5, 0.6), (0.5, 0.8), (0.4, 0.8))
    line((0.25, 0.46), (0.25, 0.8), (0.7, 0.8), (0.7, 0.46))
    line((0.18, 0.46), (0.47, 0.24), (0.78, 0.46), (0.18, 0.46))
    line((0.4, 0.8), (0.4, 0.6), (0.5, 0.6), (0.5, 0.8))
    line((0, 0.7), (0.25, 0.655))
    line((0.7, 0.685), (1, 0.74))
    cv2.circle(picture, (round(0.83 * width), round(0.15 * height)), round(18 * s), (250, 226, 120), -1, cv2.LINE_AA)
    return picture


def dot(side: int = 256) -> np.ndarray:
    picture = sheet(side, side)
    cv2.circle(picture, (side // 3, side // 2), 5, (30, 20, 20), -1, cv2.LINE_AA)
    return picture


def one_pixel(side: int = 256) -> np.ndarray:
    picture = sheet(side, side)
    picture[side // 2, side // 3] = 0
    return picture


def few_lines(side: int = 400) -> np.ndarray:
    picture = sheet(side, side)
    cv2.line(picture, (60, 80), (320, 120), (0, 0, 0), 2, cv2.LINE_AA)
    cv2.ellipse(picture, (200, 240), (90, 60), 15, 0, 300, (0, 0, 0), 2, cv2.LINE_AA)
    cv2.line(picture, (100, 340), (300, 330), (0, 0, 0), 1, cv2.LINE_AA)
    return picture


def gradient(height: int = 240, width: int = 320) -> np.ndarray:
    ys, xs = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    return np.stack([255 * xs, 255 * ys, 255 - 200 * xs * ys], 2).round().astype(np.uint8)


def faint(side: int = 200) -> np.ndarray:
    """A grey that can hardly be told from paper, on paper."""
    picture = sheet(side, side)
    picture[40:160, 40:160] = 252
    return picture


AWKWARD: dict[str, Callable[[], np.ndarray]] = {
    "white": lambda: sheet(200, 200),
    "off white": lambda: sheet(200, 200, 248),
    "faint": faint,
    "black": lambda: sheet(200, 260, 0),
    "one colour": lambda: np.full((240, 180, 3), (40, 120, 200), np.uint8),
    "noise": noise,
    "qr code": qr_code,
    "text": page_of_text,
    "icon": icon,
    "banner": banner,
    "halftone": halftone,
    "1 x 1": lambda: sheet(1, 1, 90),
    "3 x 100": lambda: cv2.resize(banner(200, 2000), (100, 3), interpolation=cv2.INTER_AREA),
    "2000 x 3": lambda: np.ascontiguousarray(
        cv2.resize(banner(200, 2000), (2000, 3), interpolation=cv2.INTER_AREA).transpose(1, 0, 2)
    ),
    "dot": dot,
    "one pixel": one_pixel,
    "few lines": few_lines,
    "gradient": gradient,
    "scene": scene,
}


@cache
def planned(name: str, seed: int = 0) -> Process:
    """How one of them is drawn; planned once for all tests, which only look at it."""
    return plan_process(AWKWARD[name](), seed)
