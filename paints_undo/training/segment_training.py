"""The mini family's multi-frame networks: sizes, one joint loss, and training."""

from __future__ import annotations

from dataclasses import field, replace
from typing import Annotated

import torch
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from transformers import CLIPTokenizer, CLIPVisionConfig

from paints_undo.diffusion.denoisers import SegmentDenoiser
from paints_undo.models.image_encoder import ImageEncoder
from paints_undo.models.image_projection import ImageProjection, ImageProjectionConfig
from paints_undo.models.video_unet import VideoUNet
from paints_undo.models.video_unet_blocks import SpatialTransformer, TemporalConvolution
from paints_undo.models.video_unet_config import VideoUNetConfig
from paints_undo.models.video_vae import VideoVAE
from paints_undo.options import SegmentOptions
from paints_undo.stages.segments import NEGATIVE_PROMPT, keyframe_hint
from paints_undo.training.dataset import Pictures
from paints_undo.training.keyframe_training import new_text_encoder, prompt_ids
from paints_undo.training.loop import Training
from paints_undo.training.segment_clips import VIDEO_LENGTH, ClipBuffer, Clips
from paints_undo.training.settings import CHECKED, Count, Counts, Settings, Share

PROMPT = SegmentOptions().prompt
FRAME_STRIDE = SegmentOptions().frame_stride
HEADS = 4  # of the text encoder, the vision encoder and the projection
SEGMENT_HINT = "cross_fade"
SEGMENT_DEFAULTS = {"sampling_steps": 1, "guidance_scale": 1.0}
"""How segments of this family are made: what it predicts from pure noise is its best; further steps add grain."""


@dataclass(frozen=True, config=CHECKED)
class SegmentSizes:
    """Sizes of the networks; the vision encoder sees pictures of `picture` pixels in pieces of `patch`."""

    channels: Count = 32
    multipliers: Counts = (1, 2, 3)
    attention_at: tuple[int, ...] = (4, 2)
    head_width: Count = 8
    norm_groups: Count = 8
    context: Count = 64
    image_tokens: Count = 4
    vision_width: Count = 96
    vision_layers: Count = 2
    picture: Count = 128
    patch: Count = 16
    vocabulary: Count = 1024  # of no effect: the tokenizer has its own; config files of earlier runs name it

    def __post_init__(self) -> None:
        if self.channels % self.norm_groups or self.channels % self.head_width:
            raise ValueError(
                f"channels {self.channels} must be a multiple of norm_groups {self.norm_groups} and of head_width "
                f"{self.head_width}"
            )
        if self.context % HEADS or self.vision_width % HEADS:
            raise ValueError(f"context {self.context} and vision_width {self.vision_width} must be in {HEADS} heads")
        if self.picture % self.patch:
            raise ValueError(f"picture {self.picture} must be a multiple of patch {self.patch}")


@dataclass(frozen=True, config=CHECKED)
class SegmentTrainingOptions(Settings):
    """Batches of the training: a few frames of each clip for the first `sparse_share` of the time, then all 16.

    Few frames cost less, and soon show roughly what to draw; but what is learnt from them has to be learnt again when
    their neighbours come, and the family that is shipped got its best figures from clips that were whole throughout.

    Each drawn clip serves about `batch / fresh` times. `dropped` of the clips lose their text, `dropped` their
    pictures' features, so that guidance has something to guide away from.
    """

    sparse_frames: Annotated[int, Field(ge=3, le=VIDEO_LENGTH)] = 6
    sparse_share: Share = 0.0
    sparse_batch: Count = 3
    batch: Count = 1
    fresh_share: Share = 0.34
    buffer: Count = 128
    dropped: Share = 0.05
    sizes: SegmentSizes = field(default_factory=SegmentSizes)

    def for_size(self, size: int) -> SegmentTrainingOptions:
        """The same for pictures of `size` pixels, of which the vision encoder sees as many patches."""
        patch = max(1, self.sizes.patch * size // self.sizes.picture)
        seen = self.sizes.picture // self.sizes.patch * patch
        return replace(self, sizes=replace(self.sizes, picture=seen, patch=patch))

    def with_batch(self, count: int) -> SegmentTrainingOptions:
        """The same with `count` whole clips in an update, or as many more sparse ones."""
        larger = count / self.batch
        return replace(
            self,
            batch=count,
            sparse_batch=max(1, round(self.sparse_batch * larger)),
            buffer=max(count, round(self.buffer * larger)),
        )


class SegmentNetworks(nn.Module):
    """All networks that learn together; names as the parts of the family."""

    def __init__(self, sizes: SegmentSizes, tokenizer: CLIPTokenizer):
        super().__init__()
        self.text_encoder = new_text_encoder(tokenizer, sizes.context, 1, HEADS, "gelu")
        self.image_encoder = ImageEncoder(
            CLIPVisionConfig(
                hidden_size=sizes.vision_width,
                intermediate_size=3 * sizes.vision_width,
                num_hidden_layers=sizes.vision_layers,
                num_attention_heads=HEADS,
                image_size=sizes.picture,
                patch_size=sizes.patch,
                projection_dim=sizes.context,
                hidden_act="gelu",
            )
        )
        self.image_projection = ImageProjection(
            ImageProjectionConfig(
                dim=sizes.vision_width,
                depth=2,
                dim_head=24,
                heads=HEADS,
                num_queries=sizes.image_tokens,
                embedding_dim=sizes.vision_width,
                output_dim=sizes.context,
                video_length=VIDEO_LENGTH,
            )
        )
        self.unet = VideoUNet(
            VideoUNetConfig(
                model_channels=sizes.channels,
                channel_mult=sizes.multipliers,
                num_res_blocks=1,
                attention_resolutions=sizes.attention_at,
                num_head_channels=sizes.head_width,
                context_dim=sizes.context,
                norm_groups=sizes.norm_groups,
                dropout=0.0,
            )
        )
        start_as_identity(self.unet)

    def forward(self, clips: Clips, tokens: Tensor, noisy: Tensor, timesteps: Tensor, stride: Tensor) -> Tensor:
        """The predicted v (n, 4, frames, h, w) of noisy latents, told the clips' first and last frame only."""
        text = self.text_encoder(tokens).last_hidden_state
        features = torch.stack([self.image_encoder(clips.first), self.image_encoder(clips.last)], dim=1)
        image = self.image_projection(features)
        image = torch.stack([tokens[some] for tokens, some in zip(image, clips.numbers, strict=True)])
        hint = keyframe_hint(clips.latents[:, :, 0], clips.latents[:, :, -1], VIDEO_LENGTH, SEGMENT_HINT)
        hint = torch.stack([frames[:, some] for frames, some in zip(hint, clips.numbers, strict=True)])
        return self.unet(noisy, timesteps, text, image, hint, stride)


def start_as_identity(unet: VideoUNet) -> None:
    """Let residual branches and the output begin at zero, which trains faster; the first temporal attention stays.

    It alone brings the keyframes' details to the frames between them.
    """
    silent: list[nn.Module] = [unet.out[-1]]
    for block in unet.modules():
        if isinstance(block, TemporalConvolution):
            silent.append(block.conv4[-1])
        if isinstance(block, SpatialTransformer):
            silent.append(block.proj_out)
    for layer in silent:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)


