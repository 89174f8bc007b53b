"""What tools of diffusers hand to a pipeline and expect from it: pictures, generators, kinds of output."""

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


def check_output_type(output_type: str) -> None:
    """Raises InputError for a kind of output that there is not."""
    if output_type not in OUTPUT_TYPES:
        raise InputError(f"output_type is {output_type!r}; use one of {', '.join(OUTPUT_TYPES)}")


def seeds_of(
    generator: torch.Generator | Sequence[torch.Generator] | None, steps: Sequence[int]
) -> tuple[list[int], torch.device]:
    """A seed for each of the steps in ascending order, and where to draw noise; without a generator they are random."""
    if generator is None:
        return [int(torch.randint(2**31, ()))] * len(steps), torch.device("cpu")
    if isinstance(generator, torch.Generator):
        return [_seed(generator)] * len(steps), generator.device
    if len(generator) != len(steps):
        raise InputError(
            f"{len(generator)} generators are given for {len(steps)} operation steps; give one, or as many"
        )
    in_order = sorted(zip(steps, generator, strict=True), key=lambda pair: pair[0])
    return [_seed(each) for _, each in in_order], generator[0].device


def _seed(generator: torch.Generator) -> int:
    """The generator's own seed if nothing was drawn from it yet, else one drawn from it; it is moved on."""
    own = generator.initial_seed()
    fresh = torch.Generator(generator.device).manual_seed(own).get_state()
    unused = torch.equal(generator.get_state(), fresh)
    drawn = int(torch.randint(2**31, (), generator=generator, device=generator.device))
    return own if unused else drawn


def picture_of(image: ImageInput) -> np.ndarray:
    """uint8 (H, W, 3) of anything that diffusers' pipelines take as one image."""
    if isinstance(image, Tensor):
        image = image[0] if image.ndim == 4 and len(image) == 1 else image
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
