"""The VAE of the mini family: a small AutoencoderKL, 4 or 8 pixels a latent, that keeps thin lines."""

from __future__ import annotations

from dataclasses import replace

import torch
from accelerate import PartialState
from diffusers import AutoencoderKL
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional as F

from paints_undo.models.video_vae import SCALING_FACTOR
from paints_undo.training.dataset import Pictures
from paints_undo.training.loop import Training
from paints_undo.training.process import LAST_STEP, STAGES
from paints_undo.training.settings import CHECKED, Count, Counts, Settings, Share

PAINTED_WEIGHT = 4.0  # error on a painted pixel against one on white paper: most of a canvas is paper
RED_GREEN_CHANNEL = 2  # the latent channel that is led to hold red minus green
RED_GREEN_GAIN = 10.0  # its deviation is then that of the other channels
RED_GREEN_UNTIL = 0.75  # share of the training after which it is left alone
PAPER_THRESHOLD = 0.97  # a pixel with all channels above this (-1..1) is paper
SCALED_BY = 256  # pictures, whose latents say what their deviation is
LARGE = 256  # pixels from which a latent stands for 8 x 8 of them: as many latents then as 128 pixels have with 4 x 4


@dataclass(frozen=True, config=CHECKED)
class VaeOptions(Settings):
    """Sizes of the network and of its batches.

    `crop` pixels square pieces around painted areas train most of the time, whole pictures for the last `whole_share`
    of it, so that normalisation sees the white of a whole canvas before the end.
    """

    COUNTED = "crops"

    base_channels: Count = 24
    channel_multipliers: Counts = (1, 2, 4)
    layers_per_block: Count = 1
    norm_groups: Count = 8
    latent_channels: int = 4
    crop: int = 64
    crops: Count = 8
    whole_share: Share = 0.25
    latent_noise: Share = 0.05

    def __post_init__(self) -> None:
        if self.base_channels % self.norm_groups:
            raise ValueError(f"base_channels {self.base_channels} must be a multiple of norm_groups {self.norm_groups}")
        if self.latent_channels != 4:
            raise ValueError(f"latent_channels {self.latent_channels} has to be 4, which the UNets read")
        if self.crop < self.downsampling or self.crop % self.downsampling:
            raise ValueError(f"crop must be a multiple of {self.downsampling} pixels, got {self.crop}")

    @property
    def downsampling(self) -> int:
        """Pixels for each latent, along each side."""
        return 2 ** (len(self.channel_multipliers) - 1)

    def for_size(self, size: int) -> VaeOptions:
        """The same for pictures of `size` pixels: from LARGE on one more halving, and crops of as many latents."""
        if size < LARGE:
            return replace(self, crop=min(self.crop, size // self.downsampling * self.downsampling))
        multipliers = (*self.channel_multipliers, self.channel_multipliers[-1])
        return replace(self, channel_multipliers=multipliers, crop=2 * self.crop)


def new_vae(options: VaeOptions, seed: int = 0) -> AutoencoderKL:
    """An untrained VAE whose first guess is white paper.

    `post_quant_conv` is the identity and stays so, because the video VAE, which shares these weights, never applies it.
    """
    widths = tuple(options.base_channels * multiplier for multiplier in options.channel_multipliers)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * len(widths),
            up_block_types=("UpDecoderBlock2D",) * len(widths),
            block_out_channels=widths,
            layers_per_block=options.layers_per_block,
            latent_channels=options.latent_channels,
            norm_num_groups=options.norm_groups,
            sample_size=128,
            scaling_factor=SCALING_FACTOR,
        )
    nn.init.constant_(vae.decoder.conv_out.bias, 0.6)
    nn.init.eye_(vae.post_quant_conv.weight.data[:, :, 0, 0])
    nn.init.zeros_(vae.post_quant_conv.bias)
    vae.post_quant_conv.requires_grad_(False)
    return vae


def importance(wanted: Tensor) -> Tensor:
    """How much each pixel of pictures (n, 3, H, W) or clips (n, 3, t, H, W) counts, with one channel for three.

    Painted pixels and their surroundings count PAINTED_WEIGHT times as much as paper.
    """
    painted = F.max_pool2d((wanted.amin(1) < PAPER_THRESHOLD).float(), 5, 1, 2)
    return 1 + (PAINTED_WEIGHT - 1) * painted[:, None]


def reconstruction_loss(drawn: Tensor, wanted: Tensor) -> Tensor:
    """How far pictures (n, 3, H, W) in -1..1 are from the wanted ones: pixels, edges and coarse colours.

    Absolute errors, by their importance. The coarse terms, means over 4 x 4 pixels of the colours and of their
    differences, teach hue: without them the few latent channels all go to light and dark, and the network stays half
    colour-blind for long.
    """
    weight, error = importance(wanted), drawn - wanted
    pixels = (error.abs() * weight).mean()
    edges = (error.diff(dim=2).abs() * weight[:, :, 1:]).mean() + (error.diff(dim=3).abs() * weight[..., 1:]).mean()
    coarse = F.avg_pool2d(error, 4)
    red, green, blue = coarse.unbind(1)
    hue = (red - green).abs().mean() + (blue - (red + green) / 2).abs().mean()
    return pixels + 0.5 * edges + 2 * coarse.abs().mean() + 3 * hue


def red_green_loss(latents: Tensor, pictures: Tensor) -> Tensor:
    """How far one latent channel is from red minus green of the pixels it stands for.

    Left alone, a VAE of four channels spends them on light, dark, and orange against blue, and gets stuck there: as
    long as no latent tells red from green, the decoder learns nothing of it, and the encoder has no reason to.
    """
    coarse = F.adaptive_avg_pool2d(pictures, latents.shape[-2:])
    return (latents[:, RED_GREEN_CHANNEL] / RED_GREEN_GAIN - (coarse[:, 0] - coarse[:, 1])).abs().mean()


def draw_steps(count: int, generator: torch.Generator) -> Tensor:
    """Operation steps (n,) for training: every stage equally often, the finished picture in one of eight."""
    bounds = torch.tensor([(begin, end) for begin, end in STAGES.values()])
    stage = bounds[torch.randint(0, len(bounds), (count,), generator=generator)]
    time = stage[:, 0] + (stage[:, 1] - stage[:, 0]) * torch.rand(count, generator=generator)
    finished = torch.rand(count, generator=generator) < 1 / 8
    return torch.where(finished, 0, LAST_STEP * (1 - time)).round()


def draw_crops(pictures: Tensor, size: int, generator: torch.Generator, grid: int = 1) -> Tensor:
    """One `size` x `size` piece of each picture (n, 3, H, W), or of all frames of each clip (n, 3, t, H, W).

    It lies around a pixel drawn from the painted ones, at multiples of `grid` pixels.
    """
    height, width = pictures.shape[-2:]
    darkest = pictures.flatten(1, -3).amin(1)
    painted = (darkest < PAPER_THRESHOLD).flatten(1).float().cpu() + 1e-5  # an empty canvas is cut, too
    centre = torch.multinomial(painted, 1, generator=generator)[:, 0]
    top = ((centre // width - size // 2).clamp(0, height - size) // grid * grid).tolist()
    left = ((centre % width - size // 2).clamp(0, width - size) // grid * grid).tolist()
    return torch.stack([p[..., y : y + size, x : x + size] for p, y, x in zip(pictures, top, left, strict=True)])


def train_vae(training: Training[VaeOptions]) -> AutoencoderKL:
    """The trained VAE, its latents scaled to the published deviation; also written to the training's folder/vae."""
    data, options = training.pictures, training.options
    pixels = data.finished(torch.tensor([0]))[0, 0].numel()

    def loss_of(vae: nn.Module, generator: torch.Generator, progress: float) -> Tensor:
        whole = progress > 1 - options.whole_share
        count = max(1, options.crops * options.crop**2 // pixels) if whole else options.crops
        indices = torch.randint(0, len(data), (count,), generator=generator)
        pictures = data.canvases(indices, draw_steps(count, generator))
        if not whole:
            pictures = draw_crops(pictures, options.crop, generator)
        latents = vae.quant_conv(vae.encoder(pictures))[:, : options.latent_channels]
        noise = torch.randn(latents.shape, generator=generator).to(latents.device)
        noisy = latents + options.latent_noise * latents.detach().float().std() * noise
        drawn = vae.decode(noisy).sample.float()
        leading = 4 * max(0.0, 1 - progress / RED_GREEN_UNTIL) * red_green_loss(latents.float(), pictures)
        return reconstruction_loss(drawn, pictures) + leading + 1e-4 * latents.float().square().mean()

    vae = training.fit(new_vae(options, training.loop.seed), loss_of)
    scaled = with_published_deviation(vae, training.data.on(torch.device("cpu")))
    if PartialState().is_main_process:
        scaled.save_pretrained(training.folder / "vae")
    return scaled


@torch.no_grad()
def reconstruct(vae: AutoencoderKL, pictures: Tensor) -> Tensor:
    """Pictures (n, 3, H, W) in -1..1 through the VAE and back."""
    return torch.cat([vae.decode(vae.encode(batch).latent_dist.mode()).sample.float() for batch in pictures.split(8)])


def stage_steps(count: int) -> dict[str, Tensor]:
    """For figures and sheets: `count` operation steps in the middle half of every stage, and the finished picture."""
    steps = {}
    for name, (begin, end) in STAGES.items():
        share = torch.linspace(0.25, 0.75, count)
        steps[name] = (LAST_STEP * (1 - begin - (end - begin) * share)).round()
    return {**steps, "finished": torch.zeros(count)}


def psnr(drawn: Tensor, wanted: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of each picture (n,) in decibels; pictures (n, ...) in -1..1."""
    error = (drawn.clamp(-1, 1) - wanted).square().flatten(1).mean(1)
    return 10 * torch.log10(4 / error.clamp(min=1e-10))


def evaluate_vae(vae: AutoencoderKL, data: Pictures, count: int = 32) -> dict[str, float]:
    """Mean PSNR of the reconstruction in decibels, for each stage and over all of them; never of training pictures."""
    indices = torch.arange(min(count, len(data)))
    figures = {}
    for name, steps in stage_steps(len(indices)).items():
        pictures = data.canvases(indices, steps)
        figures[name] = float(psnr(reconstruct(vae, pictures), pictures).mean())
    return {**figures, "all": sum(figures.values()) / len(figures)}


@torch.no_grad()
def with_published_deviation(vae: AutoencoderKL, data: Pictures) -> AutoencoderKL:
    """The same pictures through the same VAE, with latents whose standard deviation is 1 / SCALING_FACTOR.

    Both stages multiply by that. The factor goes into `quant_conv`, its inverse into the decoder's first convolution.
    """
    generator = torch.Generator().manual_seed(0)
    indices = torch.randint(0, len(data), (SCALED_BY,), generator=generator)
    pictures = data.canvases(indices, draw_steps(SCALED_BY, generator))
    channels = vae.config.latent_channels
    latents = torch.cat([vae.quant_conv(vae.encoder(batch))[:, :channels] for batch in pictures.split(16)])
    factor = 1 / (SCALING_FACTOR * latents.std())
    vae.quant_conv.weight[:channels] *= factor
    vae.quant_conv.bias[:channels] *= factor
    vae.quant_conv.weight[channels:] = 0  # the spread is never used; a constant keeps it finite
    vae.quant_conv.bias[channels:] = -10
    vae.decoder.conv_in.weight /= factor
    return vae
