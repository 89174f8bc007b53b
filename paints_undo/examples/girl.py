"""A portrait of a girl in a sailor blouse."""

from __future__ import annotations

import numpy as np
from PIL import Image

from paints_undo.examples.pen import WHITE, Sheet, both_halves, curve, mirrored, oval


def girl() -> Image.Image:
    """Portrait of a girl with auburn hair in a sailor blouse."""
    sheet = Sheet((204, 232, 236), (236, 246, 240))
    sheet.shape(oval(256, 292, 214, 214), (255, 238, 206), line=0)
    _girl_behind(sheet)
    face = curve(both_halves([(256, 168), (326, 186), (356, 250), (353, 322), (334, 368), (294, 412), (256, 430)]))
    under_hair = curve([(130, 150), (382, 150), (382, 262), (330, 284), (256, 262), (182, 284), (130, 262)])
    sheet.shape(face, (255, 228, 210), [(under_hair, (246, 200, 184), 5)])
    for side in (-1, 1):
        sheet.shape(oval(256 + side * 66, 372, 25, 13), (255, 196, 186), line=0)
        for dash in (-9, 0, 9):
            x = 256 + side * 66 + dash
            sheet.stroke(np.array([(x + 3, 367.0), (x - 3, 377.0)]), 1.8, (236, 140, 132))
        _girl_eye(sheet, 256 + side * 54, 328, side)
        sheet.stroke(
            curve([(256 + side * 30, 270), (256 + side * 54, 261), (256 + side * 80, 268)], False), 4, (120, 66, 56)
        )
    sheet.stroke(curve([(253, 372), (258, 377), (253, 379)], False), 2.4, (196, 124, 108))
    mouth = curve([(236, 394), (236, 394), (256, 399), (276, 394), (276, 394), (268, 411), (256, 415), (244, 411)])
    sheet.shape(mouth, (176, 66, 72), [(oval(256, 415, 14, 8), (240, 134, 130), 1)], line=2.4)
    _girl_hair(sheet)
    return sheet.finished()


def _girl_behind(sheet: Sheet) -> None:
    """Back hair, neck, shoulders and the sailor blouse."""
    hair, dark = (176, 92, 74), (142, 68, 64)
    back = [(256, 104), (346, 130), (388, 220), (398, 330), (416, 430), (414, 510), (432, 560), (432, 560), (380, 556)]
    sheet.shape(curve(both_halves([*back, (300, 560), (256, 560)])), dark, [(oval(256, 250, 130, 130), hair, 30)])
    neck = curve([(224, 400), (224, 400), (288, 400), (288, 400), (290, 470), (256, 500), (222, 470)])
    sheet.shape(neck, (255, 222, 202), [(oval(256, 412, 60, 36), (240, 184, 166), 4)])
    shoulder = [(256, 476), (288, 468), (350, 494), (414, 526), (446, 590), (456, 660), (256, 660)]
    folds = [(oval(150, 640, 40, 90, 14), (222, 230, 244), 10), (oval(362, 640, 40, 90, -14), (222, 230, 244), 10)]
    sheet.shape(curve(both_halves(shoulder)), (250, 250, 255), folds)
    navy, navy_dark = (62, 92, 150), (46, 68, 120)
    for flip in (False, True):
        collar = curve([(286, 462), (286, 462), (346, 480), (392, 516), (392, 516), (336, 566), (258, 590), (258, 590)])
        stripe = curve([(372, 522), (330, 556), (270, 578)], False)
        inner = curve([(300, 470), (290, 520), (258, 570), (258, 600), (330, 560), (300, 520)])
        collar, stripe, inner = (mirrored(path) if flip else path for path in (collar, stripe, inner))
        sheet.shape(collar, navy, [(inner, navy_dark, 6)])
        sheet.stroke(stripe, 4, WHITE, taper=False)
        bow = curve([(256, 584), (280, 560), (322, 556), (330, 586), (318, 612), (282, 604)])
        tail = curve([(256, 588), (278, 600), (300, 648), (300, 648), (270, 640), (250, 600)])
        for part in (tail, bow):
            sheet.shape(mirrored(part) if flip else part, (228, 84, 88), [(oval(256, 590, 34, 40), (190, 56, 70), 6)])
    sheet.shape(oval(256, 588, 17, 15), (240, 104, 102))


