"""The mini family's multi-frame networks: sizes, one joint loss, training, and the family's folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer, CLIPVisionConfig

from paints_undo.atomic import write_atomically, written_atomically
from paints_undo.diffusion.denoisers import SegmentDenoiser
from paints_undo.family.model_family import CONFIG_FILE, PARTS, TOKENIZER_FILES
from paints_undo.models.attention import attention_backend
from paints_undo.models.image_encoder import ImageEncoder
from paints_undo.models.image_projection import ImageProjection, ImageProjectionConfig
from paints_undo.models.video_unet import VideoUNet
from paints_undo.models.video_unet_blocks import SpatialTransformer, TemporalConvolution
from paints_undo.models.video_unet_config import VideoUNetConfig
from paints_undo.models.video_vae import VideoVAE
from paints_undo.options import SegmentOptions
from paints_undo.stages.prompts import token_ids
from paints_undo.stages.segments import NEGATIVE_PROMPT, keyframe_hint
from paints_undo.training.dataset import Pictures
from paints_undo.training.loop import LoopOptions, Trainer
from paints_undo.training.processes import ALONE, Processes
from paints_undo.training.segment_clips import VIDEO_LENGTH, ClipBuffer, Clips

log = logging.getLogger(__name__)

PROMPT = SegmentOptions().prompt
FRAME_STRIDE = SegmentOptions().frame_stride
SEGMENT_HINT = "cross_fade"
SEGMENT_DEFAULTS = {"sampling_steps": 1, "guidance_scale": 1.0}
"""How segments of this family are made: what it predicts from pure noise is its best; further steps add grain."""


@dataclass(frozen=True)
class SegmentSizes:
    """Sizes of the networks; the vision encoder sees pictures of `picture` pixels in pieces of `patch`."""

    channels: int = 32
    multipliers: tuple[int, ...] = (1, 2, 3)
    attention_at: tuple[int, ...] = (4, 2)
    head_width: int = 8
    norm_groups: int = 8
    context: int = 64
    image_tokens: int = 4
    vision_width: int = 96
    vision_layers: int = 2
    picture: int = 128
    patch: int = 16
    vocabulary: int = 1024

    def __post_init__(self) -> None:
        if any(value < 1 for value in vars(self).values() if isinstance(value, int)) or min(self.multipliers) < 1:
            raise ValueError(f"all sizes must be at least 1, got {self}")
        if self.channels % self.norm_groups or self.channels % self.head_width:
            raise ValueError(
                f"channels {self.channels} must be a multiple of norm_groups {self.norm_groups} and of head_width "
                f"{self.head_width}"
            )
        if self.context % 4 or self.vision_width % 4:
            raise ValueError(
                f"context {self.context} and vision_width {self.vision_width} must be multiples of 4 heads"
            )
        if self.picture % self.patch:
            raise ValueError(f"picture {self.picture} must be a multiple of patch {self.patch}")

    def unet(self) -> VideoUNetConfig:
        return VideoUNetConfig(
            model_channels=self.channels,
            channel_mult=self.multipliers,
            num_res_blocks=1,
            attention_resolutions=self.attention_at,
            num_head_channels=self.head_width,
            context_dim=self.context,
            norm_groups=self.norm_groups,
            dropout=0.0,
        )

    def projection(self) -> ImageProjectionConfig:
        return ImageProjectionConfig(
            dim=self.vision_width,
            depth=2,
            dim_head=24,
            heads=4,
            num_queries=self.image_tokens,
            embedding_dim=self.vision_width,
            output_dim=self.context,
            video_length=VIDEO_LENGTH,
        )

    def vision(self) -> dict[str, Any]:
        return {
            "hidden_size": self.vision_width,
            "intermediate_size": 3 * self.vision_width,
            "num_hidden_layers": self.vision_layers,
            "num_attention_heads": 4,
            "image_size": self.picture,
            "patch_size": self.patch,
            "projection_dim": self.context,
            "hidden_act": "gelu",
            "model_type": "clip_vision_model",
        }

    def text(self, start: int, end: int) -> dict[str, Any]:
        return {
            "hidden_size": self.context,
            "intermediate_size": 2 * self.context,
            "num_hidden_layers": 1,
            "num_attention_heads": 4,
            "max_position_embeddings": 77,
            "projection_dim": self.context,
            "vocab_size": self.vocabulary,
            "bos_token_id": start,
            "eos_token_id": end,
            "pad_token_id": end,
            "hidden_act": "gelu",
            "model_type": "clip_text_model",
        }


@dataclass(frozen=True)
class SegmentTrainingOptions:
    """Batches of the training: a few frames of each clip for the first `sparse_share` of the time, then all 16.

    Few frames cost less, and soon show roughly what to draw; but what is learnt from them has to be learnt again when
    their neighbours come, and the family that is shipped got its best figures from clips that were whole throughout.

    Each drawn clip serves about `batch / fresh` times. `dropped` of the clips lose their text, `dropped` their
    pictures' features, so that guidance has something to guide away from.
    """

    sparse_frames: int = 6
    sparse_share: float = 0.0
    sparse_batch: int = 3
    batch: int = 1
    fresh_share: float = 0.34
    buffer: int = 128
    dropped: float = 0.05
    sizes: SegmentSizes = field(default_factory=SegmentSizes)

    def __post_init__(self) -> None:
        if not 3 <= self.sparse_frames <= VIDEO_LENGTH:
            raise ValueError(f"sparse_frames must lie in 3 to {VIDEO_LENGTH}, got {self.sparse_frames}")
        for name in ("sparse_share", "fresh_share", "dropped"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must lie in 0 to 1, got {getattr(self, name)}")
        if min(self.batch, self.sparse_batch, self.buffer) < 1:
            raise ValueError(
                f"batch {self.batch}, sparse_batch {self.sparse_batch} and buffer {self.buffer} must be 1 up"
            )

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

    def __init__(self, sizes: SegmentSizes, start: int, end: int):
        super().__init__()
        self.text_encoder = CLIPTextModel(CLIPTextConfig(**sizes.text(start, end)))
        self.image_encoder = ImageEncoder(CLIPVisionConfig(**sizes.vision()))
        self.image_projection = ImageProjection(sizes.projection())
        self.unet = VideoUNet(sizes.unet())
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
    sizes = SegmentSizes(**{**asdict(sizes), "vocabulary": len(tokenizer)})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SegmentNetworks(sizes, tokenizer.bos_token_id, tokenizer.eos_token_id)


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

    with attention_backend("plain" if device.type == "cpu" else "sdpa"):
        return SegmentDenoiser().loss(predict, clips.latents, noise, timesteps).mean()


def prompt_tokens(data: Pictures, tokenizer: CLIPTokenizer) -> Tensor:
    """Token numbers (2 + pictures, 77): no prompt, the app's, and each picture's tags."""
    prompts = [NEGATIVE_PROMPT, PROMPT, *(", ".join(tags) for tags in data.tags)]
    return torch.cat([token_ids(tokenizer, prompt) for prompt in prompts])


def draw_prompts(pictures: Tensor, dropped: float, generator: torch.Generator) -> Tensor:
    """Rows of `prompt_tokens` for the pictures (n,): mostly the app's prompt, their tags now and then, or none."""
    chance = torch.rand(len(pictures), generator=generator)
    rows = torch.where(chance < 0.7, 1, pictures + 2)
    return torch.where(chance >= 1 - dropped, 0, rows)


