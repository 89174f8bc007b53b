"""Pictures, generators and outputs as tools of diffusers have them."""

import numpy as np
import pytest
import torch
from PIL import Image

from paints_undo import InputError
from paints_undo.diffusers_pipelines.values import as_output, check_output_type, pictures_of

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)


def test_every_kind_of_picture_is_the_same_pixels(tmp_path):
    floats = PIXELS.astype(np.float32) / 255
    tensor = torch.from_numpy(floats).permute(2, 0, 1)
    Image.fromarray(PIXELS).save(tmp_path / "picture.png")
    for kind in (PIXELS, Image.fromarray(PIXELS), tmp_path / "picture.png", floats, tensor, tensor[None]):
        (found,) = pictures_of(kind)
        assert np.array_equal(found, PIXELS), type(kind)
    for several in ([PIXELS, tensor], tensor[None].expand(2, -1, -1, -1), np.stack([floats, floats])):
        assert all(np.array_equal(found, PIXELS) for found in pictures_of(several)) and len(pictures_of(several)) == 2
    with pytest.raises(InputError, match="give one picture"):
        pictures_of(tensor[0])


def test_outputs_hold_the_same_pixels():
    (image,) = as_output(PIXELS[None], "pil")
    assert np.array_equal(np.asarray(image), PIXELS)
    for kind in ("np", "pt"):
        assert np.array_equal(pictures_of(as_output(PIXELS[None], kind))[0], PIXELS)
    latents = torch.zeros(1, 4, 5, 6)
    assert as_output(latents, "latent") is latents
    with pytest.raises(InputError, match="output_type is 'jpg'"):
        check_output_type("jpg")
