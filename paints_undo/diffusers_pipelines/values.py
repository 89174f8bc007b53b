"""What tools of diffusers hand to a pipeline and expect from it: pictures, prompts, generators, kinds of output."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from paints_undo.errors import InputError
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.tensors import pixels_to_unit, unit_to_pixels

OUTPUT_TYPES = ("pil", "np", "pt", "latent")
ImageInput: TypeAlias = Image.Image | np.ndarray | Tensor | Path | str
Images: TypeAlias = ImageInput | Sequence[ImageInput]
Generators: TypeAlias = torch.Generator | Sequence[torch.Generator] | None


def check_output_type(output_type: str) -> None:
    """Raises InputError for a kind of output that there is not."""
    if output_type not in OUTPUT_TYPES:
        raise InputError(f"output_type is {output_type!r}; use one of {', '.join(OUTPUT_TYPES)}")


def listed(value: Any) -> list[Any]:
    """One as a list of one, several as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def alike(count: int, **several: Sequence[Any]) -> list[list[Any]]:
    """Each list with `count` entries, one alone repeated; InputError where it has another number of them."""
    for name, values in several.items():
        if len(values) not in (1, count):
            raise InputError(f"{name} has {len(values)} entries where others have {count}; give one, or as many")
    return [list(values) * (count if len(values) == 1 else 1) for values in several.values()]


def generators_for(generator: Generators, count: int, what: str) -> list[torch.Generator]:
    """A generator for each of `count` things; without one it is torch's own, and a single one serves them all."""
    if generator is None:
        generator = torch.default_generator
    some = [generator] * count if isinstance(generator, torch.Generator) else list(generator)
    if len(some) != count:
        raise InputError(f"{len(some)} generators are given for {count} {what}; give one, or as many")
    return some


def pictures_of(images: Images) -> list[np.ndarray]:
    """uint8 (H, W, 3) of everything that diffusers' pipelines take as images; arrays and tensors (n, ...) are n."""
    batches = [image if getattr(image, "ndim", 0) == 4 else [image] for image in listed(images)]
    return [_picture_of(image) for batch in batches for image in batch]


def _picture_of(image: Any) -> np.ndarray:
    if isinstance(image, Tensor):
        if image.ndim != 3:
            raise InputError(f"the image is a tensor {tuple(image.shape)}; give one picture (3, height, width)")
        image = image.permute(1, 2, 0).float().cpu().numpy()
    if isinstance(image, np.ndarray) and np.issubdtype(image.dtype, np.floating):
        image = unit_to_pixels(image)
    return read_picture(image)


def as_output(pictures: np.ndarray | Tensor, output_type: str) -> Any:
    """uint8 (n, h, w, 3) as a list of PIL images, an array or a tensor; latents as they are."""
    if output_type == "pil":
        return [Image.fromarray(picture) for picture in pictures]
    if output_type == "latent":
        return pictures
    floats = pixels_to_unit(pictures)
    return floats.numpy() if output_type == "np" else floats.permute(0, 3, 1, 2)
