"""Stage 1: from the artwork and its prompt to earlier states of the canvas, one for each operation step."""

import logging
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from paints_undo import validation
from paints_undo.diffusion.denoisers import KeyframeDenoiser
from paints_undo.diffusion.guidance import Predict, guided
from paints_undo.diffusion.samplers import OnStep, dpm_solver_2m, draw_normal
from paints_undo.diffusion.schedules import karras_sigmas, keyframe_sigmas
from paints_undo.images import crop_to, pixels_to_tensor, tensor_to_pixels
from paints_undo.parts import Parts
from paints_undo.progress import OnProgress, Progress, ignore
from paints_undo.prompts import encode_prompt

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeyframeOptions:
    """What a person may choose for the keyframes; the defaults are the original app's."""

    prompt: str = ""
    negative_prompt: str = "lowres, bad anatomy, bad hands, cropped, worst quality"
    operation_steps: tuple[int, ...] = (400, 600, 800, 900, 950, 999)  # 0 finished .. 999 first stroke
    width: int = 512
    height: int = 640
    seed: int = 12345
    sampling_steps: int = 50
    guidance_scale: float = 3.0

    def __post_init__(self) -> None:
        ordered = validation.operation_steps(self.operation_steps)
        if tuple(self.operation_steps) != ordered:
            log.warning("operation steps %s are sorted to %s", list(self.operation_steps), list(ordered))
        checked = {
            "prompt": validation.text("prompt", self.prompt),
            "negative_prompt": validation.text("negative prompt", self.negative_prompt),
            "operation_steps": ordered,
            "width": validation.whole_number("width", self.width, 16, 4096),
            "height": validation.whole_number("height", self.height, 16, 4096),
            "seed": validation.seed("seed", self.seed),
            "sampling_steps": validation.whole_number("sampling steps", self.sampling_steps, 1, 100),
            "guidance_scale": validation.number("guidance scale", self.guidance_scale, 1.0, 32.0),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen for everyone else


def draw_keyframes(
    parts: Parts,
    artwork: np.ndarray,
    options: KeyframeOptions,
    noise_device: torch.device,
    on_progress: OnProgress = ignore,
) -> np.ndarray:
    """Keyframes, uint8 (n, height, width, 3), in the order of options.operation_steps.

    artwork: uint8 (H, W, 3) of any size, cropped to the keyframes' shape.  All operation steps share one noise tensor
    and none is added later, so a keyframe depends on its own step, the seed and the size alone.
    """
    parts.family.check_keyframe_size(options.width, options.height)
    with torch.inference_mode():
        positive = encode(parts, options.prompt)
        negative = encode(parts, options.negative_prompt)
        artwork_latent = encode_artwork(parts, crop_to(artwork, options.width, options.height))
        latents = sample(parts, artwork_latent, positive, negative, options, noise_device, on_progress)
        return decode(parts, latents, on_progress)


def encode(parts: Parts, prompt: str) -> Tensor:
    """Text embeddings (1, 77, width) on the compute device."""
    with parts.on_device("single_frame/text_encoder") as text_encoder:
        return encode_prompt(parts.tokenizer("single_frame"), text_encoder, prompt)


def encode_artwork(parts: Parts, artwork: np.ndarray) -> Tensor:
    """The scaled mode of the artwork's latent distribution, (1, 4, h, w)."""
    with parts.on_device("single_frame/vae") as vae:
        pixels = pixels_to_tensor(artwork).to(parts.device, vae.dtype)
        return (vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor).to(parts.dtype)


def sample(
    parts: Parts,
    artwork_latent: Tensor,
    positive: Tensor,
    negative: Tensor,
    options: KeyframeOptions,
    noise_device: torch.device,
    on_progress: OnProgress,
) -> Tensor:
    """Scaled latents (n, 4, h, w), one for each operation step."""
    device, steps = parts.device, torch.tensor(options.operation_steps, device=parts.device)
    generator = torch.Generator(noise_device).manual_seed(options.seed)
    noise = draw_normal(artwork_latent.shape, generator, parts.dtype, device).repeat(len(steps), 1, 1, 1)
    sigmas = karras_sigmas(keyframe_sigmas(), options.sampling_steps).tolist()

    with parts.on_device("single_frame/unet") as unet:

        def told(text: Tensor) -> Predict:
            return lambda x, timestep: unet(x, torch.tensor(timestep, device=device), text, artwork_latent, steps)

        predict = guided(told(positive), told(negative), options.guidance_scale)
        denoise = partial(KeyframeDenoiser(parts.family.keyframe_prediction), predict)
        return dpm_solver_2m(denoise, noise, sigmas, reporting("sampling", on_progress))


def decode(parts: Parts, latents: Tensor, on_progress: OnProgress) -> np.ndarray:
    """Pixels uint8 (n, H, W, 3) of scaled latents; one picture at a time, because decoding needs the most memory."""
    report, pictures = reporting("decoding", on_progress), []
    with parts.on_device("single_frame/vae") as vae:
        for done, latent in enumerate(latents.to(vae.dtype).split(1), start=1):
            decoded = vae.decode(latent / vae.config.scaling_factor).sample
            pictures.append(tensor_to_pixels(decoded.float()))
            report(done, len(latents))
    return np.concatenate(pictures)


def reporting(detail: str, on_progress: OnProgress) -> OnStep:
    return lambda done, total: on_progress(Progress("keyframes", detail, done, total))
