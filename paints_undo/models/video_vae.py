"""The video VAE of ToonCrafter (Xing et al. 2024): latent diffusion's picture encoder, and a decoder of 16 frames that
looks back at the encoder's hidden states of the first and the last frame."""

import torch
from diffusers import ModelMixin
from torch import Tensor, nn
from torch.nn import functional as F

from paints_undo.models.attention import attention
from paints_undo.models.normalization import GroupNorm, GroupNormSiLU
from paints_undo.models.sized import Sized
from paints_undo.models.streamed_decoder import Spill, decode_streamed
from paints_undo.models.temporal_convolution import TemporalConvolution3x1x1, temporal_unit
from paints_undo.models.video_vae_config import (
    COMBINER_HEAD_WIDTH,
    COMBINER_HEADS,
    CONVOLUTION_LEVELS,
    VideoVAEConfig,
)

SCALING_FACTOR = 0.18215


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions of each picture, added to the input."""

    def __init__(self, channels: int, out_channels: int, groups: int):
        super().__init__()
        self.norm1 = GroupNormSiLU(groups, channels, eps=1e-6)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.norm2 = GroupNormSiLU(groups, out_channels, eps=1e-6)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(channels, out_channels, 1) if channels != out_channels else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        # nobody else holds what is overwritten: new memory costs a CPU more than these operations themselves
        hidden = self.conv1(self.norm1(x))
        hidden = self.conv2(self.norm2(hidden))
        return hidden.add_(self.nin_shortcut(x))


class PixelAttention(nn.Module):
    """The pixels of one picture look at each other, with a single head."""

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.norm = GroupNorm(groups, channels, eps=1e-6)
        self.q = nn.Conv2d(channels, channels, 1)
        self.k = nn.Conv2d(channels, channels, 1)
        self.v = nn.Conv2d(channels, channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x)
        query, key, value = (layer(normed).flatten(2).transpose(1, 2) for layer in (self.q, self.k, self.v))
        seen = attention(query, key, value, heads=1).transpose(1, 2).reshape(x.shape)
        return x + self.proj_out(seen)  # x first: the sum takes its layout


class EncoderMiddle(nn.Module):
    kind: type[ResidualBlock] = ResidualBlock

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.block_1 = self.kind(channels, channels, groups)
        self.attn_1 = PixelAttention(channels, groups)
        self.block_2 = self.kind(channels, channels, groups)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.attn_1(self.block_1(x)))


class Downsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Upsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class EncoderLevel(nn.Module):
    """Residual blocks at one size; `downsample` is called by the encoder, which keeps the state before it."""

    def __init__(self, channels: int, out_channels: int, blocks: int, groups: int, last: bool):
        super().__init__()
        widths = [channels] + [out_channels] * blocks
        self.block = nn.Sequential(*(ResidualBlock(a, b, groups) for a, b in zip(widths, widths[1:], strict=False)))
        self.downsample = nn.Identity() if last else Downsample(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)


class Encoder(nn.Module):
    def __init__(self, config: VideoVAEConfig):
        super().__init__()
        widths, groups = config.widths, config.norm_groups
        self.conv_in = nn.Conv2d(config.in_channels, config.ch, 3, padding=1)
        self.down = nn.ModuleList(
            EncoderLevel(before, width, config.num_res_blocks, groups, last=level == len(widths) - 1)
            for level, (before, width) in enumerate(zip([config.ch, *widths[:-1]], widths, strict=True))
        )
        self.mid = EncoderMiddle(widths[-1], groups)
        self.norm_out = GroupNormSiLU(groups, widths[-1], eps=1e-6)
        self.conv_out = nn.Conv2d(widths[-1], 2 * config.z_channels, 3, padding=1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Moments (n, 2 z, h, w) and the hidden states the decoder asks for: each level's last, then `conv_in`'s."""
        first = self.conv_in(pictures)
        x, hidden_states = first, []
        for level in self.down:
            x = level(x)
            hidden_states.append(x)
            x = level.downsample(x)
        x = self.mid(x)
        return self.conv_out(self.norm_out(x)), [*hidden_states, first]


class TimeStack(nn.Module):
    """What two 3x1x1 convolutions along t make of (b, c, t, h, w)."""

    read_directly = True  # by the streamed decoder, whose matrices these weights are

    def __init__(self, channels: int, groups: int):
        super().__init__()
        self.in_layers = temporal_unit(channels, groups)
        self.out_layers = temporal_unit(channels, groups, nn.Dropout(0.0))

    def forward(self, x: Tensor) -> Tensor:
        return self.out_layers(self.in_layers(x))


