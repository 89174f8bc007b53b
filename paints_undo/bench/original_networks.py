"""The 3D UNet and the video decoder in the original's order of operations, on the weights of this project's networks.

They stand still while `paints_undo.models` becomes faster: weights are found by the checkpoint's key names, and every
operation is written out here, copies and repeated work included.  Frames travel as a batch (b t, c, h, w).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paints_undo.models.video_unet import VideoUNet, sinusoidal_features
from paints_undo.models.video_vae import COMBINER_HEADS, SCALING_FACTOR, VideoVAE


def convolution(layer: nn.Module, x: Tensor, stride: int = 1) -> Tensor:
    return F.conv2d(x, layer.weight, layer.bias, stride, padding=layer.weight.shape[-1] // 2)


def temporal_convolution(layer: nn.Module, video: Tensor) -> Tensor:
    return F.conv3d(video, layer.weight, layer.bias, padding=(1, 0, 0))


def linear(layer: nn.Module, tokens: Tensor) -> Tensor:
    return F.linear(tokens, layer.weight, layer.bias)


def group_norm(norm: nn.Module, x: Tensor, groups: int, eps: float) -> Tensor:
    return F.group_norm(x, groups, norm.weight, norm.bias, eps)


def layer_norm(norm: nn.Module, tokens: Tensor) -> Tensor:
    return F.layer_norm(tokens, norm.weight.shape, norm.weight, norm.bias)


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """Attention on copies in the kernel's own order, (b, heads, n, d), and a copy back."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2).contiguous() for x in (query, key, value))
    return F.scaled_dot_product_attention(query, key, value).transpose(1, 2).contiguous().flatten(2)


def as_video(x: Tensor, frames: int) -> Tensor:
    return x.unflatten(0, (-1, frames)).transpose(1, 2).contiguous()


def as_frames(video: Tensor) -> Tensor:
    return video.transpose(1, 2).contiguous().flatten(0, 1)


