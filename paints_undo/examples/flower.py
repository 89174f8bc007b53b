"""A sunflower on a window sill."""

from __future__ import annotations

import numpy as np
from PIL import Image

from paints_undo.examples.pen import INK, WHITE, Sheet, both_halves, curve, mirrored, oval


def flower() -> Image.Image:
    """A sunflower in a smiling pot on a window sill."""
    sheet = Sheet((250, 228, 214), (255, 244, 228))
    window = np.array([(70, 50), (442, 50), (442, 500), (70, 500)], dtype=np.float64)
    sheet.shape(
        window,
        (178, 222, 240),
        [
            (oval(330, 520, 240, 130), (150, 206, 160), 2),
            (oval(130, 520, 190, 90), (174, 220, 168), 2),
            (oval(150, 130, 70, 22), WHITE, 5),
            (oval(186, 112, 40, 22), WHITE, 5),
        ],
        line=0,
    )
    for frame in ([(70, 50), (442, 50), (442, 500), (70, 500), (70, 50)], [(70, 250), (442, 250)]):
        sheet.stroke(np.array(frame, dtype=np.float64), 22, INK, taper=False)
        sheet.stroke(np.array(frame, dtype=np.float64), 16, WHITE, taper=False)
    sill = np.array([(20, 520), (492, 520), (512, 560), (0, 560)], dtype=np.float64)
    sheet.shape(sill, (226, 172, 128), [(oval(270, 548, 150, 14), (188, 132, 100), 6)])
    sheet.shape(np.array([(-6, 560), (518, 560), (518, 650), (-6, 650)], dtype=np.float64), (206, 146, 108))
    sheet.stroke(curve([(256, 420), (250, 350), (262, 280), (256, 210)], False), 15, INK, taper=False)
    sheet.stroke(curve([(256, 420), (250, 350), (262, 280), (256, 210)], False), 9.5, (104, 176, 92), taper=False)
    for flip in (False, True):
        leaf = curve([(258, 372), (258, 372), (290, 316), (352, 300), (386, 318), (386, 318), (360, 362), (306, 382)])
        vein, lower = curve([(264, 370), (310, 346), (366, 322)], False), oval(330, 372, 80, 26, -16)
        leaf, vein, lower = (mirrored(path) if flip else path for path in (leaf, vein, lower))
        sheet.shape(leaf, (118, 190, 98), [(lower, (84, 156, 88), 6)])
        sheet.stroke(vein, 2.6, (70, 134, 82))
    for ring, (count, reach, colour) in enumerate(((16, 92, (244, 168, 50)), (16, 80, (255, 208, 72)))):
        for turn in np.arange(count) * 360 / count + ring * 360 / count / 2:
            angle = np.radians(turn)
            x, y = 256 + reach * np.cos(angle), 186 + reach * np.sin(angle)
            sheet.shape(oval(x, y, 38, 17, turn), colour, [(oval(256, 186, 74, 74), (232, 140, 44), 12)], line=2.6)
    heart = [(oval(256, 206, 62, 50), (122, 74, 54), 12), (oval(238, 164, 28, 18), (186, 126, 84), 10)]
    sheet.shape(oval(256, 186, 60, 60), (154, 98, 66), heart)
    for row in range(-3, 4):
        for column in range(-3, 4):
            if row * row + column * column < 10:
                x, y = 256 + column * 15 + (row % 2) * 7.5 - 4, 186 + row * 14
                sheet.shape(oval(x, y, 2.6, 2.6), (110, 64, 50), line=0)
    _pot(sheet)
    return sheet.finished()


def _pot(sheet: Sheet) -> None:
    clay, dark, light = (228, 126, 92), (190, 90, 74), (248, 166, 128)
    body = curve(both_halves([(256, 430), (340, 430), (340, 430), (322, 500), (304, 546), (304, 546), (256, 550)]))
    sheet.shape(body, clay, [(oval(334, 500, 34, 90, 12), dark, 12), (oval(196, 490, 12, 40, -10), light, 6)])
    rim = curve(both_halves([(256, 404), (352, 404), (352, 404), (350, 440), (350, 440), (256, 444)]))
    sheet.shape(rim, clay, [(oval(344, 424, 34, 36), dark, 10), (oval(190, 416, 28, 6), light, 4)])
    for side in (-1, 1):
        x = 256 + side * 32
        sheet.shape(oval(x, 484, 8, 11), (66, 44, 52), line=0)
        sheet.shape(oval(x - 2.6, 479, 3, 3.6), WHITE, line=0)
        sheet.shape(oval(256 + side * 54, 500, 12, 7), (250, 150, 140), line=0)
    smile = curve([(244, 494), (244, 494), (256, 498), (268, 494), (268, 494), (256, 510)])
    sheet.shape(smile, (160, 56, 62), line=2.4)
