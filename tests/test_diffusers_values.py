"""Pictures, generators and outputs as tools of diffusers have them."""

import numpy as np
import pytest
import torch
from PIL import Image

from paints_undo import InputError
from paints_undo.diffusers_pipelines.values import as_output, check_output_type, pictures_of

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_every_kind_of_picture_is_the_same_pixels(tmp_path):
    floats = PIXELS.astype(np.float32) / 255
    tensor = torch.from_numpy(floats).permute(2, 0, 1)
    Image.fromarray(PIXELS).save(tmp_path / "picture.png")
    for kind in (PIXELS, Image.fromarray(PIXELS), tmp_path / "picture.png", floats, tensor, tensor[None]):
        assert np.array_equal(picture_of(kind), PIXELS), type(kind)
    for wrong in (tensor[None].expand(2, -1, -1, -1), tensor[0]):
        with pytest.raises(InputError, match="give one picture"):
            picture_of(wrong)


def test_outputs_hold_the_same_pixels():
    (image,) = as_output(PIXELS[None], "pil")
    assert np.array_equal(np.asarray(image), PIXELS)
    for kind in ("np", "pt"):
        assert np.array_equal(picture_of(as_output(PIXELS[None], kind)[0]), PIXELS)
    latents = torch.zeros(1, 4, 5, 6)
    assert as_output(latents, "latent") is latents
    with pytest.raises(InputError, match="output_type is 'jpg'"):
        check_output_type("jpg")


def test_a_new_generator_is_its_seed_and_moves_on():
    generator = seeded(7)
    first, device = seeds_of(generator, [400, 999])
    assert first == [7, 7] and device.type == "cpu"
    second, _ = seeds_of(generator, [400])
    assert second != [7] and seeds_of(generator, [400])[0] != second
    again = seeded(7)
    assert seeds_of(again, [1])[0] == [7] and seeds_of(again, [1])[0] == second


def test_one_generator_for_each_step_follows_its_step():
    assert seeds_of([seeded(1), seeded(2)], [999, 400])[0] == [2, 1]
    with pytest.raises(InputError, match="1 generators are given for 2 operation steps"):
        seeds_of([seeded(1)], [400, 999])


def test_without_a_generator_torch_decides():
    torch.manual_seed(3)
    first = seeds_of(None, [1, 2])[0]
    assert first[0] == first[1] != seeds_of(None, [1, 2])[0][0]
    torch.manual_seed(3)
    assert seeds_of(None, [1, 2])[0] == first
