"""Stage 1: from the artwork and its prompt to earlier states of the canvas, one for each operation step."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor, nn

from paints_undo.diffusion.denoisers import KeyframeDenoiser
from paints_undo.diffusion.guidance import Branches, Predict, guided
from paints_undo.diffusion.samplers import OnStep, Partway, dpm_solver_2m
from paints_undo.diffusion.schedules import karras_sigmas, keyframe_sigmas
from paints_undo.models.context_memory import context_memory
from paints_undo.models.pieces import feed_forward_pieces
from paints_undo.options import KeyframeOptions
from paints_undo.pictures.fit import crop_to
from paints_undo.pictures.tensors import pixels_to_tensor, tensor_to_pixels
from paints_undo.progress import Part
from paints_undo.run.course import keyframe_parts
from paints_undo.stages.memory import content_key
from paints_undo.stages.previews import LatentColours
from paints_undo.stages.prompts import encode_prompts
from paints_undo.stages.sampling import Sampling, timesteps_on


@dataclass(frozen=True)
class KeyframeConditions:
    """What guides the denoising of all keyframes."""

    artwork: Tensor  # (1, 4, h, w), or one for each keyframe; scaled latents
    positive: Tensor  # (1, 77, width), or one for each; longer where long prompts are not cut
    negative: Tensor


@dataclass(eq=False)
class KeyframeSampling(Sampling):
    """Keyframes of one artwork; a piece is a place among options.operation_steps.

    artwork: uint8 (H, W, 3) of any size, cropped to the keyframes' shape.  No noise is added on the way, so a keyframe
    depends on its own step and seed and on the size alone.
    """

    stage = "keyframes"

    options: KeyframeOptions
    artwork: np.ndarray = field(kw_only=True)

    @cached_property
    def keys(self) -> list[str]:
        wanted, settings = zip(self.options.operation_steps, self.seeds, strict=True), asdict(self.options)
        return [content_key({**settings, "operation_steps": step, "seed": seed}, self.artwork) for step, seed in wanted]

    @property
    def alike(self) -> str:
        """One text for everything but steps and seeds."""
        settings = {**asdict(self.options), "operation_steps": None, "seed": None, "plan": str(self.parts.plan)}
        return content_key(settings, self.artwork)

    def course(self, wanted: Sequence[int]) -> tuple[Part, ...]:
        """What drawing these keyframes takes."""
        return keyframe_parts(len(wanted), self.options)

    def draw(self, wanted: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (place, keyframe uint8 (height, width, 3)) for each of these places."""
        yield from zip(wanted, self.decode(self.denoise(wanted)), strict=True)

    def denoise(self, wanted: Sequence[int]) -> Tensor:
        """Scaled latents (n, 4, h, w) of these keyframes on the host."""
        options, parts = self.options, self.parts
        parts.family.check_keyframe_size(options.width, options.height)
        pieces = feed_forward_pieces(parts.plan.feed_forward_pieces)
        with torch.inference_mode(), context_memory(), pieces:
            report = self.report("preparing")
            report(0, 1)
            parts.prefetch("single_frame/unet")
            text = self.encode_prompts()
            crop = crop_to(self.artwork, options.width, options.height)
            conditions = KeyframeConditions(self.encode_artwork(crop), *text)
            report(1, 1)
            look = self.look or LatentColours.fit(conditions.artwork[0], crop).of_first
            with parts.on_device("single_frame/unet") as unet:
                sample = partial(self.sample, unet, conditions)
                self.sample_in_groups(wanted, parts.plan.keyframes_at_once, sample, look)
        return torch.cat([self.begun.latents[name] for name in self.names(wanted)])

    def encode_prompts(self) -> list[Tensor]:
        """Text embeddings of the prompt and of the negative one on the compute device, each (1, 77 or more, width)."""
        prompts = [self.options.prompt, self.options.negative_prompt]
        with self.parts.on_device("single_frame/text_encoder") as text_encoder:
            tokenizer = self.parts.tokenizer("single_frame")
            return encode_prompts(tokenizer, text_encoder, prompts, self.options.long_prompt, self.parts.device)

    def encode_artwork(self, crop: np.ndarray) -> Tensor:
        """The scaled mode of the artwork's latent distribution, (1, 4, h, w)."""
        with self.parts.on_device("single_frame/vae") as vae:
            pixels = pixels_to_tensor(crop).to(self.parts.device, vae.dtype)
            return (vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor).to(self.parts.dtype)

    def sample(self, unet: nn.Module, conditions: KeyframeConditions, batch: Sequence[int], on_step: OnStep) -> Tensor:
        """Scaled latents (n, 4, h, w) of one batch."""
        partway = self.begun.under_way.setdefault(self.names(batch), Partway())
        noise = self.noise(conditions.artwork.shape, batch)()
        predict = self.prediction(unet, conditions, [self.options.operation_steps[place] for place in batch])
        denoise = partial(KeyframeDenoiser(self.parts.family.keyframe_prediction), predict)
        sigmas = karras_sigmas(keyframe_sigmas(), self.options.sampling_steps).tolist()
        return dpm_solver_2m(denoise, noise, sigmas, on_step, partway)

    def prediction(self, unet: nn.Module, conditions: KeyframeConditions, operation_steps: Sequence[int]) -> Predict:
        """The guided prediction for a few operation steps, whose latents are one batch."""
        device, positive, negative = self.parts.device, conditions.positive, conditions.negative
        steps = torch.tensor(operation_steps, device=device)
        timestep = timesteps_on(device)

        def told(*texts: Tensor) -> Predict:
            text = torch.cat([each.expand(len(steps), -1, -1) for each in texts])
            rows, artwork = steps.repeat(len(texts)), conditions.artwork
            if len(artwork) > 1:
                artwork = artwork.repeat(len(texts), 1, 1, 1)
            return lambda x, t: unet(x, timestep(t), text, artwork, rows)

        if self.parts.plan.guidance_batch:
            branches = Branches.in_one_batch(told(positive), told(positive, negative))
        else:
            branches = Branches.in_two_passes(told(positive), told(negative))
        return guided(branches, self.options.guidance_scale)

    def decode(self, latents: Tensor) -> Iterator[np.ndarray]:
        """Yield pixels uint8 (H, W, 3) of scaled latents; one at a time, because decoding needs the most memory."""
        report = self.report("decoding")
        with self.parts.on_device("single_frame/vae") as vae:
            report(0, len(latents))
            for done, latent in enumerate(latents.to(self.parts.device, vae.dtype).split(1), start=1):
                with torch.inference_mode():  # not around the yield: the caller's code is not ours to switch
                    decoded = vae.decode(latent / vae.config.scaling_factor).sample
                yield tensor_to_pixels(decoded.float())[0]
                report(done, len(latents))  # after the caller has kept the picture: a cancel loses nothing finished
