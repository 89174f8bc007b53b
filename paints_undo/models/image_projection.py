"""Two keyframes' CLIP features -> a few image tokens for each frame between them.

A perceiver resampler (Alayrac et al. 2022, "Flamingo") over both pictures' tokens in one sequence.
"""

from dataclasses import dataclass

import torch
from diffusers import ModelMixin
from torch import Tensor, nn

from paints_undo.models.attention import attention
from paints_undo.models.sized import Sized


@dataclass(frozen=True)
class ImageProjectionConfig:
    """Sizes, under the names of the checkpoint's config.json."""

    dim: int = 1024
    depth: int = 4
    dim_head: int = 64
    heads: int = 12
    num_queries: int = 16
    embedding_dim: int = 1280
    output_dim: int = 1024
    ff_mult: int = 4
    video_length: int = 16
    input_frames_length: int = 2


class PerceiverAttention(nn.Module):
    """The latents look at the features and at themselves."""

    def __init__(self, config: ImageProjectionConfig):
        super().__init__()
        inner = config.heads * config.dim_head
        self.heads = config.heads
        self.norm1 = nn.LayerNorm(config.dim)
        self.norm2 = nn.LayerNorm(config.dim)
        self.to_q = nn.Linear(config.dim, inner, bias=False)
        self.to_kv = nn.Linear(config.dim, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, config.dim, bias=False)

    def forward(self, features: Tensor, latents: Tensor) -> Tensor:
        features, latents = self.norm1(features), self.norm2(latents)
        key, value = self.to_kv(torch.cat([features, latents], dim=1)).chunk(2, dim=-1)
        return self.to_out(attention(self.to_q(latents), key, value, self.heads))


def feed_forward(config: ImageProjectionConfig) -> nn.Sequential:
    inner = config.ff_mult * config.dim
    return nn.Sequential(
        nn.LayerNorm(config.dim),
        nn.Linear(config.dim, inner, bias=False),
        nn.GELU(),
        nn.Linear(inner, config.dim, bias=False),
    )


class ImageProjection(ModelMixin, Sized):
    """Image tokens for every frame between two keyframes."""

    sizes = ImageProjectionConfig
    config: ImageProjectionConfig

    def __init__(self, config: ImageProjectionConfig):
        super().__init__()
        self.settle(config)
        self.latents = nn.Parameter(
            torch.randn(1, config.video_length * config.num_queries, config.dim) / config.dim**0.5
        )
        self.input_pos = nn.Parameter(torch.zeros(1, config.input_frames_length, 1, config.embedding_dim))
        self.proj_in = nn.Linear(config.embedding_dim, config.dim)
        self.layers = nn.ModuleList(
            nn.ModuleList([PerceiverAttention(config), feed_forward(config)]) for _ in range(config.depth)
        )
        self.proj_out = nn.Linear(config.dim, config.output_dim)
        self.norm_out = nn.LayerNorm(config.output_dim)

    def forward(self, features: Tensor) -> Tensor:
        """(b, 2, n, embedding_dim) CLIP features of both keyframes -> (b, 16 frames, 16 tokens, output_dim)."""
        features = self.proj_in((features + self.input_pos).flatten(1, 2))
        latents = self.latents.expand(len(features), -1, -1)
        for attend, transform in self.layers:
            latents = latents + attend(features, latents)
            latents = latents + transform(latents)
        return self.norm_out(self.proj_out(latents)).unflatten(1, (self.config.video_length, -1))
