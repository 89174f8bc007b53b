"""Stage 2: from neighbouring keyframes to the 16 frames between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from paints_undo import validation
from paints_undo.diffusion.denoisers import SegmentDenoiser
from paints_undo.diffusion.guidance import Predict, rescaled_guidance
from paints_undo.diffusion.samplers import OnStep, ddim, draw_normal
from paints_undo.diffusion.schedules import video_steps
from paints_undo.errors import InputError
from paints_undo.images import crop_to, nearest_bucket, pixels_to_tensor, tensor_to_pixels
from paints_undo.parts import Parts
from paints_undo.progress import OnProgress, Progress, ignore
from paints_undo.prompts import encode_prompt

NEGATIVE_PROMPT = ""


@dataclass(frozen=True)
class SegmentOptions:
    """What a person may choose for the segments; the defaults are the original app's.

    The prompt is "1girl, masterpiece, best quality", with 1boy or neither where that fits better; never the artwork's
    tags, on which the multi-frame model was not trained.
    """

    prompt: str = "1girl, masterpiece, best quality"
    seed: int = 123
    sampling_steps: int = 50
    guidance_scale: float = 7.5
    frame_stride: int = 3

    def __post_init__(self) -> None:
        checked = {
            "prompt": validation.text("video prompt", self.prompt),
            "seed": validation.seed("video seed", self.seed),
            "sampling_steps": validation.whole_number("video sampling steps", self.sampling_steps, 1, 100),
            "guidance_scale": validation.number("video guidance scale", self.guidance_scale, 1.0, 32.0),
            "frame_stride": validation.whole_number("frame stride", self.frame_stride, 1, 60),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen for everyone else


@dataclass(frozen=True)
class EncodedKeyframe:
    """One keyframe through the VAE's encoder; kept on the host, for the one or two segments it bounds."""

    latent: Tensor  # (4, h, w), scaled
    hidden_states: list[Tensor]  # each (c, h, w): what the decoder looks back at


Pair = tuple[EncodedKeyframe, EncodedKeyframe]


@dataclass(frozen=True)
class Conditions:
    """What guides one pair's denoising, beside its two latents."""

    text: Tensor  # (1, 77, width)
    image: Tensor  # (1, 16 frames, 16 tokens, width)