def _girl_eye(sheet: Sheet, x: float, y: float, side: int) -> None:
    """One large eye; `side` is 1 on the right of the picture, -1 on the left."""
    white = curve(
        [
            (x - side * 25, y - 6),
            (x - side * 14, y - 27),
            (x + side * 8, y - 31),
            (x + side * 27, y - 14),
            (x + side * 22, y + 20),
            (x, y + 29),
            (x - side * 18, y + 20),
        ]
    )
    iris = [
        (oval(x, y - 1, 21, 29), (44, 120, 132), 0.4),
        (oval(x, y - 22, 26, 18), (22, 58, 82), 5),
        (oval(x, y + 17, 15, 11), (126, 214, 204), 4),
        (oval(x, y - 1, 8, 13), (18, 42, 62), 0.8),
        (oval(x, y - 34, 34, 13), (208, 204, 220), 3),
    ]
    sheet.shape(white, WHITE, iris, line=0)
    lash = [(x - side * 27, y - 2), (x - side * 15, y - 27), (x + side * 8, y - 32), (x + side * 29, y - 14)]
    sheet.stroke(curve([*lash, (x + side * 32, y - 2)], False), 7.5, (60, 36, 46))
    sheet.stroke(curve([(x + side * 26, y - 16), (x + side * 37, y - 20)], False), 4.5, (60, 36, 46))
    sheet.stroke(
        curve([(x - side * 14, y + 26), (x + side * 2, y + 31), (x + side * 17, y + 25)], False), 2.6, (120, 74, 74)
    )
    sheet.stroke(
        curve([(x - side * 16, y - 38), (x + side * 6, y - 42), (x + side * 24, y - 34)], False), 2.2, (170, 108, 98)
    )
    sheet.shape(oval(x - 7, y - 13, 7.5, 9), WHITE, line=0)
    sheet.shape(oval(x + 8, y + 14, 4, 4.5), WHITE, line=0)


def _girl_hair(sheet: Sheet) -> None:
    """Side locks, fringe, shine, and a flower pinned to the hair."""
    hair, dark, light = (190, 102, 78), (150, 74, 66), (236, 164, 124)
    for flip in (False, True):
        lock = curve(
            [
                (330, 170),
                (372, 236),
                (376, 330),
                (392, 420),
                (374, 506),
                (374, 506),
                (358, 460),
                (356, 400),
                (346, 320),
                (330, 236),
            ]
        )
        shade = curve([(362, 300), (372, 400), (376, 500), (350, 480), (345, 360)])
        strand = curve([(366, 300), (374, 380), (376, 440)], False)
        sheet.shape(mirrored(lock) if flip else lock, hair, [(mirrored(shade) if flip else shade, dark, 5)])
        sheet.stroke(mirrored(strand) if flip else strand, 2, dark)
    # From valley to valley: down one bowed side, a pointed tip, up the other.
    tufts = [
        [(150, 262), (148, 296), (160, 326), (160, 326), (176, 296), (184, 262)],
        [(184, 262), (186, 284), (202, 304), (202, 304), (220, 278), (226, 246)],
        [(226, 246), (230, 272), (250, 296), (250, 296), (266, 270), (270, 242)],
        [(270, 242), (278, 272), (304, 298), (304, 298), (314, 274), (318, 250)],
        [(318, 250), (326, 282), (352, 326), (352, 326), (364, 296), (362, 262)],
    ]
    crown = [(378, 214), (348, 136), (256, 98), (164, 136), (134, 214)]
    outline = [*(point for tuft in tufts for point in tuft), *crown]
    band = curve(
        [
            (140, 196),
            (190, 168),
            (256, 160),
            (322, 168),
            (372, 196),
            (366, 214),
            (318, 190),
            (256, 180),
            (194, 190),
            (146, 214),
        ]
    )
    sheet.shape(curve(outline), hair, [(oval(256, 330, 150, 56), dark, 14), (band, light, 4)])
    for hairs in (
        [(236, 112), (206, 170), (196, 240)],
        [(270, 112), (284, 170), (282, 240)],
        [(200, 126), (164, 190), (158, 262)],
        [(312, 126), (346, 190), (352, 262)],
    ):
        sheet.stroke(curve(hairs, False), 2.2, dark)
    sheet.stroke(curve([(252, 102), (262, 76), (290, 70)], False), 4.5, (120, 62, 58))
    for angle in range(0, 360, 72):
        turn = np.radians(angle - 90)
        sheet.shape(
            oval(354 + 19 * np.cos(turn), 186 + 19 * np.sin(turn), 16, 13, angle - 90), (255, 250, 246), line=2.4
        )
    sheet.shape(oval(354, 186, 10, 10), (250, 200, 84), line=2.4)
