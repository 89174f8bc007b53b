"""The networks of stage 1 as training needs them: built to size, run together, and those of a family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from paints_undo.family.model_family import ModelFamily
from paints_undo.family.weights import load_part
from paints_undo.models.keyframe_unet import KeyframeUNet
from paints_undo.stages.prompts import token_ids
from paints_undo.training.settings import Checked, within
from paints_undo.training.tokenizer import PROMPT_LENGTH


@dataclass(frozen=True)
class KeyframeSizes(Checked):
    """`widths` channels at 1, 1/2, ... of the latents' size, with `heads` attention heads each; 0 heads, no attention.

    `text_width` is the width of the text encoder and `text_layers` its depth.
    """

    widths: tuple[int, ...] = within((48, 96, 144), 1)
    heads: tuple[int, ...] = within((0, 2, 3), 0)
    layers_per_block: int = within(1, 1)
    norm_groups: int = within(16, 1)
    text_width: int = within(128, 1)
    text_layers: int = within(2, 1)
    text_heads: int = within(4, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.text_width % self.text_heads:
            raise ValueError(f"text_width {self.text_width} must be a multiple of text_heads {self.text_heads}")
        if len(self.widths) != len(self.heads):
            raise ValueError(f"widths {self.widths} and heads {self.heads} must be equally many")
        for width, heads in zip(self.widths, self.heads, strict=True):
            if width % self.norm_groups or (heads and width % heads):
                raise ValueError(
                    f"width {width} must be a multiple of norm_groups {self.norm_groups} and of its {heads} heads"
                )
        if not self.heads[-1]:
            raise ValueError("the last level needs heads above 0: the middle block always attends")


class KeyframeNetworks(nn.Module):
    """UNet and text encoder, trained together."""

    def __init__(self, unet: KeyframeUNet, text_encoder: CLIPTextModel):
        super().__init__()
        self.unet = unet
        self.text_encoder = text_encoder

    def forward(
        self, x: Tensor, timesteps: Tensor, token_ids: Tensor, artwork_latents: Tensor, operation_steps: Tensor
    ) -> Tensor:
        """The UNet's prediction (n, 4, h, w), conditioned on prompts given as token numbers (n, 77)."""
        text = self.text_encoder(token_ids).last_hidden_state
        return self.unet(x, timesteps, text, artwork_latents, operation_steps)


def new_text_encoder(
    tokenizer: CLIPTokenizer, width: int, layers: int, heads: int, activation: str = "quick_gelu"
) -> CLIPTextModel:
    """An untrained text encoder whose vocabulary is the tokenizer's."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=2 * width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=PROMPT_LENGTH,
            projection_dim=width,
            hidden_act=activation,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def new_networks(sizes: KeyframeSizes, tokenizer: CLIPTokenizer, seed: int = 0) -> KeyframeNetworks:
    """Untrained networks in which every residual branch of the UNet begins as nothing, so that all learn at once."""
    attends = ["CrossAttn" if heads else "" for heads in sizes.heads]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet = KeyframeUNet(
            sample_size=32,
            in_channels=4,
            out_channels=4,
            down_block_types=tuple(f"{kind}DownBlock2D" for kind in attends),
            up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(attends)),
            block_out_channels=sizes.widths,
            layers_per_block=sizes.layers_per_block,
            cross_attention_dim=sizes.text_width,
            attention_head_dim=tuple(max(1, heads) for heads in sizes.heads),  # diffusers' name for how many
            norm_num_groups=sizes.norm_groups,
            use_linear_projection=True,
        )
        text_encoder = new_text_encoder(tokenizer, sizes.text_width, sizes.text_layers, sizes.text_heads)
    for name, module in unet.named_modules():
        if name.endswith(("conv2", "proj_out", "conv_out")):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    return KeyframeNetworks(unet, text_encoder)


def networks_of(family: ModelFamily) -> KeyframeNetworks:
    """The networks of a model family, in full precision."""
    parts = (load_part(family, f"single_frame/{name}", torch.float32) for name in ("unet", "text_encoder"))
    return KeyframeNetworks(*parts)


def prompt_ids(tokenizer: CLIPTokenizer, prompts: Sequence[str]) -> Tensor:
    """Token numbers (n, 77) of prompts, as the app reads them."""
    return torch.cat([token_ids(tokenizer, prompt) for prompt in prompts])
