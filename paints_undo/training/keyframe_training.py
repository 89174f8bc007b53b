"""Stage 1: its networks, and their training from artwork, tags and an operation step to the canvas at that step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
from accelerate import PartialState
from diffusers import AutoencoderKL
from pydantic import Field
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from paints_undo.diffusion.denoisers import KeyframeDenoiser, training_noise
from paints_undo.diffusion.samplers import dpm_solver_2m
from paints_undo.diffusion.schedules import karras_sigmas, keyframe_sigmas
from paints_undo.family.model_family import ModelFamily
from paints_undo.family.weights import load_part
from paints_undo.models.keyframe_unet import KeyframeUNet
from paints_undo.stages.prompts import token_ids
from paints_undo.training.dataset import Pictures
from paints_undo.training.latents import LatentPool, encode
from paints_undo.training.loop import Training
from paints_undo.training.settings import CHECKED, Count, Counts, Settings, Share
from paints_undo.training.tagger import common_tags
from paints_undo.training.tokenizer import PROMPT_LENGTH, known_words, write_tokenizer

PREDICTION = "v_prediction"  # learnt faster than the noise by small networks
KEYFRAME_DEFAULTS: dict[str, Any] = {"sampling_steps": 2, "guidance_scale": 1.0, "negative_prompt": ""}
SHEET_STEPS = (0, 50, 150, 250, 330, 400, 500, 600, 700, 800, 900, 950, 999)


@dataclass(frozen=True, config=CHECKED)
class KeyframeSizes:
    """`widths` channels at 1, 1/2, ... of the latents' size, with `heads` attention heads each; 0 heads, no attention.

    `text_width` is the width of the text encoder and `text_layers` its depth.
    """

    widths: Counts = (48, 96, 144)
    heads: tuple[Annotated[int, Field(ge=0)], ...] = (0, 2, 3)
    layers_per_block: Count = 1
    norm_groups: Count = 16
    text_width: Count = 128
    text_layers: Count = 2
    text_heads: Count = 4

    def __post_init__(self) -> None:
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


@dataclass(frozen=True, config=CHECKED)
class KeyframeTrainingOptions(Settings):
    """Sizes of the networks, `batch` canvases an update of which `fresh` are newly encoded, and what is left out.

    `empty_prompts` of the prompts are empty, for guidance; every tag is missing from `forgotten_tags` of the prompts
    that have it, because the tagger is not always right. `cropped` of the updates see a piece that is not square.
    """

    sizes: KeyframeSizes = field(default_factory=KeyframeSizes)
    batch: int = 16
    fresh: int = 6
    empty_prompts: Share = 0.1
    forgotten_tags: Share = 0.1
    cropped: Share = 0.15

    def __post_init__(self) -> None:
        if not 1 <= self.fresh <= self.batch:
            raise ValueError(f"fresh must lie in 1 to batch ({self.batch}), got {self.fresh}")

    def with_batch(self, count: int) -> KeyframeTrainingOptions:
        """The same with `count` canvases in an update, as large a share of them new."""
        return replace(self, batch=count, fresh=max(1, round(self.fresh * count / self.batch)))


def prompt_of(
    tags: Sequence[str], known: Sequence[str], options: KeyframeTrainingOptions, generator: torch.Generator
) -> str:
    """A prompt as the tagger would write it for a picture with these tags: its own tags, in its own order."""
    chance = torch.rand(1 + len(tags), generator=generator).tolist()
    if chance[0] < options.empty_prompts:
        return ""
    kept = {tag for tag, luck in zip(tags, chance[1:], strict=True) if luck >= options.forgotten_tags}
    return ", ".join(tag for tag in known if tag in kept)


def random_piece(latents: Sequence[Tensor], share: float, generator: torch.Generator) -> list[Tensor]:
    """The same piece of each stack of latents (n, c, h, w): all, or in `share` of the calls 3/4 of one side."""
    luck, side, place = torch.rand(3, generator=generator).tolist()
    if luck >= share:
        return list(latents)
    axis = 2 + int(side < 0.5)
    length = latents[0].shape[axis]
    kept = max(4, length * 3 // 4 // 4 * 4)  # two halvings have to come out even
    return [stack.narrow(axis, round(place * (length - kept)), kept) for stack in latents]


def draw_timesteps(count: int, generator: torch.Generator) -> Tensor:
    """Timesteps (count,) 0..999, half of them above 875.

    A small network draws best in a few large steps from much noise, so it is there that it has to be good.
    """
    return (999 * (1 - torch.rand(count, generator=generator) ** 3)).round().long()


def train_keyframes(
    training: Training[KeyframeTrainingOptions],
    vae: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    start: KeyframeNetworks | None = None,
    prediction: str = PREDICTION,
) -> KeyframeNetworks:
    """The trained networks, averaged.

    vae: its latents are what is learnt, so it stays as it is, on the training's device.  start: networks to train
    further, instead of new ones, and `prediction`, what these predict.
    """
    tags, options, device = training.data.tags, training.options, training.device
    known = list(common_tags(tags))
    pool, denoiser = LatentPool(training.pictures, vae.to(device)), KeyframeDenoiser(prediction)

    def loss_of(networks: nn.Module, generator: torch.Generator, progress: float) -> Tensor:
        pictures, steps, canvases, artworks = pool.draw(options.batch, options.fresh, generator)
        canvases, artworks = random_piece((canvases, artworks), options.cropped, generator)
        prompts = [prompt_of(tags[picture], known, options, generator) for picture in pictures.tolist()]
        ids, steps = prompt_ids(tokenizer, prompts).to(device), steps.to(device)
        noise, timesteps = training_noise(canvases, generator)[0], draw_timesteps(len(canvases), generator)

        def predict(x: Tensor, timesteps: Tensor) -> Tensor:
            return networks(x, timesteps.to(device), ids, artworks, steps)

        return denoiser.loss(predict, canvases, noise, timesteps).mean()

    networks = start or new_networks(options.sizes, tokenizer, training.loop.seed)
    return training.fit(networks.requires_grad_(True), loss_of)


def make_tokenizer(data: Pictures, folder: Path) -> CLIPTokenizer:
    """The tokenizer for these pictures' tags, which the main process writes to `folder` unless it is there."""
    with PartialState().main_process_first():
        if not (folder / "special_tokens_map.json").exists():
            write_tokenizer(folder, known_words(data.tags))
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