class OriginalVideoUNet:
    """Computes what a VideoUNet computes, one sample at a time."""

    def __init__(self, unet: VideoUNet):
        config = unet.config
        if config.temporal_window is not None or config.image_cross_attention_scale_learnable:
            raise ValueError(
                "the original's order of work is written for published settings: no temporal window and "
                "no learnable image scale"
            )
        self.unet = unet
        self.groups = config.norm_groups
        self.head_width = config.num_head_channels

    def __call__(
        self, x: Tensor, timesteps: Tensor, text: Tensor, image: Tensor, keyframe_latents: Tensor, frame_stride: Tensor
    ) -> Tensor:
        """The predicted v, (b, 4, t, h, w); arguments as VideoUNet.forward."""
        unet, frames = self.unet, x.shape[2]
        features = [sinusoidal_features(p, unet.config.model_channels).to(x.dtype) for p in (timesteps, frame_stride)]
        embedded = self.embedding(unet.time_embed, features[0]) + self.embedding(unet.fps_embedding, features[1])
        self.embedded = embedded.repeat_interleave(frames, dim=0)
        self.text = text.repeat_interleave(frames, dim=0)
        self.image = image.flatten(0, 1)
        self.frames = frames

        hidden = as_frames(torch.cat([x, keyframe_latents], dim=1))
        hidden = convolution(unet.get_submodule("input_blocks.0.0"), hidden)
        hidden = self.transformer(unet.get_submodule("init_attn.0"), hidden)
        skips = [hidden]
        for stage in list(unet.input_blocks)[1:]:
            hidden = self.stage(stage, hidden)
            skips.append(hidden)
        hidden = self.stage(unet.middle_block, hidden)
        for stage in unet.output_blocks:
            hidden = self.stage(stage, torch.cat([hidden, skips.pop()], dim=1))
        hidden = F.silu(group_norm(unet.get_submodule("out.0"), hidden, self.groups, 1e-5))
        return as_video(convolution(unet.get_submodule("out.2"), hidden), frames)

    def embedding(self, layers: nn.Module, features: Tensor) -> Tensor:
        return linear(layers.get_submodule("2"), F.silu(linear(layers.get_submodule("0"), features)))

    def stage(self, stage: nn.Module, x: Tensor) -> Tensor:
        """Each block told by the key names that it alone has."""
        for block in stage.children():
            if hasattr(block, "in_layers"):
                x = self.residual_block(block, x)
            elif hasattr(block, "transformer_blocks"):
                x = self.transformer(block, x)
            elif hasattr(block, "op"):
                x = convolution(block.op, x, stride=2)
            else:
                x = convolution(block.conv, F.interpolate(x, scale_factor=2, mode="nearest"))
        return x

    def residual_block(self, block: nn.Module, x: Tensor) -> Tensor:
        part = block.get_submodule
        hidden = convolution(part("in_layers.2"), F.silu(group_norm(part("in_layers.0"), x, self.groups, 1e-5)))
        hidden = hidden + linear(part("emb_layers.1"), F.silu(self.embedded))[:, :, None, None]
        hidden = F.silu(group_norm(part("out_layers.0"), hidden, self.groups, 1e-5))
        hidden = convolution(part("out_layers.3"), hidden)
        skip = block.skip_connection
        hidden = (convolution(skip, x) if hasattr(skip, "weight") else x) + hidden
        if not hasattr(block.temopral_conv, "conv1"):
            return hidden
        video = as_video(hidden, self.frames)
        mixed = video
        for unit, index in (("conv1", 2), ("conv2", 3), ("conv3", 3), ("conv4", 3)):
            normed = F.silu(group_norm(part(f"temopral_conv.{unit}.0"), mixed, self.groups, 1e-5))
            mixed = temporal_convolution(part(f"temopral_conv.{unit}.{index}"), normed)
        return as_frames(video + mixed)

    def transformer(self, block: nn.Module, x: Tensor) -> Tensor:
        spatial = any(hasattr(inner.attn2, "to_k_ip") for inner in block.transformer_blocks)
        return self.spatial_transformer(block, x) if spatial else self.temporal_transformer(block, x)

    def spatial_transformer(self, block: nn.Module, x: Tensor) -> Tensor:
        tokens = group_norm(block.norm, x, self.groups, 1e-6).flatten(2).transpose(1, 2).contiguous()
        tokens = linear(block.proj_in, tokens)
        for inner in block.transformer_blocks:
            tokens = tokens + self.self_attention(inner.attn1, layer_norm(inner.norm1, tokens))
            tokens = tokens + self.cross_attention(inner.attn2, layer_norm(inner.norm2, tokens))
            tokens = tokens + self.feed_forward(inner, tokens)
        return linear(block.proj_out, tokens).transpose(1, 2).contiguous().reshape(x.shape) + x

    def temporal_transformer(self, block: nn.Module, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        video = group_norm(block.norm, as_video(x, self.frames), self.groups, 1e-6)
        sequences = video.permute(0, 3, 4, 1, 2).contiguous().flatten(0, 2)  # (b h w, c, t)
        tokens = self.projection(block.proj_in, sequences).transpose(1, 2).contiguous()
        for inner in block.transformer_blocks:
            tokens = tokens + self.self_attention(inner.attn1, layer_norm(inner.norm1, tokens))
            tokens = tokens + self.self_attention(inner.attn2, layer_norm(inner.norm2, tokens))
            tokens = tokens + self.feed_forward(inner, tokens)
        sequences = self.projection(block.proj_out, tokens.transpose(1, 2).contiguous())
        video = sequences.unflatten(0, (-1, height, width)).permute(0, 4, 3, 1, 2).contiguous()  # (b, t, c, h, w)
        return video.flatten(0, 1) + x

    def projection(self, layer: nn.Module, sequences: Tensor) -> Tensor:
        """On (n, c, t): a 1x1 convolution where the checkpoint has one, else a linear layer on a copy."""
        if layer.weight.ndim == 3:
            return F.conv1d(sequences, layer.weight, layer.bias)
        return linear(layer, sequences.transpose(1, 2).contiguous()).transpose(1, 2)

    def self_attention(self, layer: nn.Module, tokens: Tensor) -> Tensor:
        query, key, value = (linear(part, tokens) for part in (layer.to_q, layer.to_k, layer.to_v))
        return linear(layer.get_submodule("to_out.0"), attend(query, key, value, query.shape[-1] // self.head_width))

    def cross_attention(self, layer: nn.Module, tokens: Tensor) -> Tensor:
        """Text, repeated for every frame, and image; keys and values anew each time."""
        query = linear(layer.to_q, tokens)
        heads = query.shape[-1] // self.head_width
        seen = attend(query, linear(layer.to_k, self.text), linear(layer.to_v, self.text), heads)
        seen = seen + attend(query, linear(layer.to_k_ip, self.image), linear(layer.to_v_ip, self.image), heads)
        return linear(layer.get_submodule("to_out.0"), seen)

    def feed_forward(self, block: nn.Module, tokens: Tensor) -> Tensor:
        value, gate = linear(block.get_submodule("ff.net.0.proj"), layer_norm(block.norm3, tokens)).chunk(2, dim=-1)
        return linear(block.get_submodule("ff.net.2"), value * F.gelu(gate))


class OriginalVideoDecoder:
    """Computes what VideoVAE.decode computes: all frames at once."""

    def __init__(self, vae: VideoVAE):
        self.vae = vae
        self.groups = vae.config.norm_groups

    def __call__(self, latents: Tensor, references: list[Tensor]) -> Tensor:
        """Frames (b, 3, t, H, W); arguments as VideoVAE.decode."""
        decoder, self.frames = self.vae.decoder, latents.shape[2]
        x = convolution(decoder.conv_in, as_frames(latents / SCALING_FACTOR))
        x = self.video_block(decoder.mid.block_1, x)
        x = self.pixel_attention(decoder.mid.attn_1, x)
        x = self.video_block(decoder.mid.block_2, x)
        combiners = list(decoder.attn_refinement)
        for level in reversed(range(len(decoder.up))):
            for block in decoder.up[level].block:
                x = self.video_block(block, x)
            x = self.combine(combiners[level], x, references[level])
            if hasattr(decoder.up[level].upsample, "conv"):
                x = convolution(decoder.up[level].upsample.conv, F.interpolate(x, scale_factor=2, mode="nearest"))
        x = self.combine(combiners[-1], self.swish(self.norm(decoder.norm_out, x)), references[-1])
        frames = as_video(convolution(decoder.conv_out, x), self.frames)
        return temporal_convolution(decoder.conv_out.time_mix_conv, frames)

    def norm(self, norm: nn.Module, x: Tensor, eps: float = 1e-6) -> Tensor:
        return group_norm(norm, x, self.groups, eps)

    def swish(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)

    def video_block(self, block: nn.Module, x: Tensor) -> Tensor:
        hidden = convolution(block.conv1, self.swish(self.norm(block.norm1, x)))
        hidden = convolution(block.conv2, self.swish(self.norm(block.norm2, hidden)))
        shortcut = block.nin_shortcut
        still = as_video((convolution(shortcut, x) if hasattr(shortcut, "weight") else x) + hidden, self.frames)
        part = block.time_stack.get_submodule
        moved = temporal_convolution(part("in_layers.2"), F.silu(self.norm(part("in_layers.0"), still, 1e-5)))
        moved = moved + torch.zeros_like(moved)  # the embedding that this network does without
        moved = temporal_convolution(part("out_layers.3"), F.silu(self.norm(part("out_layers.0"), moved, 1e-5)))
        share = block.mix_factor.sigmoid().to(still)
        return as_frames(share * (still + moved) + (1 - share) * still)

    def pixel_attention(self, layer: nn.Module, x: Tensor) -> Tensor:
        normed = self.norm(layer.norm, x)
        query, key, value = (convolution(p, normed).flatten(2).transpose(1, 2) for p in (layer.q, layer.k, layer.v))
        seen = attend(query, key, value, 1).transpose(1, 2).contiguous().reshape(x.shape)
        return x + convolution(layer.proj_out, seen)

    def combine(self, combiner: nn.Module, x: Tensor, references: Tensor) -> Tensor:
        """Adds both reference frames to the ends, or lets every frame look at copies of them of its own."""
        if hasattr(combiner, "conv"):
            video = x.unflatten(0, (-1, self.frames)).clone()
            ends = convolution(combiner.conv, references.flatten(0, 1)).unflatten(0, (-1, 2))
            video[:, 0] += ends[:, 0]
            video[:, -1] += ends[:, 1]
            return video.flatten(0, 1)
        tokens = self.norm(combiner.norm, x).flatten(2).transpose(1, 2).contiguous()
        context = references.permute(0, 1, 3, 4, 2).flatten(1, 3).repeat_interleave(self.frames, dim=0)
        key, value = linear(combiner.to_k, context), linear(combiner.to_v, context)
        seen = attend(linear(combiner.to_q, tokens), key, value, COMBINER_HEADS)
        seen = linear(combiner.get_submodule("to_out.0"), seen)
        return x + seen.transpose(1, 2).contiguous().reshape(x.shape)