def train_segments(
    data: Pictures,
    vae: VideoVAE,
    tokenizer: CLIPTokenizer,
    folder: Path,
    options: SegmentTrainingOptions,
    loop: LoopOptions,
    look: Callable[[Trainer], None] = lambda trainer: None,
    processes: Processes = ALONE,
) -> SegmentNetworks:
    """The trained networks, averaged; a run in the same `folder` goes on. `look` runs at every checkpoint."""
    vae = vae.eval().requires_grad_(False).to(processes.device)
    tokens, buffer = prompt_tokens(data, tokenizer), ClipBuffer(data.on(processes.device), vae, options.buffer)

    def loss_of(networks: SegmentNetworks, generator: torch.Generator, progress: float) -> Tensor:
        sparse = progress < options.sparse_share
        count = options.sparse_batch if sparse else options.batch
        frames = options.sparse_frames if sparse else VIDEO_LENGTH
        fresh = int(torch.rand((), generator=generator) + count * options.fresh_share)
        clips = buffer.batch(count, frames, fresh, generator)
        prompts = tokens[draw_prompts(clips.pictures, options.dropped, generator)]
        return segments_loss(networks, clips, prompts, options.dropped, generator)

    networks = new_networks(options.sizes, tokenizer, loop.seed)
    log.info("%.2f M parameters, %s", sum(p.numel() for p in networks.parameters()) / 1e6, options)
    return Trainer(networks, folder, loop, processes).fit(loss_of, look)


def save_multi_frame(
    folder: Path, networks: SegmentNetworks, vae: VideoVAE, tokenizer: CLIPTokenizer, dtype: torch.dtype = torch.float16
) -> None:
    """Write a family's multi_frame folder: every network's config.json and weights, and the tokenizer.

    The tokenizer's files are copied from the folder that it was read from.

    Raises OSError, one sentence, when the disk does not take them.
    """
    described = {
        "text_encoder": (networks.text_encoder, networks.text_encoder.config.to_diff_dict()),
        "image_encoder": (networks.image_encoder, networks.image_encoder.config.to_diff_dict()),
        "image_projection": (networks.image_projection, asdict(networks.image_projection.config)),
        "unet": (networks.unet, asdict(networks.unet.config)),
        "vae": (vae, asdict(vae.config)),
    }
    for name, (network, config) in described.items():
        part, target = PARTS[f"multi_frame/{name}"], Path(folder) / name
        target.mkdir(parents=True, exist_ok=True)
        weights = {
            part.prefix + key: value.to("cpu", dtype).contiguous() for key, value in network.state_dict().items()
        }
        with written_atomically(target / part.weights) as path:
            save_file(weights, path, {"format": "pt"})
        write_atomically(target / CONFIG_FILE, (json.dumps(config, indent=2, default=str) + "\n").encode())
    (Path(folder) / "tokenizer").mkdir(exist_ok=True)
    for name in TOKENIZER_FILES:
        write_atomically(Path(folder) / "tokenizer" / name, (Path(tokenizer.name_or_path) / name).read_bytes())