def new_networks(sizes: SegmentSizes, tokenizer: CLIPTokenizer, seed: int = 0) -> SegmentNetworks:
    """Untrained networks whose vocabulary is the tokenizer's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SegmentNetworks(sizes, tokenizer)


def draw_timesteps(count: int, generator: torch.Generator) -> Tensor:
    """Timesteps (count,) 0..999: the last one, pure noise, mostly, and any other as often as the next.

    A sampler of few steps lives on what is predicted from pure noise: there a network this small draws the clip's mean,
    without any grain, and the process between two keyframes is so canonical that the mean is nearly all there is.
    """
    timesteps = torch.randint(0, 1000, (count,), generator=generator)
    return torch.where(torch.rand(count, generator=generator) < 0.85, 999, timesteps)


def draw_strides(count: int, generator: torch.Generator) -> Tensor:
    """The app's frame stride, and any other now and then, so that those change nothing."""
    others = torch.randint(1, 61, (count,), generator=generator)
    return torch.where(torch.rand(count, generator=generator) < 0.7, FRAME_STRIDE, others)


def segments_loss(
    networks: SegmentNetworks, clips: Clips, tokens: Tensor, dropped: float, generator: torch.Generator
) -> Tensor:
    """The scalar loss of one batch: SegmentDenoiser's, with `dropped` of the clips' pictures turned to grey.

    tokens (n, 77) of the prompts. Grey is what the app guides away from.
    """
    device = clips.latents.device
    kept = (torch.rand(len(clips), 1, 1, 1, generator=generator) >= dropped).float().to(device)
    clips = Clips(clips.latents, clips.first * kept, clips.last * kept, clips.numbers, clips.pictures)
    noise = torch.randn(clips.latents.shape, generator=generator).to(device)
    timesteps, strides = draw_timesteps(len(clips), generator), draw_strides(len(clips), generator)

    def predict(noisy: Tensor, timesteps: Tensor) -> Tensor:
        return networks(clips, tokens.to(device), noisy, timesteps.to(device), strides.to(device))

    return SegmentDenoiser().loss(predict, clips.latents, noise, timesteps).mean()


def prompt_tokens(data: Pictures, tokenizer: CLIPTokenizer) -> Tensor:
    """Token numbers (2 + pictures, 77): no prompt, the app's, and each picture's tags."""
    prompts = [NEGATIVE_PROMPT, PROMPT, *(", ".join(tags) for tags in data.tags)]
    return prompt_ids(tokenizer, prompts)


def draw_prompts(pictures: Tensor, dropped: float, generator: torch.Generator) -> Tensor:
    """Rows of `prompt_tokens` for the pictures (n,): mostly the app's prompt, their tags now and then, or none."""
    chance = torch.rand(len(pictures), generator=generator)
    rows = torch.where(chance < 0.7, 1, pictures + 2)
    return torch.where(chance >= 1 - dropped, 0, rows)


def train_segments(
    training: Training[SegmentTrainingOptions], vae: VideoVAE, tokenizer: CLIPTokenizer
) -> SegmentNetworks:
    """The trained networks, averaged."""
    options = training.options
    vae = vae.eval().requires_grad_(False).to(training.device)
    tokens, buffer = prompt_tokens(training.data, tokenizer), ClipBuffer(training.pictures, vae, options.buffer)

    def loss_of(networks: SegmentNetworks, generator: torch.Generator, progress: float) -> Tensor:
        sparse = progress < options.sparse_share
        count = options.sparse_batch if sparse else options.batch
        frames = options.sparse_frames if sparse else VIDEO_LENGTH
        fresh = int(torch.rand((), generator=generator) + count * options.fresh_share)
        clips = buffer.batch(count, frames, fresh, generator)
        prompts = tokens[draw_prompts(clips.pictures, options.dropped, generator)]
        return segments_loss(networks, clips, prompts, options.dropped, generator)

    return training.fit(new_networks(options.sizes, tokenizer, training.loop.seed), loss_of)
