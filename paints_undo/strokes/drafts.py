"""Strokes of one phase while a plan is made: in the order of their labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paints_undo.strokes.operations import Colour


@dataclass
class Draft:
    """A stroke to be. path: float32 (n, 3): x, y and half width."""

    layer: str
    brush: str
    path: np.ndarray
    colour: Colour | None
    title: str
    key: object = None  # strokes with one key take each other's crumbs whatever their colours


@dataclass
class Drafts:
    """labels: int32 (H, W): the number, from 1, of the stroke that finishes each pixel; 0 where none does."""

    labels: np.ndarray
    strokes: list[Draft]

    def in_order(self, order: list[int]) -> Drafts:
        """The strokes in another order, by their places; strokes that are left out own nothing any more."""
        number = np.zeros(len(self.strokes) + 1, np.int32)
        number[np.array(order, int) + 1] = np.arange(1, len(order) + 1)
        return Drafts(number[self.labels], [self.strokes[k] for k in order])


def colour_of(value: np.ndarray) -> Colour:
    """A colour, 0 to 255, of three integers."""
    red, green, blue = (int(round(float(part))) for part in value)
    return red, green, blue
