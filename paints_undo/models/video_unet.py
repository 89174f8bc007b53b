"""The multi-frame 3D UNet, derived from VideoCrafter's (Chen et al. 2023) by way of ToonCrafter (Xing et al. 2024)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from paints_undo.models.video_unet_blocks import (
    GROUPS,
    TEMPORAL_WINDOWS,
    Conditions,
    Downsample,
    FrameConvolution,
    ResidualBlock,
    SpatialTransformer,
    TemporalTransformer,
    Upsample,
)

INITIAL_TEMPORAL_HEADS = 8


@dataclass(frozen=True)
class VideoUNetConfig:
    """Sizes and choices, under the names of the checkpoint's config.json.

    The second group exists in published files with one value only; this network computes that one and refuses others.
    """

    in_channels: int = 8
    out_channels: int = 4
    model_channels: int = 320
    attention_resolutions: tuple[int, ...] = (4, 2, 1)
    num_res_blocks: int = 2
    channel_mult: tuple[int, ...] = (1, 2, 4, 4)
    dropout: float = 0.1
    num_head_channels: int = 64
    transformer_depth: int = 1
    context_dim: int = 1024
    temporal_conv: bool = True
    temporal_length: int = 16
    image_cross_attention_scale_learnable: bool = False
    temporal_window: str | None = None

    use_linear: bool = True
    temporal_attention: bool = True
    temporal_selfatt_only: bool = True
    addition_attention: bool = True
    image_cross_attention: bool = True
    fs_condition: bool = True
    conv_resample: bool = True
    dims: int = 2
    num_heads: int = -1
    use_relative_position: bool = False
    use_causal_attention: bool = False
    use_scale_shift_norm: bool = False
    resblock_updown: bool = False
    tempspatial_aware: bool = False
    default_fs: int = 24  # the original never reads it: the frame stride is always given

    def __post_init__(self) -> None:
        for name in SETTLED:
            settled, value = type(self).__dataclass_fields__[name].default, getattr(self, name)
            if value != settled:
                raise ValueError(f"video UNet: {name} is {value!r}, but only {settled!r} is implemented")
        if self.temporal_window not in (None, *TEMPORAL_WINDOWS):
            choices = ", ".join(TEMPORAL_WINDOWS)
            raise ValueError(f"video UNet: temporal_window is {self.temporal_window!r}; use None, {choices}")


SETTLED = [
    "use_linear",
    "temporal_attention",
    "temporal_selfatt_only",
    "addition_attention",
    "image_cross_attention",
    "fs_condition",
    "conv_resample",
    "dims",
    "num_heads",
    "use_relative_position",
    "use_causal_attention",
    "use_scale_shift_norm",
    "resblock_updown",
    "tempspatial_aware",
]


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


class VideoUNet(nn.Module):
    """Predicts v for 16 latents between two keyframes."""

    def __init__(self, config: VideoUNetConfig):
        super().__init__()
        self.config = config
        width, levels = config.model_channels, config.channel_mult
        embedding_width = 4 * width
        self.time_embed = embedding(width, embedding_width)
        self.fps_embedding = embedding(width, embedding_width)

        def residual(channels: int, out_channels: int) -> ResidualBlock:
            return ResidualBlock(channels, out_channels, embedding_width, config.dropout, config.temporal_conv)

        channels, skips = width, [width]
        self.input_blocks = nn.ModuleList([Stage(FrameConvolution(config.in_channels, width, 3, padding=1))])
        self.init_attn = Stage(
            TemporalTransformer(
                width, INITIAL_TEMPORAL_HEADS, config.num_head_channels, config.transformer_depth, config.dropout, True
            )
        )
        for level, multiplier in enumerate(levels):
            for _ in range(config.num_res_blocks):
                block = residual(channels, multiplier * width)
                channels = multiplier * width
                self.input_blocks.append(Stage(block, *self.transformers(channels, 2**level)))
                skips.append(channels)
            if level < len(levels) - 1:
                self.input_blocks.append(Stage(Downsample(channels)))
                skips.append(channels)

        transformers = self.transformers(channels, config.attention_resolutions[0])  # whatever the resolution
        self.middle_block = Stage(residual(channels, channels), *transformers, residual(channels, channels))

        self.output_blocks = nn.ModuleList()
        for level, multiplier in reversed(list(enumerate(levels))):
            for index in range(config.num_res_blocks + 1):
                block = residual(channels + skips.pop(), multiplier * width)
                channels = multiplier * width
                last = level > 0 and index == config.num_res_blocks
                upsample = [Upsample(channels)] if last else []
                self.output_blocks.append(Stage(block, *self.transformers(channels, 2**level), *upsample))
        self.out = nn.Sequential(
            nn.GroupNorm(GROUPS, channels), nn.SiLU(), nn.Conv2d(channels, config.out_channels, 3, padding=1)
        )

    def transformers(self, channels: int, downsampling: int) -> list[nn.Module]:
        """The spatial and the temporal transformer of one place, where the configuration asks for them."""
        config = self.config
        if downsampling not in config.attention_resolutions:
            return []
        shape = channels, channels // config.num_head_channels, config.num_head_channels, config.transformer_depth
        spatial = SpatialTransformer(
            *shape,
            config.context_dim,
            config.image_cross_attention_scale_learnable,
            config.temporal_window,
            config.dropout,
        )
        return [spatial, TemporalTransformer(*shape, config.dropout)]

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
        first, *rest = self.input_blocks
        hidden = self.init_attn(first(hidden, conditions), conditions)
        skips = [hidden]
        for stage in rest:
            hidden = stage(hidden, conditions)
            skips.append(hidden)
        hidden = self.middle_block(hidden, conditions)
        for stage in self.output_blocks:
            hidden = stage(torch.cat([hidden, skips.pop()], dim=1), conditions)
        return self.out(hidden).unflatten(0, (-1, frames)).transpose(1, 2)

    def features(self, positions: Tensor, like: Tensor) -> Tensor:
        return sinusoidal_features(positions, self.config.model_channels).to(like.dtype)


def embedding(width: int, out_width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, out_width), nn.SiLU(), nn.Linear(out_width, out_width))
