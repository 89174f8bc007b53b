"""The multi-frame 3D UNet, derived from VideoCrafter's (Chen et al. 2023) by way of ToonCrafter (Xing et al. 2024)."""

import math

import torch
from diffusers import ModelMixin
from torch import Tensor, nn

from paints_undo.models.feature_reuse import deep_features
from paints_undo.models.normalization import GroupNormSiLU
from paints_undo.models.sized import Sized
from paints_undo.models.video_unet_blocks import (
    Conditions,
    Downsample,
    FrameConvolution,
    InitialTemporalTransformer,
    ResidualBlock,
    SpatialTransformer,
    TemporalTransformer,
    Upsample,
)
from paints_undo.models.video_unet_config import VideoUNetConfig


def sinusoidal_features(positions: Tensor, width: int) -> Tensor:
    """(b,) -> (b, width): cosines, then sines, of position * 10000^(-i / (width / 2)) (Vaswani et al. 2017)."""
    half = width // 2
    frequencies = torch.exp(-math.log(10_000) / half * torch.arange(half, device=positions.device, dtype=torch.float32))
    angles = positions.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


class Stage(nn.Sequential):
    """A few blocks in a row, each given the conditions."""

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        for block in self:
            x = block(x, conditions)
        return x


class VideoUNet(ModelMixin, Sized):
    """Predicts v for 16 latents between two keyframes."""

    sizes = VideoUNetConfig
    config: VideoUNetConfig
    channels_last_on = ("cpu", "cuda")  # devices on which nearly all that its convolutions get is in that order

    def __init__(self, config: VideoUNetConfig):
        super().__init__()
        self.settle(config)
        width, levels = config.model_channels, config.channel_mult
        self.time_embed = embedding(width, config.embedding_width)
        self.fps_embedding = embedding(width, config.embedding_width)

        channels, skips = width, [width]
        self.input_blocks = nn.ModuleList([Stage(FrameConvolution(config.in_channels, width, 3, padding=1))])
        self.init_attn = Stage(InitialTemporalTransformer(width, config))
        for level, multiplier in enumerate(levels):
            for _ in range(config.num_res_blocks):
                block = ResidualBlock(channels, multiplier * width, config)
                channels = multiplier * width
                self.input_blocks.append(Stage(block, *self.transformers(channels, 2**level)))
                skips.append(channels)
            if level < len(levels) - 1:
                self.input_blocks.append(Stage(Downsample(channels)))
                skips.append(channels)

        transformers = self.transformers(channels, config.attention_resolutions[0])  # whatever the resolution
        residuals = [ResidualBlock(channels, channels, config) for _ in range(2)]
        self.middle_block = Stage(residuals[0], *transformers, residuals[1])

        self.output_blocks = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(levels))):
            for index in range(config.num_res_blocks + 1):
                block = ResidualBlock(channels + skips.pop(), multiplier * width, config)
                channels = multiplier * width
                last = level > 0 and index == config.num_res_blocks
                upsample = [Upsample(channels)] if last else []
                self.output_blocks.append(Stage(block, *self.transformers(channels, 2**level), *upsample))
        self.out = nn.Sequential(
            GroupNormSiLU(config.norm_groups, channels),
            nn.Identity(),
            nn.Conv2d(channels, config.out_channels, 3, padding=1),
        )

    def transformers(self, channels: int, downsampling: int) -> list[nn.Module]:
        """The spatial and the temporal transformer of one place, where the configuration asks for them."""
        if downsampling not in self.config.attention_resolutions:
            return []
        heads = channels // self.config.num_head_channels
        return [SpatialTransformer(channels, heads, self.config), TemporalTransformer(channels, heads, self.config)]

    def forward(
        self, x: Tensor, timesteps: Tensor, text: Tensor, image: Tensor, keyframe_latents: Tensor, frame_stride: Tensor
    ) -> Tensor:
        """The predicted v, (b, 4, t, h, w).

        x and keyframe_latents (b, 4, t, h, w), the latter zero but for its first and last frame; timesteps (b,)
        0..999; text (b, tokens, context width); image (b, t, tokens, context width); frame_stride (b,).
        """
        frames = x.shape[2]
        embedded = self.time_embed(self.features(timesteps, x)) + self.fps_embedding(self.features(frame_stride, x))
        conditions = Conditions(embedded, text, image, frames)

        hidden = torch.cat([x, keyframe_latents], dim=1).transpose(1, 2).flatten(0, 1)  # (b t, c, h, w)
        if hidden.device.type == "cpu" and not torch.is_grad_enabled():
            hidden = hidden.contiguous(memory_format=torch.channels_last)  # and so they stay: convolutions are faster
        first, *rest = self.input_blocks
        hidden = self.init_attn(first(hidden, conditions), conditions)
        *inner, last = self.output_blocks

        def deeper() -> Tensor:
            deep, skips = hidden, []
            for stage in rest:
                deep = stage(deep, conditions)
                skips.append(deep)
            deep = self.middle_block(deep, conditions)
            for stage in inner:
                deep = stage(torch.cat([deep, skips.pop()], dim=1), conditions)
            return deep

        hidden = last(torch.cat([deep_features(self, text, deeper), hidden], dim=1), conditions)
        return self.out(hidden).unflatten(0, (-1, frames)).transpose(1, 2)

    def features(self, positions: Tensor, like: Tensor) -> Tensor:
        return sinusoidal_features(positions, self.config.model_channels).to(like.dtype)


def embedding(width: int, out_width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, out_width), nn.SiLU(), nn.Linear(out_width, out_width))