class VideoBlock(ResidualBlock):
    """A residual block of each frame, and a share of what the frames around it add."""

    called_in_parts = True  # by the streamed decoder

    def __init__(self, channels: int, out_channels: int, groups: int):
        super().__init__(channels, out_channels, groups)
        self.time_stack = TimeStack(out_channels, groups)
        self.mix_factor = nn.Parameter(torch.zeros(1))

    def each_frame(self, x: Tensor) -> Tensor:
        """The frames (n, c, h, w) without the time stack's share."""
        return super().forward(x)

    def add_motion(self, still: Tensor, motion: Tensor) -> Tensor:
        """`still`, overwritten, with the share of `motion` that was learnt."""
        return still.addcmul_(motion, self.mix_factor.sigmoid().to(still))

    def forward(self, x: Tensor, frames: int) -> Tensor:  # type: ignore[override]  # it looks at other frames, too
        still = self.each_frame(x)
        video = still.unflatten(0, (-1, frames))  # (b, t, c, h, w)
        self.add_motion(video, self.time_stack(video.transpose(1, 2)).transpose(1, 2))
        return still


class DecoderMiddle(EncoderMiddle):
    kind = VideoBlock
    called_in_parts = True

    def forward(self, x: Tensor, frames: int) -> Tensor:  # type: ignore[override]  # it looks at other frames, too
        return self.block_2(self.attn_1(self.block_1(x, frames)), frames)


class ConvolutionCombiner(nn.Module):
    """Adds a 1x1 convolution of each reference frame, in place, to the frame it stands at: the first and the last."""

    called_in_parts = True

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, references: Tensor, frames: int) -> Tensor:
        """x (b t, c, h, w); references (b, 2, c, h, w)."""
        video = x.unflatten(0, (-1, frames))
        video[:, 0] += self.conv(references[:, 0])
        video[:, -1] += self.conv(references[:, 1])
        return x


