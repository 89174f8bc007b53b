"""Latents of canvases at random operation steps, each encoded once and used several times."""

from __future__ import annotations

from collections import deque

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from paints_undo.options import KeyframeOptions
from paints_undo.training.dataset import Pictures
from paints_undo.training.process import LAST_STEP

CAPACITY = 12_000
APP_STEPS = KeyframeOptions().operation_steps  # what the app draws unless told otherwise


def draw_operation_steps(count: int, generator: torch.Generator) -> Tensor:
    """Operation steps (count,): any of them, and those that the app asks for more often.

    A quarter anywhere, an eighth each the app's very steps and the last touches (0 to 50), half from 400 to 999.
    """
    kind = torch.rand(count, generator=generator)
    share = torch.rand(count, generator=generator)
    app = torch.tensor(APP_STEPS)[torch.randint(0, len(APP_STEPS), (count,), generator=generator)]
    steps = torch.where(kind < 0.25, share * LAST_STEP, 400 + share * (LAST_STEP - 400))
    steps = torch.where(kind > 0.75, share * 50, steps)
    return torch.where(kind > 0.875, app, steps.round())


def without_float16(device: torch.device) -> torch.autocast:
    """Within this block mixed precision means bf16, if anything: float16 overflows in some VAEs."""
    mixed = torch.is_autocast_enabled(device.type) and torch.get_autocast_dtype(device.type) == torch.bfloat16
    return torch.autocast(device.type, torch.bfloat16, enabled=mixed)


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Scaled modes of the latents of pictures (n, 3, H, W) in -1..1, float32, as the app conditions on them.

    Never computed in float16.
    """
    with without_float16(pictures.device):
        return vae.encode(pictures).latent_dist.mode().float() * vae.config.scaling_factor


class LatentPool:
    """The latest CAPACITY canvases as latents in memory, renewed a few at a time.

    Encoding a canvas costs as much as training on it. Each draw encodes only `fresh` new canvases and fills up with
    older ones, which are as good with other noise. A finished picture is encoded once, when first met.
    """

    def __init__(self, data: Pictures, vae: AutoencoderKL):
        self.data = data
        self.vae = vae.eval().requires_grad_(False)
        self.artworks: dict[int, Tensor] = {}
        self.canvases: deque[tuple[int, float, Tensor]] = deque(maxlen=CAPACITY)  # picture, operation step, latent

    def draw(self, count: int, fresh: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Picture numbers (n,), operation steps (n,), canvas and artwork latents (n, 4, h, w); n = count.

        The numbers are tensors of the CPU, the latents lie where the pictures do.
        """
        entries = self._encode_new(fresh if self.canvases else count, generator)
        while len(entries) < count:
            place = int(torch.randint(0, len(self.canvases), (1,), generator=generator))
            entries.append(self.canvases[place])
        pictures, steps, canvases = zip(*entries, strict=True)
        latents = torch.stack([latent.float() for latent in canvases])
        artworks = torch.stack([self.artworks[picture].float() for picture in pictures])
        return torch.tensor(pictures), torch.tensor(steps), latents, artworks

    def _encode_new(self, count: int, generator: torch.Generator) -> list[tuple[int, float, Tensor]]:
        indices = torch.randint(0, len(self.data), (count,), generator=generator)
        steps = draw_operation_steps(count, generator)
        unseen = torch.tensor([index for index in indices.unique().tolist() if index not in self.artworks], dtype=int)
        pictures = self.data.canvases(indices, steps)
        if len(unseen):  # few own time-lapses are soon all seen
            pictures = torch.cat([pictures, self.data.finished(unseen)])
        latents = encode(self.vae, pictures).half()
        self.artworks.update(zip(unseen.tolist(), latents[count:], strict=True))
        entries = list(zip(indices.tolist(), steps.tolist(), latents[:count], strict=True))
        self.canvases.extend(entries)
        return entries