@torch.no_grad()
def keyframe_sheet(
    networks: KeyframeNetworks,
    vae: AutoencoderKL,
    tokenizer: CLIPTokenizer,
    data: Pictures,
    prediction: str = PREDICTION,
    count: int = 6,
) -> list[Tensor]:
    """For the eye: one row a picture of the artwork and its keyframes, float32 (1 + steps, 3, H, W) in -1..1, each
    below the row of the true canvases."""
    device = next(vae.parameters()).device
    data, steps = data.on(device), torch.tensor(SHEET_STEPS)
    rows = []
    for index in range(min(count, len(data))):
        artwork = data.finished(torch.tensor([index]))
        latent, ids = encode(vae, artwork), prompt_ids(tokenizer, [", ".join(data.tags[index])]).to(device)
        noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(index)).repeat(len(steps), 1, 1, 1)
        latents = _sample(networks, prediction, noise.to(device), (ids, latent, steps.to(device)))
        drawn = vae.decode(latents / vae.config.scaling_factor).sample.float().clamp(-1, 1)
        true = data.canvases(torch.full_like(steps, index), steps.float())
        rows += [torch.cat([artwork, true]), torch.cat([artwork, drawn])]
    return rows


def _sample(networks: KeyframeNetworks, prediction: str, noise: Tensor, conditions: tuple[Tensor, ...]) -> Tensor:
    """Latents from noise, as the app samples them by default; the conditions are the networks' last arguments."""

    def predict(x: Tensor, timestep: int) -> Tensor:
        return networks(x, torch.tensor(timestep, device=x.device), *conditions)

    sigmas = karras_sigmas(keyframe_sigmas(), KEYFRAME_DEFAULTS["sampling_steps"]).tolist()
    return dpm_solver_2m(partial(KeyframeDenoiser(prediction), predict), noise, sigmas, lambda *step: None)