class AttentionCombiner(nn.Module):
    """Every frame's pixels look at the pixels of both reference frames."""

    called_in_parts = True

    def __init__(self, channels: int, groups: int):
        super().__init__()
        inner = COMBINER_HEADS * COMBINER_HEAD_WIDTH
        self.norm = GroupNorm(groups, channels, eps=1e-6)
        self.to_q = nn.Linear(channels, inner, bias=False)
        self.to_k = nn.Linear(channels, inner, bias=False)
        self.to_v = nn.Linear(channels, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, channels))

    def keys_and_values(self, references: Tensor) -> tuple[Tensor, Tensor]:
        """What the references (b, 2, c, h, w) answer with, each (b, 2 h w, inner)."""
        context = references.permute(0, 1, 3, 4, 2).flatten(1, 3)
        return self.to_k(context), self.to_v(context)

    def look(self, x: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """The frames x (b t, c, h, w) with what they see in the references of their video, one of the b."""
        query = self.to_q(self.norm(x).flatten(2).transpose(1, 2))  # (b t, h w, inner)
        # all frames ask the same two pictures: one long query sequence instead of 16 copies of keys and values
        query = query.unflatten(0, (len(key), -1)).flatten(1, 2)
        seen = self.to_out(attention(query, key, value, COMBINER_HEADS))
        return x + seen.reshape(x.shape[0], -1, x.shape[1]).transpose(1, 2).reshape(x.shape)

    def forward(self, x: Tensor, references: Tensor, frames: int) -> Tensor:
        """x (b t, c, h, w); references (b, 2, c, h, w)."""
        return self.look(x, *self.keys_and_values(references))


class DecoderLevel(nn.Module):
    called_in_parts = True

    def __init__(self, channels: int, out_channels: int, blocks: int, groups: int, last: bool):
        super().__init__()
        widths = [channels] + [out_channels] * blocks
        self.block = nn.ModuleList(VideoBlock(a, b, groups) for a, b in zip(widths, widths[1:], strict=False))
        self.upsample = nn.Identity() if last else Upsample(out_channels)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        for block in self.block:
            x = block(x, frames)
        return x


class FrameMixingConvolution(nn.Conv2d):
    """A 3x3 convolution of each frame, then a 3x1x1 convolution along t."""

    read_directly = True

    def __init__(self, channels: int, out_channels: int):
        super().__init__(channels, out_channels, 3, padding=1)
        self.time_mix_conv = TemporalConvolution3x1x1(out_channels, out_channels)

    def each_frame(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> (n, out, h, w), not yet mixed along t."""
        return super().forward(x)

    def mix(self, x: Tensor, frames: int) -> Tensor:
        """(b t, out, h, w) of each_frame() -> (b, out, t, h, w)."""
        return self.time_mix_conv(x.unflatten(0, (-1, frames)).transpose(1, 2))

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """(b t, c, h, w) -> (b, out, t, h, w)."""
        return self.mix(self.each_frame(x), frames)


class Decoder(nn.Module):
    called_in_parts = True
    channels_last_on = ("cpu",)  # the encoder's pictures are not

    def __init__(self, config: VideoVAEConfig):
        super().__init__()
        widths, groups = config.widths, config.norm_groups
        self.conv_in = nn.Conv2d(config.z_channels, widths[-1], 3, padding=1)
        self.mid = DecoderMiddle(widths[-1], groups)
        self.up = nn.ModuleList(
            DecoderLevel(before, width, config.num_res_blocks + 1, groups, last=level == 0)
            for level, (before, width) in enumerate(zip([*widths[1:], widths[-1]], widths, strict=True))
        )
        combiners = [
            ConvolutionCombiner(width) if level in CONVOLUTION_LEVELS else AttentionCombiner(width, groups)
            for level, width in enumerate(widths)
        ]
        self.attn_refinement = nn.ModuleList([*combiners, ConvolutionCombiner(config.ch)])
        self.norm_out = GroupNormSiLU(groups, config.ch, eps=1e-6)
        self.conv_out = FrameMixingConvolution(config.ch, config.out_ch)

    def forward(self, latents: Tensor, references: list[Tensor]) -> Tensor:
        """latents (b, z, t, h, w) and the encoder's hidden states, each (b, 2, c, h, w) -> (b, 3, t, H, W)."""
        frames, x = latents.shape[2], latents.transpose(1, 2).flatten(0, 1)
        if x.device.type == "cpu" and not torch.is_grad_enabled():
            # and so they stay: the convolutions at the widest level are 1.7 times as fast
            x = x.contiguous(memory_format=torch.channels_last)
        x = self.mid(self.conv_in(x), frames)
        for level in reversed(range(len(self.up))):
            x = self.up[level](x, frames)
            x = self.attn_refinement[level](x, references[level], frames)
            x = self.up[level].upsample(x)
        x = self.norm_out(x)
        return self.conv_out(self.attn_refinement[-1](x, references[-1], frames), frames)


class VideoVAE(ModelMixin, Sized):
    """Pictures to latents, and 16 latents back to a video of the size of its two reference pictures."""

    sizes = VideoVAEConfig
    config: VideoVAEConfig

    def __init__(self, config: VideoVAEConfig):
        super().__init__()
        self.settle(config)
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.quant_conv = nn.Conv2d(2 * config.z_channels, 2 * config.z_channels, 1)
        # in the checkpoint, but the original's decoding never applies it
        self.post_quant_conv = nn.Conv2d(config.z_channels, config.z_channels, 1)

    def encode(self, pictures: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scaled mode latents (n, z, h, w) of pictures (n, 3, H, W) in -1..1, and the hidden states for decode()."""
        moments, hidden_states = self.encoder(pictures)
        mode, _ = self.quant_conv(moments).chunk(2, dim=1)
        return mode * SCALING_FACTOR, hidden_states

    def decode(
        self, latents: Tensor, references: list[Tensor], frames_at_once: int | None = None, spill: Spill | None = None
    ) -> Tensor:
        """Frames (b, 3, t, H, W), about -1..1, of scaled latents (b, z, t, h, w).

        references: encode()'s hidden states of the first and the last frame, each (b, 2, c, h, w).
        frames_at_once: None decodes all t frames in one piece; a number, 1 or more, streams as many at a time, which
        computes the same in less memory, without gradients (see streamed_decoder).
        spill: while streaming, takes activations that wait for the rest of the video to the host's memory.
        """
        if frames_at_once is None:
            return self.decoder(latents / SCALING_FACTOR, references)
        return decode_streamed(self.decoder, latents / SCALING_FACTOR, references, frames_at_once, spill)
