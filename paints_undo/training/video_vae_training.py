"""The video VAE of the mini family: the picture VAE's weights, and a decoder that learns to look at both keyframes."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import torch
from diffusers import AutoencoderKL
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn

from paints_undo.models.video_vae import (
    SCALING_FACTOR,
    AttentionCombiner,
    ConvolutionCombiner,
    VideoBlock,
    VideoVAE,
    VideoVAEConfig,
)
from paints_undo.training.dataset import Pictures
from paints_undo.training.loop import Training
from paints_undo.training.picture_vae import LARGE, draw_crops, importance, reconstruction_loss
from paints_undo.training.segment_clips import VIDEO_LENGTH, draw_ends, draw_frames
from paints_undo.training.settings import CHECKED, Count, Settings, Share

# diffusers' names of what latent diffusion calls differently
RENAMED = (
    ("group_norm", "norm"),
    ("to_q", "q"),
    ("to_k", "k"),
    ("to_v", "v"),
    ("to_out.0", "proj_out"),
    ("conv_norm_out", "norm_out"),
    ("mid_block.resnets.0", "mid.block_1"),
    ("mid_block.resnets.1", "mid.block_2"),
    ("mid_block.attentions.0", "mid.attn_1"),
    ("conv_shortcut", "nin_shortcut"),
    ("downsamplers.0", "downsample"),
    ("upsamplers.0", "upsample"),
    ("resnets", "block"),
)
GRID = 8  # pixels: every VAE of the recipe has latents of 8 x 8 pixels or a fraction of that; pieces of clips lie on it


@dataclass(frozen=True, config=CHECKED)
class VideoVaeOptions(Settings):
    """How the decoder is trained: on pieces of `crop` pixels, whole pictures for the last `whole_share` of the time.

    `frames` of each clip, evenly chosen, are decoded at once; with 2, the keyframes alone. `latent_noise` (in
    deviations of the latents) makes up for latents that the segments' UNet did not draw quite right.

    Only what gives the first and the last frame their keyframes' details learns, unless `whole_decoder`: batches that
    fit a CPU are too small for the rest, whose colours drift away (from 4 to 8 grey levels of error in 20 minutes).
    """

    COUNTED = "clips"

    frames: Annotated[int, Field(ge=2, le=VIDEO_LENGTH)] = 2
    crop: Annotated[int, Field(ge=16, multiple_of=16)] = 64
    clips: Count = 4
    whole_share: Share = 0.4
    latent_noise: Share = 0.3
    whole_decoder: bool = False

    def for_size(self, size: int) -> VideoVaeOptions:
        """The same for pictures of `size` pixels: as VaeOptions.for_size."""
        return replace(self, crop=2 * self.crop if size >= LARGE else max(16, min(self.crop, size // 16 * 16)))


def video_vae_from(picture_vae: AutoencoderKL, seed: int = 0) -> VideoVAE:
    """A video VAE that encodes as the picture VAE does, and decodes every frame as it does, until it is trained.

    seed: of the weights that the picture VAE does not have.

    Raises ValueError when the picture VAE's scaling factor or its post_quant_conv, which the video VAE never applies,
    stand in the way.
    """
    config = picture_vae.config
    if abs(config.scaling_factor - SCALING_FACTOR) > 1e-6:
        raise ValueError(
            f"the picture VAE's scaling factor is {config.scaling_factor}, but segments need {SCALING_FACTOR}; scale "
            "its latents with with_published_deviation"
        )
    identity = torch.eye(config.latent_channels)
    if not torch.equal(picture_vae.post_quant_conv.weight.cpu().float()[:, :, 0, 0], identity):
        raise ValueError("the picture VAE's post_quant_conv is not the identity; train it with new_vae's")
    sizes = VideoVAEConfig(
        ch=config.block_out_channels[0],
        ch_mult=tuple(width // config.block_out_channels[0] for width in config.block_out_channels),
        num_res_blocks=config.layers_per_block,
        z_channels=config.latent_channels,
        norm_groups=config.norm_num_groups,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = VideoVAE(sizes)
    levels = len(sizes.ch_mult)
    weights = {renamed(key, levels): value for key, value in picture_vae.state_dict().items()}
    shapes = vae.state_dict()
    weights = {key: value.reshape(shapes[key].shape) for key, value in weights.items()}  # 1x1 convolutions from linear
    found = vae.load_state_dict(weights, strict=False)
    if found.unexpected_keys:
        raise ValueError(f"the picture VAE has a {found.unexpected_keys[0]}, for which the video VAE has no place")
    silence_time(vae)
    return vae


def renamed(key: str, levels: int) -> str:
    """The video VAE's name of a picture VAE's tensor; its decoder counts levels from the finest."""
    for theirs, ours in RENAMED:
        key = key.replace(theirs, ours)
    key = key.replace("encoder.down_blocks", "encoder.down")
    for level in range(levels):
        key = key.replace(f"decoder.up_blocks.{level}.", f"decoder.up.{levels - 1 - level}.")
    return key


def silence_time(vae: VideoVAE) -> None:
    """Let every part of the decoder that mixes frames, or looks at the keyframes, add nothing."""
    last = vae.decoder.conv_out.time_mix_conv
    nn.init.zeros_(last.weight)
    nn.init.eye_(last.weight.data[:, :, 1, 0, 0])
    nn.init.zeros_(last.bias)
    for block in vae.decoder.modules():
        if isinstance(block, VideoBlock):
            nn.init.zeros_(block.time_stack.out_layers[-1].weight)
            nn.init.zeros_(block.time_stack.out_layers[-1].bias)
    for combiner in vae.decoder.attn_refinement:
        added = combiner.to_out[0] if isinstance(combiner, AttentionCombiner) else combiner.conv
        nn.init.zeros_(added.weight)
        nn.init.zeros_(added.bias)


def steadiness_loss(drawn: Tensor, wanted: Tensor) -> Tensor:
    """How differently two videos (b, 3, t, H, W) change from frame to frame, painted places counting more."""
    return ((drawn - wanted).diff(dim=2).abs() * importance(wanted)[:, :, 1:]).mean()


def train_video_vae(training: Training[VideoVaeOptions], picture_vae: AutoencoderKL) -> VideoVAE:
    """The video VAE with a trained decoder; the encoder stays the picture VAE's."""
    data, options = training.pictures, training.options
    vae = video_vae_from(picture_vae, training.loop.seed)
    vae.requires_grad_(False)
    ends = [combiner for combiner in vae.decoder.attn_refinement if isinstance(combiner, ConvolutionCombiner)]
    for learning in [vae.decoder] if options.whole_decoder else ends:
        learning.requires_grad_(True)

    def loss_of(vae: VideoVAE, generator: torch.Generator, progress: float) -> Tensor:
        clips = draw_some_frames(data, options, generator)
        if progress > 1 - options.whole_share:
            clips = clips[: max(1, len(clips) // 4)]  # four pieces cost as much as one whole picture
        else:
            clips = draw_crops(clips, options.crop, generator, GRID)
        return decoding_loss(vae, clips, options, generator)

    return training.fit(vae, loss_of)


def draw_some_frames(data: Pictures, options: VideoVaeOptions, generator: torch.Generator) -> Tensor:
    """Clips (n, 3, frames, H, W): evenly chosen frames of segments, so that the two keyframes are the ends."""
    pictures = torch.randint(0, len(data), (options.clips,), generator=generator)
    begin, end = draw_ends(options.clips, generator)
    numbers = torch.linspace(0, VIDEO_LENGTH - 1, options.frames).round().long()
    return draw_frames(data, pictures, begin, end)[:, :, numbers]


def decoding_loss(vae: VideoVAE, clips: Tensor, options: VideoVaeOptions, generator: torch.Generator) -> Tensor:
    """The scalar loss of decoding clips (b, 3, t, H, W) from their latents and their first and last frame."""
    count, frames = len(clips), clips.shape[2]
    with torch.no_grad():
        latents, _ = vae.encode(clips.transpose(1, 2).flatten(0, 1))
        _, states = vae.encode(clips[:, :, [0, -1]].transpose(1, 2).flatten(0, 1))
    noise = torch.randn(latents.shape, generator=generator) * torch.rand(1, generator=generator)
    latents = latents.float() + options.latent_noise * noise.to(latents.device)
    latents = latents.unflatten(0, (count, frames)).transpose(1, 2)
    references = [state.unflatten(0, (count, 2)) for state in states]
    drawn = vae.decode(latents, references).float()
    pictures = reconstruction_loss(drawn.transpose(1, 2).flatten(0, 1), clips.transpose(1, 2).flatten(0, 1))
    return pictures + steadiness_loss(drawn, clips)
