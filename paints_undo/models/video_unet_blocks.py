"""The building blocks of the 3D UNet.

Frames travel as a batch, (b t, c, h, w); the blocks that mix frames unfold them for themselves.  Whatever order their
numbers have in memory stays: with channels last, pixels are tokens, and no block copies the one to the other.
Every block takes (x, conditions), so that a stage of the UNet is a plain sequence of blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paints_undo.models.attention import attention
from paints_undo.models.context_memory import KeysAndValues, keys_and_values
from paints_undo.models.fused import kernels_in_use
from paints_undo.models.normalization import GroupNorm, GroupNormSiLU
from paints_undo.models.pieces import in_pieces
from paints_undo.models.temporal_convolution import temporal_unit
from paints_undo.models.video_unet_config import TEMPORAL_WINDOWS, VideoUNetConfig

INITIAL_TEMPORAL_HEADS = 8


@dataclass(frozen=True)
class Conditions:
    """What every block may look at beside its input."""

    embedding: Tensor  # (b, embedding width): timestep and frame stride
    text: Tensor  # (b, tokens, context width)
    image: Tensor  # (b, t, tokens, context width)
    frames: int  # t


def added(update: Tensor, x: Tensor) -> Tensor:
    """x + update, in the memory of the update: a tensor just made, which gradients may need and nothing else does."""
    return x + update if torch.is_grad_enabled() else update.add_(x)


class FrameConvolution(nn.Conv2d):
    """A 3x3 convolution of each frame."""

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        return super().forward(x)


class Downsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        return self.op(x)


class Upsample(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2, mode="nearest"))


class TemporalConvolution(nn.Module):
    """Four 3x1x1 convolutions along t on (b, c, t, h, w), added to the input."""

    def __init__(self, channels: int, groups: int, dropout: float):
        super().__init__()
        self.conv1 = temporal_unit(channels, groups)
        self.conv2 = temporal_unit(channels, groups, nn.Dropout(dropout))
        self.conv3 = temporal_unit(channels, groups, nn.Dropout(dropout))
        self.conv4 = temporal_unit(channels, groups, nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        return added(self.conv4(self.conv3(self.conv2(self.conv1(x)))), x)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions of each frame with the embedding between them, then the temporal convolutions."""

    def __init__(self, channels: int, out_channels: int, config: VideoUNetConfig):
        super().__init__()
        groups, dropout = config.norm_groups, config.dropout
        self.in_layers = nn.Sequential(
            GroupNormSiLU(groups, channels), nn.Identity(), nn.Conv2d(channels, out_channels, 3, padding=1)
        )
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(config.embedding_width, out_channels))
        self.out_layers = nn.Sequential(
            GroupNormSiLU(groups, out_channels),
            nn.Identity(),  # where the checkpoint counts a SiLU
            nn.Dropout(dropout),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
        )
        same_width = channels == out_channels
        self.skip_connection = nn.Identity() if same_width else nn.Conv2d(channels, out_channels, 1)
        temporal = TemporalConvolution(out_channels, groups, dropout) if config.temporal_conv else nn.Identity()
        self.temopral_conv = temporal  # the checkpoint spells it so

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        embedding = self.emb_layers(conditions.embedding)[:, None, :, None, None]  # one for all frames of a video
        hidden = added(self.in_layers(x).unflatten(0, (-1, conditions.frames)), embedding).flatten(0, 1)
        hidden = added(self.out_layers(hidden), self.skip_connection(x))
        return per_video(self.temopral_conv, hidden, conditions.frames)


def per_video(layer: nn.Module, x: Tensor, frames: int) -> Tensor:
    """Apply a layer of (b, c, t, h, w) to frames (b t, c, h, w)."""
    video = x.unflatten(0, (-1, frames)).transpose(1, 2)
    return layer(video).transpose(1, 2).flatten(0, 1)


class SelfAttention(nn.Module):
    """Tokens look at each other, or with a temporal window also at those of other frames."""

    def __init__(self, width: int, heads: int, head_width: int, temporal_window: str | None = None):
        super().__init__()
        inner = heads * head_width
        self.heads = heads
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_k = nn.Linear(width, inner, bias=False)
        self.to_v = nn.Linear(width, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width))
        self.window = None if temporal_window is None else TEMPORAL_WINDOWS[temporal_window]

    def forward(self, tokens: Tensor, conditions: Conditions) -> Tensor:
        key, value = self.to_k(tokens), self.to_v(tokens)
        if self.window is not None:
            seen = self.window(conditions.frames)
            key, value = (self.extend(x, conditions.frames, seen) for x in (key, value))
        return self.to_out(attention(self.to_q(tokens), key, value, self.heads))

    @staticmethod
    def extend(tokens: Tensor, frames: int, window: Sequence[Sequence[int]]) -> Tensor:
        """(b t, n, d) -> (b t, k n, d): each frame's tokens together with those of the frames in its window."""
        videos = tokens.unflatten(0, (-1, frames))
        return torch.cat([videos[:, list(seen)] for seen in window], dim=2).flatten(0, 1)


