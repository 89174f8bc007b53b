"""What comes into the nodes: checked, since a link may bring anything, and refused in one sentence.

An IMAGE is a batch of float pictures 0..1, (b, h, w, 3), and a MASK (b, h, w), 1 where an artwork is transparent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from torch import Tensor

from paints_undo import validation
from paints_undo.errors import CheckpointError, InputError, OutOfMemory
from paints_undo.family.choice import NAMED, find_family
from paints_undo.family.model_family import ModelFamily
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.tensors import unit_to_pixels
from paints_undo.run.any_engine import AnyEngine

from .host import own_families

if TYPE_CHECKING:
    from paints_undo import PaintsUndo


def place_of(models: str) -> str:
    """What the program calls a family of the list: its name, or the folder of one in ComfyUI's models/paints_undo."""
    return models if models in NAMED else str(own_families().get(models, models))


def family_named(models: str) -> ModelFamily:
    """The family of the list; InputError or CheckpointError in a node's words."""
    try:
        return find_family(place_of(models))
    except CheckpointError as error:
        if "{remedy}" not in error.sentence.template:
            raise
        raise InputError(
            f"the model family {models} is not installed; choose {' or '.join(installed())}, or install it as the "
            "help page of Load Model Family says"
        ) from None


@contextmanager
def in_our_words() -> Iterator[None]:
    """What the program refuses names no flags of the command line, which a node has not."""
    try:
        yield
    except (InputError, OutOfMemory) as error:
        said = re.sub(r"leave --(\w+) out", r"choose auto as \1", str(error))
        said = said.replace("use --device cpu", "choose cpu as device in Load Model Family")
        if said == str(error):
            raise
        raise InputError(said) from None


def installed() -> list[str]:
    """The families of the list that could be loaded now."""

    def is_here(name: str) -> bool:
        try:
            return bool(find_family(name))
        except CheckpointError:
            return False

    return [name for name in NAMED if is_here(name)]


def engine_of(family: Any) -> PaintsUndo:
    """What Load Model Family puts out."""
    if isinstance(family, AnyEngine):
        return cast("PaintsUndo", family)  # every engine has its face
    raise InputError(f"the family is {_kind(family)}; connect the output of Load Model Family")


def pictures_of(batch: Any, name: str) -> np.ndarray:
    """uint8 (b, H, W, c) of an IMAGE."""
    if not isinstance(batch, Tensor) or batch.ndim != 4 or not len(batch):
        raise InputError(f"the {name} are {_kind(batch)}; connect an IMAGE, (b, h, w, 3)")
    return unit_to_pixels(batch)


def one_picture(batch: Any, mask: Any = None) -> np.ndarray:
    """uint8 (H, W, 3) of an IMAGE that holds one picture, on white where a MASK says that it is transparent."""
    if not isinstance(batch, Tensor) or batch.ndim != 4 or len(batch) != 1:
        raise InputError(f"the artwork is {_kind(batch)}; give one picture, an IMAGE (1, h, w, 3)")
    pixels = unit_to_pixels(batch)[0]
    if mask is None:
        return read_picture(pixels)
    if not isinstance(mask, Tensor):
        raise InputError(f"the mask is {_kind(mask)}; connect the MASK of the node that loads the artwork")
    covered = unit_to_pixels(mask)
    if not covered.any():  # Load Image's mask of an opaque picture has a size of its own
        return read_picture(pixels)
    if covered.size != pixels[..., 0].size or covered.shape[-2:] != pixels.shape[:2]:
        raise InputError(
            f"the mask has the shape {tuple(mask.shape)} and the artwork {tuple(batch.shape)}; connect the MASK of the "
            "node that loads the artwork"
        )
    return read_picture(np.dstack((pixels[..., :3], 255 - covered.reshape(pixels.shape[:2]))))


def operation_steps_of(text: Any) -> tuple[int, ...]:
    """Operation steps from a text of numbers, in ascending order."""
    if not isinstance(text, str):
        return validation.operation_steps(text)
    words = [word for word in re.split(r"[,;\s]+", text) if word]
    return validation.operation_steps([int(word) if word.isdecimal() else word for word in words])


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"an IMAGE or MASK of the shape {tuple(value.shape)}"
    return "missing" if value is None else f"of the type {type(value).__name__}"
