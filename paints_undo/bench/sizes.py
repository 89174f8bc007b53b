"""The sizes of the networks that `bench` fills with random weights: the published ones, and a set for CPUs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from paints_undo.models.image_projection import ImageProjectionConfig
from paints_undo.models.video_unet_config import VideoUNetConfig
from paints_undo.models.video_vae_config import VideoVAEConfig


@dataclass(frozen=True)
class FamilySizes:
    """A model family without weights: each part's config.json and what model_family.json says.

    What a config.json leaves out is the libraries' own default, and the published value.
    """

    configs: dict[str, dict[str, Any]]
    described: dict[str, Any]


def text_encoder(width: int, layers: int, heads: int, activation: str) -> dict[str, Any]:
    return {
        "model_type": "clip_text_model",
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "projection_dim": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_act": activation,
    }


def picture_vae(widths: tuple[int, ...], layers: int) -> dict[str, Any]:
    return {
        "_class_name": "AutoencoderKL",
        "block_out_channels": list(widths),
        "down_block_types": ["DownEncoderBlock2D"] * len(widths),
        "up_block_types": ["UpDecoderBlock2D"] * len(widths),
        "layers_per_block": layers,
    }


def keyframe_unet(widths: tuple[int, ...], layers: int, text_width: int) -> dict[str, Any]:
    """Stable Diffusion 1.5's arrangement: attention everywhere but at the lowest resolution."""
    attending = len(widths) - 1
    return {
        "_class_name": "KeyframeUNet",
        "block_out_channels": list(widths),
        "down_block_types": ["CrossAttnDownBlock2D"] * attending + ["DownBlock2D"],
        "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * attending,
        "layers_per_block": layers,
        "cross_attention_dim": text_width,
    }


def image_encoder(width: int, layers: int, heads: int, projection: int) -> dict[str, Any]:
    return {
        "model_type": "clip_vision_model",
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "projection_dim": projection,
        "patch_size": 14,
        "hidden_act": "gelu",
    }


FULL = FamilySizes(
    configs={
        "single_frame/text_encoder": text_encoder(768, 11, 12, "quick_gelu"),
        "single_frame/vae": picture_vae((128, 256, 512, 512), 2),
        "single_frame/unet": keyframe_unet((320, 640, 1280, 1280), 2, 768),
        "multi_frame/text_encoder": text_encoder(1024, 23, 16, "gelu"),
        "multi_frame/image_encoder": image_encoder(1280, 32, 16, 1024),
        "multi_frame/image_projection": asdict(ImageProjectionConfig()),  # whose defaults are the published sizes
        "multi_frame/vae": asdict(VideoVAEConfig()),
        "multi_frame/unet": asdict(VideoUNetConfig()),
    },
    described={"name": "full"},
)
"""The published family: 3.6 billion weights, the original app's pictures and numbers of steps."""

SMALL = FamilySizes(
    configs={
        "single_frame/text_encoder": text_encoder(192, 4, 4, "quick_gelu"),
        "single_frame/vae": picture_vae((32, 64, 128, 128), 2),
        "single_frame/unet": keyframe_unet((64, 128, 256, 256), 2, 192),
        "multi_frame/text_encoder": text_encoder(256, 6, 4, "gelu"),
        "multi_frame/image_encoder": image_encoder(320, 8, 8, 256),
        "multi_frame/image_projection": asdict(
            ImageProjectionConfig(dim=256, heads=4, embedding_dim=320, output_dim=256)
        ),
        "multi_frame/vae": asdict(VideoVAEConfig(ch=32)),
        "multi_frame/unet": asdict(VideoUNetConfig(model_channels=64, num_head_channels=32, context_dim=256)),
    },
    described={
        "name": "small",
        "keyframe_size": {"width": 256, "height": 320},
        "video_sizes": [[192, 256], [256, 192]],
        "keyframe_defaults": {"operation_steps": [400, 800], "sampling_steps": 4},
        "segment_defaults": {"sampling_steps": 4},
    },
)
"""The same arrangement at a fifth of the width and half the picture, in three pairs and few steps: minutes on a CPU."""

SIZES = {"full": FULL, "small": SMALL}
