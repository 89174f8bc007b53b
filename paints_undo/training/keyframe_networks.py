"""The networks of stage 1 as training needs them: built to size, run together, written as a model family has them."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from paints_undo.atomic import write_atomically
from paints_undo.family.model_family import CONFIG_FILE, PARTS, TOKENIZER_FILES, ModelFamily
from paints_undo.family.weights import load_part
from paints_undo.models.keyframe_unet import KeyframeUNet
from paints_undo.training.tokenizer import PROMPT_LENGTH

READABLE = 0o644  # safetensors writes files that their owner alone can read


@dataclass(frozen=True)
class KeyframeSizes:
    """`widths` channels at 1, 1/2, ... of the latents' size, with `heads` attention heads each; 0 heads, no attention.

    `text_width` is the width of the text encoder and `text_layers` its depth.
    """

    widths: tuple[int, ...] = (48, 96, 144)
    heads: tuple[int, ...] = (0, 2, 3)
    layers_per_block: int = 1
    norm_groups: int = 16
    text_width: int = 128
    text_layers: int = 2
    text_heads: int = 4

    def __post_init__(self) -> None:
        others = (self.layers_per_block, self.norm_groups, self.text_layers, self.text_heads)
        if min(*self.widths, *others) < 1 or self.text_width < 1 or self.text_width % self.text_heads:
            raise ValueError(
                "widths, layers_per_block, norm_groups, text_layers and text_heads must be at least 1, and text_width "
                f"a multiple of text_heads; got {self}"
            )
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
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=sizes.text_width,
                intermediate_size=2 * sizes.text_width,
                num_hidden_layers=sizes.text_layers,
                num_attention_heads=sizes.text_heads,
                max_position_embeddings=PROMPT_LENGTH,
                projection_dim=sizes.text_width,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
    for name, module in unet.named_modules():
        if name.endswith(("conv2", "proj_out", "conv_out")):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    return KeyframeNetworks(unet, text_encoder)


def networks_of(family: ModelFamily) -> KeyframeNetworks:
    """The networks of a model family, in full precision."""
    parts = (load_part(family, f"single_frame/{name}", torch.float32) for name in ("unet", "text_encoder"))
    return KeyframeNetworks(*parts)


def write_single_frame(folder: Path, networks: KeyframeNetworks, vae: AutoencoderKL, tokenizer: Path) -> None:
    """Write the four parts of a model family's `single_frame` folder, weights in half precision."""
    folder = Path(folder)
    (folder / "tokenizer").mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        write_atomically(folder / "tokenizer" / name, (tokenizer / name).read_bytes())
    for name, network in (("unet", networks.unet), ("vae", vae)):
        copy.deepcopy(network).half().cpu().save_pretrained(folder / name)
        config = json.loads((folder / name / CONFIG_FILE).read_text(encoding="utf-8"))
        config.pop("_name_or_path", None)  # a folder of this machine
        write_atomically(folder / name / CONFIG_FILE, (json.dumps(config, indent=2) + "\n").encode())
        (folder / name / PARTS[f"single_frame/{name}"].weights).chmod(READABLE)
    write_text_encoder(folder / "text_encoder", networks.text_encoder)


def write_text_encoder(folder: Path, text_encoder: CLIPTextModel) -> None:
    """Write one text encoder under the key names of the published files, in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {f"text_model.{key}": value.half().contiguous() for key, value in text_encoder.state_dict().items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (folder / "model.safetensors").chmod(READABLE)
    config = {**text_encoder.config.to_diff_dict(), "architectures": ["CLIPTextModel"]}
    write_atomically(folder / CONFIG_FILE, (json.dumps(config, indent=2) + "\n").encode())


def update_family_file(file: Path, values: dict) -> None:
    """Set these fields of model_family.json and leave all others as they are."""
    described = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    described.update(values)
    write_atomically(file, (json.dumps(described, indent=2) + "\n").encode())


def prompt_ids(tokenizer: CLIPTokenizer, prompts: Sequence[str]) -> Tensor:
    """Token numbers (n, 77) of plain prompts, as :func:`paints_undo.stages.prompts.token_ids` makes them one by one."""
    encoded = tokenizer(list(prompts), padding="max_length", truncation=True, max_length=PROMPT_LENGTH)
    return torch.tensor(encoded.input_ids)