class TextAndImageAttention(nn.Module):
    """Each frame's tokens look at the text, and with the same queries at that frame's own image tokens."""

    def __init__(self, width: int, heads: int, head_width: int, context_width: int, learnable_scale: bool):
        super().__init__()
        inner = heads * head_width
        self.heads = heads
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_k = nn.Linear(context_width, inner, bias=False)
        self.to_v = nn.Linear(context_width, inner, bias=False)
        self.to_k_ip = nn.Linear(context_width, inner, bias=False)
        self.to_v_ip = nn.Linear(context_width, inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, width))
        self.alpha = nn.Parameter(torch.zeros(())) if learnable_scale else None

    def forward(self, tokens: Tensor, conditions: Conditions) -> Tensor:
        query = self.to_q(tokens)
        # one long sequence for each video, so that the text is not repeated for every frame
        of_video = query.unflatten(0, (-1, conditions.frames)).flatten(1, 2)
        key, value = keys_and_values(self, conditions.text, self.project_text)
        image_key, image_value = keys_and_values(self, conditions.image, self.project_image)
        seen = attention(of_video, key, value, self.heads).reshape(query.shape)
        seen_image = attention(query, image_key, image_value, self.heads)
        if self.alpha is not None:
            seen_image = seen_image * (self.alpha.tanh() + 1)
        return self.to_out(added(seen_image, seen))

    def project_text(self, text: Tensor) -> KeysAndValues:
        return self.to_k(text), self.to_v(text)

    def project_image(self, image: Tensor) -> KeysAndValues:
        frames = image.flatten(0, 1)
        return self.to_k_ip(frames), self.to_v_ip(frames)


class GEGLU(nn.Module):
    """A linear layer whose second half gates the first (Shazeer 2020)."""

    def __init__(self, width: int, inner: int):
        super().__init__()
        self.proj = nn.Linear(width, 2 * inner)

    def forward(self, tokens: Tensor) -> Tensor:
        projected = self.proj(tokens)
        if kernels := kernels_in_use():
            return kernels.geglu(projected)
        value, gate = projected.chunk(2, dim=-1)
        gate = F.gelu(gate)
        return value * gate if torch.is_grad_enabled() else gate.mul_(value)


class FeedForward(nn.Module):
    def __init__(self, width: int, dropout: float):
        super().__init__()
        self.net = nn.Sequential(GEGLU(width, 4 * width), nn.Dropout(dropout), nn.Linear(4 * width, width))

    def layer(self, tokens: Tensor) -> Tensor:
        """What each piece of the tokens goes through."""
        return self.net(tokens)

    def forward(self, tokens: Tensor) -> Tensor:
        return in_pieces(self.layer, tokens, self.net[0].proj.out_features)


class TransformerBlock(nn.Module):
    """Two attentions and a feed-forward, each on layer-normalised tokens and added to them."""

    def __init__(self, width: int, first: nn.Module, second: nn.Module, dropout: float):
        super().__init__()
        self.attn1 = first
        self.ff = FeedForward(width, dropout)
        self.attn2 = second
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.norm3 = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, conditions: Conditions) -> Tensor:
        tokens = added(self.attn1(self.norm1(tokens), conditions), tokens)
        tokens = added(self.attn2(self.norm2(tokens), conditions), tokens)
        return added(self.ff(self.norm3(tokens)), tokens)


class TokenConvolution(nn.Conv1d):
    """A 1x1 convolution applied to tokens (b, n, c): a linear layer with a convolution's weight shape."""

    def __init__(self, width: int, out_width: int):
        super().__init__(width, out_width, 1)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.linear(tokens, self.weight.squeeze(-1), self.bias)


class SpatialTransformer(nn.Module):
    """Each frame's pixels look at each other, at the text and at the frame's image tokens."""

    def __init__(self, channels: int, heads: int, config: VideoUNetConfig):
        super().__init__()
        head_width = config.num_head_channels
        inner = heads * head_width
        self.norm = GroupNorm(config.norm_groups, channels, eps=1e-6)
        self.proj_in = nn.Linear(channels, inner)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(
                inner,
                SelfAttention(inner, heads, head_width, config.temporal_window),
                TextAndImageAttention(
                    inner, heads, head_width, config.context_dim, config.image_cross_attention_scale_learnable
                ),
                config.dropout,
            )
            for _ in range(config.transformer_depth)
        )
        self.proj_out = nn.Linear(inner, channels)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        tokens = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        for block in self.transformer_blocks:
            tokens = block(tokens, conditions)
        return added(self.proj_out(tokens).transpose(1, 2).unflatten(2, x.shape[2:]), x)


class TemporalTransformer(nn.Module):
    """Each pixel looks at itself in all frames; statistics of the norm run over frames, too."""

    projection: type[nn.Module] = nn.Linear

    def __init__(self, channels: int, heads: int, config: VideoUNetConfig):
        super().__init__()
        head_width = config.num_head_channels
        inner = heads * head_width
        self.norm = GroupNorm(config.norm_groups, channels, eps=1e-6)
        self.proj_in = self.projection(channels, inner)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(
                inner,
                SelfAttention(inner, heads, head_width),
                SelfAttention(inner, heads, head_width),
                config.dropout,
            )
            for _ in range(config.transformer_depth)
        )
        self.proj_out = self.projection(inner, channels)

    def forward(self, x: Tensor, conditions: Conditions) -> Tensor:
        height, width = x.shape[-2:]
        video = x.unflatten(0, (-1, conditions.frames)).transpose(1, 2)  # (b, c, t, h, w)
        tokens = self.norm(video).permute(0, 3, 4, 2, 1).flatten(0, 2)  # (b h w, t, c)
        tokens = self.proj_in(tokens)
        for block in self.transformer_blocks:
            tokens = block(tokens, conditions)
        tokens = self.proj_out(tokens).unflatten(0, (-1, height, width))  # (b, h, w, t, c)
        return (video + tokens.permute(0, 4, 3, 1, 2)).transpose(1, 2).flatten(0, 1)


class InitialTemporalTransformer(TemporalTransformer):
    """The one behind the first convolution: always 8 heads, so wider inside than its input."""

    projection = TokenConvolution

    def __init__(self, channels: int, config: VideoUNetConfig):
        super().__init__(channels, INITIAL_TEMPORAL_HEADS, config)
