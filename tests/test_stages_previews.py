"""A linear map fitted on one picture shows what latents look like."""

from time import perf_counter

import numpy as np
import torch

from paints_undo.stages.previews import LatentColours

RNG = np.random.default_rng(0)


def test_colours_that_are_a_linear_map_come_back():
    latent = torch.from_numpy(RNG.normal(size=(4, 16, 12)).astype(np.float32))
    mix = RNG.normal(size=(4, 3)) * 15
    small = (latent.numpy().transpose(1, 2, 0) @ mix + 128).clip(0, 255).astype(np.uint8)
    picture = small.repeat(8, axis=0).repeat(8, axis=1)
    colours = LatentColours.fit(latent, picture)
    assert colours.weights.shape == (5, 3)
    seen = colours(latent)
    assert seen.shape == (16, 12, 3) and seen.dtype == np.uint8
    assert np.abs(seen.astype(int) - small).mean() < 2


def test_a_blank_artwork_gives_its_one_colour():
    latent = torch.zeros(4, 8, 8)
    colours = LatentColours.fit(latent, np.full((64, 64, 3), 200, np.uint8))
    assert np.abs(colours(latent).astype(int) - 200).max() <= 1
    assert colours(torch.full((4, 8, 8), torch.nan)).max() == 0  # shown as black, never an error


def test_a_preview_takes_a_few_milliseconds():
    latent = torch.randn(4, 80, 64).to(torch.bfloat16)
    colours = LatentColours.fit(latent, RNG.integers(0, 256, (640, 512, 3), dtype=np.uint8))
    began = perf_counter()
    for _ in range(10):
        colours(latent)
    assert (perf_counter() - began) / 10 < 0.02
