"""A house on a green hill."""

from __future__ import annotations

import numpy as np
from PIL import Image

from paints_undo.examples.pen import WHITE, Colour, Sheet, curve, oval


def house() -> Image.Image:
    """A house with a red roof on a green hill."""
    sheet = Sheet((120, 196, 236), (236, 246, 240))
    _house_sky(sheet)
    hills = [
        (
            [(-30, 400), (90, 350), (220, 392), (360, 340), (540, 384), (560, 680), (-40, 680)],
            (150, 206, 170),
            (128, 186, 160),
        ),
        (
            [(-30, 470), (120, 440), (300, 396), (430, 408), (540, 452), (560, 680), (-40, 680)],
            (128, 196, 110),
            (100, 168, 92),
        ),
    ]
    for points, colour, shade in hills:
        sheet.shape(curve(points), colour, [(oval(90, 560, 170, 90), shade, 26)])
    path = curve(
        [
            (286, 452),
            (286, 452),
            (318, 452),
            (318, 452),
            (300, 490),
            (330, 540),
            (250, 596),
            (220, 680),
            (40, 680),
            (130, 590),
            (262, 530),
            (268, 490),
        ]
    )
    sheet.shape(path, (246, 222, 176))
    _tree(sheet, 424, 430, 1.0)
    _tree(sheet, 468, 462, 0.8)
    _house_walls(sheet)
    _tree(sheet, 134, 486, 1.15)
    fence = (250, 244, 232)
    for x in range(348, 520, 30):
        y = 500 + (x - 348) * 0.12
        sheet.shape(np.array([(x, y), (x + 7, y - 9), (x + 14, y), (x + 14, y + 46), (x, y + 46)]), fence, line=2.4)
    for drop in (10, 28):
        rail = [(340, 498 + drop), (520, 519 + drop), (520, 526 + drop), (340, 505 + drop)]
        sheet.shape(np.array(rail, dtype=np.float64), fence, line=2.4)
    blooms = [
        (40, 560),
        (84, 606),
        (26, 620),
        (350, 590),
        (400, 620),
        (446, 584),
        (484, 622),
        (380, 566),
        (300, 622),
        (440, 628),
    ]
    for place, (x, y) in enumerate(blooms):
        _flower_head(sheet, x, y, 7, [(244, 110, 120), (255, 214, 92), (250, 250, 255)][place % 3], 5)
    return sheet.finished()


def _house_sky(sheet: Sheet) -> None:
    sheet.shape(oval(94, 96, 46, 46), (255, 238, 160), line=0)
    for x, y, size in ((330, 110, 1.2), (150, 210, 0.8), (470, 236, 0.7)):
        for dx, dy, radius in ((-58, 12, 26), (58, 14, 24), (-26, -10, 36), (22, -16, 42), (0, 14, 34)):
            sheet.shape(oval(x + dx * size, y + dy * size, radius * size, radius * size), (228, 240, 250), line=0)
        for dx, dy, radius in ((-52, 6, 22), (50, 8, 20), (-26, -16, 31), (20, -22, 37), (0, 6, 30)):
            sheet.shape(oval(x + dx * size, y + dy * size, radius * size, radius * size), WHITE, line=0)


def _house_walls(sheet: Sheet) -> None:
    wall, shade = (255, 246, 226), (234, 214, 192)
    chimney = np.array([(352, 262), (382, 262), (382, 340), (352, 340)], dtype=np.float64)
    for x, y, radius in ((374, 232, 13), (390, 206, 17), (414, 178, 21)):
        sheet.shape(
            oval(x, y, radius, radius),
            (250, 250, 252),
            [(oval(x + 6, y + 8, radius, radius), (224, 232, 240), 4)],
            line=2,
        )
    sheet.shape(chimney, (206, 118, 96), [(oval(386, 300, 12, 60), (170, 88, 80), 4)])
    front = np.array([(206, 350), (300, 262), (394, 350), (394, 456), (206, 456)], dtype=np.float64)
    sheet.shape(
        front,
        wall,
        [
            (np.array([(190, 366), (300, 266), (410, 366), (410, 386), (300, 292), (190, 386)], dtype=float), shade, 4),
            (oval(400, 420, 34, 90), shade, 10),
        ],
    )
    roof = np.array([(176, 366), (300, 244), (424, 366), (408, 384), (300, 278), (192, 384)], dtype=np.float64)
    sheet.shape(
        roof,
        (226, 92, 84),
        [(np.array([(300, 244), (424, 366), (408, 384), (300, 278)], dtype=float), (188, 66, 72), 1)],
    )
    sheet.shape(oval(300, 326, 20, 20), (160, 216, 236), [(oval(294, 320, 12, 10), (214, 240, 248), 3)])
    sheet.stroke(np.array([(300.0, 307), (300, 345)]), 2.6)
    sheet.stroke(np.array([(281.0, 326), (319, 326)]), 2.6)
    door = curve([(280, 456), (280, 456), (280, 398), (302, 380), (324, 398), (324, 456), (324, 456)])
    sheet.shape(door, (110, 150, 170), [(oval(322, 430, 14, 60), (82, 118, 146), 5)])
    sheet.shape(oval(316, 424, 3.4, 3.4), (255, 226, 140), line=1.6)
    for x in (224, 342):
        pane = np.array([(x, 376), (x + 36, 376), (x + 36, 418), (x, 418)], dtype=np.float64)
        sheet.shape(
            pane, (160, 216, 236), [(np.array([(x, 376), (x + 20, 376), (x, 404)], dtype=float), (214, 240, 248), 1)]
        )
        sheet.stroke(np.array([(x + 18.0, 376), (x + 18, 418)]), 2.6, taper=False)
        box = np.array([(x - 4, 418), (x + 40, 418), (x + 36, 432), (x, 432)], dtype=np.float64)
        sheet.shape(box, (206, 132, 92), line=2.4)
        for dx in (4, 18, 32):
            _flower_head(sheet, x + dx, 414, 4.5, (244, 110, 120), 5)


def _tree(sheet: Sheet, x: float, y: float, size: float) -> None:
    trunk = [(x - 8 * size, y), (x - 5 * size, y - 70 * size), (x + 6 * size, y - 70 * size), (x + 10 * size, y)]
    sheet.shape(
        np.array(trunk), (160, 108, 84), [(oval(x + 8 * size, y - 30 * size, 6 * size, 50 * size), (128, 82, 72), 3)]
    )
    crown = [
        (0, -186),
        (34, -170),
        (54, -136),
        (62, -96),
        (34, -66),
        (0, -58),
        (-36, -66),
        (-60, -98),
        (-52, -138),
        (-32, -172),
    ]
    leaves = curve([(x + dx * size, y + dy * size) for dx, dy in crown])
    lit, dark = (
        oval(x - 16 * size, y - 148 * size, 26 * size, 26 * size),
        oval(x + 30 * size, y - 70 * size, 60 * size, 34 * size),
    )
    sheet.shape(leaves, (84, 166, 96), [(dark, (56, 132, 92), 9 * size), (lit, (136, 204, 116), 8 * size)])


def _flower_head(sheet: Sheet, x: float, y: float, size: float, colour: Colour, petals: int, line: float = 1.6) -> None:
    for turn in np.linspace(-90, 270, petals, endpoint=False):
        angle = np.radians(turn)
        sheet.shape(
            oval(x + size * np.cos(angle), y + size * np.sin(angle), size * 0.85, size * 0.62, turn), colour, line=line
        )
    sheet.shape(oval(x, y, size * 0.6, size * 0.6), (250, 190, 70), line=line)