def fill_segments(
    parts: Parts,
    pictures: Sequence[np.ndarray],
    options: SegmentOptions,
    noise_device: torch.device,
    on_progress: OnProgress = ignore,
    wanted: Sequence[int] | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (pair number, frames uint8 (16, h, w, 3)), pair by pair, each from its first picture to its second.

    pictures: two or more uint8 (H, W, 3), the artwork first, the white canvas last; all are cropped to the family's
    video size nearest to the first one's shape.  Pair i lies between pictures i and i + 1 and draws its noise from
    seed + i.  wanted: the pairs to fill, all by default.  All pairs are encoded, then denoised, then decoded, so that
    each network is brought to the device once.
    """
    if len(pictures) < 2:
        raise InputError(f"{len(pictures)} picture is given; a segment needs two keyframes to lie between")
    wanted = list(range(len(pictures) - 1)) if wanted is None else list(wanted)
    if not wanted:
        return
    with torch.inference_mode():
        height, width = nearest_bucket(*pictures[0].shape[:2], parts.family.video_sizes)
        used = sorted({picture for pair in wanted for picture in (pair, pair + 1)})
        pixels = {i: pixels_to_tensor(crop_to(pictures[i], width, height)).to(parts.dtype) for i in used}
        encoded = encode_keyframes(parts, pixels)
        pairs = [(encoded[i], encoded[i + 1]) for i in wanted]
        positives, negative = encode_conditions(parts, pixels, wanted, options.prompt)
        seeds = [options.seed + i for i in wanted]
        latents = denoise(parts, pairs, positives, negative, seeds, options, noise_device, on_progress)
    yield from zip(wanted, decode(parts, latents, pairs, on_progress), strict=True)


def encode_keyframes(parts: Parts, pixels: dict[int, Tensor]) -> dict[int, EncodedKeyframe]:
    """Each picture (1, 3, H, W) through the VAE's encoder, once."""

    def encode(vae: nn.Module, picture: Tensor) -> EncodedKeyframe:
        latent, hidden_states = vae.encode(picture.to(parts.device))
        return EncodedKeyframe(latent[0].cpu(), [state[0].cpu() for state in hidden_states])

    with parts.on_device("multi_frame/vae") as vae:
        return {i: encode(vae, picture) for i, picture in pixels.items()}


def encode_conditions(
    parts: Parts, pixels: dict[int, Tensor], wanted: list[int], prompt: str
) -> tuple[list[Conditions], Conditions]:
    """The positive conditions of each wanted pair, and the negative ones that all share.

    The negative image is an all-zero pair, mid-grey: what the original guides away from.
    """
    with parts.on_device("multi_frame/text_encoder") as text_encoder:
        tokenizer = parts.tokenizer("multi_frame")
        text, negative_text = (encode_prompt(tokenizer, text_encoder, p) for p in (prompt, NEGATIVE_PROMPT))
    with parts.on_device("multi_frame/image_encoder") as image_encoder:
        clip = {i: image_encoder(picture.to(parts.device)) for i, picture in pixels.items()}
        grey = image_encoder(torch.zeros_like(next(iter(pixels.values())), device=parts.device))
    with parts.on_device("multi_frame/image_projection") as image_projection:
        images = [image_projection(torch.stack([clip[i], clip[i + 1]], dim=1)) for i in wanted]
        negative_image = image_projection(torch.stack([grey, grey], dim=1))
    return [Conditions(text, image) for image in images], Conditions(negative_text, negative_image)


def denoise(
    parts: Parts,
    pairs: list[Pair],
    positives: list[Conditions],
    negative: Conditions,
    seeds: list[int],
    options: SegmentOptions,
    noise_device: torch.device,
    on_progress: OnProgress,
) -> list[Tensor]:
    """Scaled latents (1, 4, 16, h, w) of every pair, on the host."""
    device, dtype, report = parts.device, parts.dtype, reporting("sampling", on_progress)
    steps, results = video_steps(options.sampling_steps), []
    with parts.on_device("multi_frame/unet") as unet:
        stride = torch.tensor([options.frame_stride], device=device)
        for number, ((first, last), positive, seed) in enumerate(zip(pairs, positives, seeds, strict=True)):
            frames = unet.config.temporal_length
            keyframe_latents = concatenated_condition(first.latent, last.latent, frames).to(device)
            generator = torch.Generator(noise_device).manual_seed(seed)
            shape = keyframe_latents.shape

            def told(c: Conditions, keyframe_latents: Tensor = keyframe_latents) -> Predict:
                return lambda x, t: unet(x, torch.tensor([t], device=device), c.text, c.image, keyframe_latents, stride)

            def draw_noise(shape: torch.Size = shape, generator: torch.Generator = generator) -> Tensor:
                return draw_normal(shape, generator, dtype, device)

            def on_step(done: int, total: int, number: int = number) -> None:
                report(number * total + done, len(pairs) * total)

            predict = rescaled_guidance(told(positive), told(negative), options.guidance_scale)
            denoised = partial(SegmentDenoiser(), predict)
            results.append(ddim(denoised, draw_noise(), steps, draw_noise, on_step).cpu())
    return results


def concatenated_condition(first: Tensor, last: Tensor, frames: int) -> Tensor:
    """The latents (4, h, w) of both keyframes at the ends of an otherwise empty video, (1, 4, frames, h, w)."""
    condition = first.new_zeros(1, first.shape[0], frames, *first.shape[1:])
    condition[:, :, 0], condition[:, :, -1] = first, last
    return condition


def decode(parts: Parts, latents: list[Tensor], pairs: list[Pair], on_progress: OnProgress) -> Iterator[np.ndarray]:
    """Yield the frames uint8 (16, H, W, 3) of each pair's scaled latents."""
    report = reporting("decoding", on_progress)
    with parts.on_device("multi_frame/vae") as vae:
        for done, (latent, (first, last)) in enumerate(zip(latents, pairs, strict=True), start=1):
            states = zip(first.hidden_states, last.hidden_states, strict=True)
            references = [torch.stack(pair).unsqueeze(0).to(parts.device) for pair in states]
            with torch.inference_mode():  # not around the yield: the caller's code is not ours to switch
                video = vae.decode(latent.to(parts.device), references)[0].float()
            yield tensor_to_pixels(video.transpose(0, 1))
            report(done, len(pairs))  # after the caller has kept the frames: a cancel loses nothing finished


def reporting(detail: str, on_progress: OnProgress) -> OnStep:
    return lambda done, total: on_progress(Progress("segments", detail, done, total))
