"""A ginger cat under the moon."""

from __future__ import annotations

import numpy as np
from PIL import Image

from paints_undo.examples.pen import WHITE, Colour, Sheet, both_halves, curve, mirrored, oval


def cat() -> Image.Image:
    """A ginger cat with a scarf, sitting under the moon."""
    sheet = Sheet((58, 70, 120), (150, 130, 176))
    sheet.shape(oval(372, 150, 92, 92), (255, 240, 200), [(oval(398, 170, 80, 80), (250, 224, 170), 12)], line=0)
    for x, y, size in [
        (70, 80, 5),
        (150, 150, 3),
        (210, 60, 4),
        (100, 250, 3),
        (450, 300, 4),
        (250, 130, 3),
        (40, 380, 3),
    ]:
        for turn in (0, 90):
            sheet.stroke(oval(x, y, size * 2.4, 0.1, turn, 0, 180), size * 0.8, (255, 246, 214))
    hill = curve([(-20, 560), (120, 540), (260, 552), (400, 536), (540, 556), (560, 680), (-40, 680)])
    sheet.shape(hill, (76, 120, 112), [(oval(250, 592, 190, 22), (56, 92, 96), 8)])
    fur, dark, cream = (240, 160, 84), (214, 118, 62), (255, 236, 210)
    tail = curve(
        [
            (330, 560),
            (420, 552),
            (448, 486),
            (420, 426),
            (420, 426),
            (446, 418),
            (486, 470),
            (474, 560),
            (400, 606),
            (320, 600),
        ]
    )
    sheet.shape(tail, fur, [(oval(430, 424, 40, 30), cream, 3), (oval(420, 600, 90, 26), dark, 10)])
    body = curve(both_halves([(256, 330), (310, 350), (344, 430), (366, 520), (350, 590), (256, 600)]))
    belly = oval(256, 480, 52, 92)
    sheet.shape(body, fur, [(oval(256, 610, 140, 40), dark, 14), (belly, cream, 3)])
    for side in (-1, 1):
        leg = curve(
            [
                (256 + side * 20, 470),
                (256 + side * 62, 470),
                (256 + side * 66, 560),
                (256 + side * 70, 600),
                (256 + side * 14, 602),
            ]
        )
        sheet.shape(leg, fur, [(oval(256 + side * 42, 600, 44, 24), cream, 3)])
        for toe in (-10, 8):
            sheet.stroke(np.array([(256 + side * 42 + toe, 586.0), (256 + side * 42 + toe, 599.0)]), 2.4)
    _cat_head(sheet, fur, dark, cream)
    scarf = curve(both_halves([(256, 366), (320, 352), (346, 366), (334, 398), (256, 414)]))
    sheet.shape(scarf, (82, 170, 170), [(oval(256, 420, 110, 24), (56, 132, 140), 6)])
    end = curve([(300, 396), (334, 390), (352, 470), (352, 470), (304, 476), (304, 476)])
    sheet.shape(end, (82, 170, 170), [(oval(320, 400, 40, 24), (56, 132, 140), 6)])
    for y in (440, 456):
        sheet.stroke(curve([(304, y + 3), (330, y), (349, y - 3)], False), 4, (236, 246, 236), taper=False)
    return sheet.finished()


def _cat_head(sheet: Sheet, fur: Colour, dark: Colour, cream: Colour) -> None:
    for flip in (False, True):
        ear = curve([(300, 196), (346, 112), (346, 112), (372, 160), (374, 250), (330, 240)])
        inner = curve([(322, 200), (346, 140), (346, 140), (358, 180), (354, 236)])
        ear, inner = (mirrored(path) if flip else path for path in (ear, inner))
        sheet.shape(ear, fur, [(inner, (250, 182, 166), 2)])
    head = [(256, 178), (318, 186), (366, 226), (384, 286), (396, 330), (396, 330), (352, 362), (300, 382), (256, 386)]
    shades = [(oval(256, 410, 150, 50), dark, 16), (oval(256, 348, 66, 42), cream, 3)]
    sheet.shape(curve(both_halves(head)), fur, shades)
    for x, length in ((228, 34), (256, 44), (284, 34)):
        stripe = curve([(x - 7, 183), (x - 7, 183), (x + 7, 183), (x + 7, 183), (x, 183 + length), (x, 183 + length)])
        sheet.shape(stripe, dark, line=0)
    for side in (-1, 1):
        x = 256 + side * 62
        for y in (318, 338):
            sheet.stroke(curve([(x + side * 76, y), (x + side * 58, y - 1), (x + side * 46, y - 5)], False), 5, dark)
        eye = [
            (oval(x, 286, 19, 25), (104, 176, 92), 0.4),
            (oval(x, 270, 30, 14), (62, 116, 74), 4),
            (oval(x, 288, 10, 19), (40, 40, 48), 0.6),
        ]
        sheet.shape(oval(x, 286, 26, 27), (232, 238, 200), eye, line=3.4)
        sheet.shape(oval(x - 8, 276, 7, 8), WHITE, line=0)
        sheet.shape(oval(x + 8, 298, 3.6, 4), WHITE, line=0)
        sheet.shape(oval(256 + side * 92, 330, 17, 10), (250, 160, 128), line=0)
        for y in (336, 348):
            sheet.stroke(
                curve(
                    [
                        (256 + side * 70, y),
                        (256 + side * 120, y - 8 + (y - 336) * 1.4),
                        (256 + side * 158, y - 8 + (y - 336) * 2.4),
                    ],
                    False,
                ),
                2.2,
            )
        sheet.stroke(curve([(256, 342), (256 + side * 10, 356), (256 + side * 26, 350)], False), 3.2)
    sheet.shape(curve([(243, 326), (256, 323), (269, 326), (256, 342), (256, 342)]), (226, 110, 110), line=2.4)
