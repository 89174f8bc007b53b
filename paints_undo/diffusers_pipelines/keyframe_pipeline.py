"""Stage 1 as a pipeline of diffusers: from the artwork and its prompt to earlier states of the canvas."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput
from torch import Tensor

from paints_undo import validation
from paints_undo.diffusers_pipelines.family_pipeline import (
    FamilyPipeline,
    OnStepEnd,
    chosen,
    given_latents,
    prompts_for,
    words_or,
)
from paints_undo.diffusers_pipelines.schedulers import KeyframeScheduler, draw_noise
from paints_undo.diffusers_pipelines.values import (
    Generators,
    Images,
    alike,
    as_output,
    check_output_type,
    generators_for,
    pictures_of,
)
from paints_undo.diffusion.guidance import Predict
from paints_undo.family.choice import defaults_of
from paints_undo.family.model_family import ModelFamily
from paints_undo.models.context_memory import context_memory
from paints_undo.models.keyframe_unet import KeyframeUNet
from paints_undo.pictures.fit import crop_to
from paints_undo.stages.keyframes import KeyframeConditions, KeyframeSampling


class KeyframePipeline(FamilyPipeline):
    """Stage 1: earlier states of an artwork's canvas.  The pictures are those of PaintsUndo.draw_keyframes."""

    checkpoint = "single_frame"
    model_cpu_offload_seq = "text_encoder->unet->vae"

    def __init__(
        self,
        tokenizer: Any,
        text_encoder: Any,
        vae: AutoencoderKL,
        unet: KeyframeUNet,
        scheduler: Any,
        family: ModelFamily | dict | None = None,
    ) -> None:
        super().__init__()
        networks = {"tokenizer": tokenizer, "text_encoder": text_encoder, "vae": vae, "unet": unet}
        self._adopt(family, **networks, scheduler=scheduler)

    @classmethod
    def own_scheduler(cls, family: ModelFamily) -> KeyframeScheduler:
        """The scheduler that samples as PaintsUndo does."""
        return KeyframeScheduler(family.keyframe_prediction)

    @torch.no_grad()
    def __call__(
        self,
        image: Images,
        prompt: str | Sequence[str] = "",
        negative_prompt: str | Sequence[str] | None = None,
        operation_steps: Sequence[int] | None = None,
        height: int | None = None,
        width: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        generator: Generators = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: OnStepEnd | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        num_images_per_prompt: int = 1,
        latents: Tensor | None = None,
        prompt_embeds: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
    ) -> ImagePipelineOutput | tuple:
        """n pictures: for each artwork or prompt, num_images_per_prompt times, one for each operation step, ascending.

        What is None is the family's default.  f is vae_scale_factor: 8 for the published family.
        image: the artwork; a PIL image, a path, uint8 (H, W, 3), or floats 0..1, (H, W, 3) as array or (3, H, W) as
        tensor.  A list, or an array or tensor of four axes, is a batch, beside as many prompts or one.
        operation_steps: of 0..999; 0 is the finished artwork, 999 the first stroke.
        height, width: 16..4096, whole after every halving in the networks: multiples of 64 for the published family.
        num_inference_steps: 1..100.
        guidance_scale: 1..32; at 1 the negative prompt has no say.  num_images_per_prompt: 1..100.
        generator: one, whose next noise each drawing takes for all its operation steps, so that a new one with
        manual_seed(s) gives the pictures of seed s; or a list of n, in the order in which operation_steps are given.
        latents: noise of variance 1, (n, 4, height / f, width / f), in that order, instead of the generator's.
        prompt_embeds, negative_prompt_embeds: (prompts, tokens, width) of encode_prompt, instead of prompts.
        output_type: "pil"; "np" (n, height, width, 3) and "pt" (n, 3, height, width) in 0..1; "latent", scaled,
        (n, 4, height / f, width / f).
        callback_on_step_end: called with the pipeline, step, timestep () and the tensors asked for: latents (n, 4,
        height / f, width / f), as noisy as the scheduler has them; denoised, clean ones as they are seen so far;
        prompt_embeds (prompts, tokens, width), negative ones of as many rows before them where guidance_scale is above
        1.  It may give back other latents and prompt_embeds, and set `_guidance_scale` and `_interrupt`: an interrupted
        call gives what is seen by then.
        Raises InputError for what cannot be used.
        """
        check_output_type(output_type)
        tensor_inputs = self._tensor_inputs(callback_on_step_end, callback_on_step_end_tensor_inputs)
        options = chosen(
            defaults_of(self.family).keyframes,
            operation_steps=operation_steps,
            height=height,
            width=width,
            sampling_steps=num_inference_steps,
            guidance_scale=guidance_scale,
        )
        self.family.check_keyframe_size(options.width, options.height)
        artworks, parts, steps = pictures_of(image), self._parts(), options.operation_steps
        self._begin(options.guidance_scale, options.sampling_steps, parts.device)
        positive, negative = self.encode_prompt(
            prompt,
            None,
            1,
            self.do_classifier_free_guidance,
            words_or(options.negative_prompt, negative_prompt, negative_prompt_embeds),
            prompt_embeds,
            negative_prompt_embeds,
        )
        count = max(len(artworks), len(positive))
        each = validation.whole_number("num_images_per_prompt", num_images_per_prompt, 1, 100) * len(steps)
        sampling = KeyframeSampling(parts, options, [], parts.device, artwork=artworks[0])
        crops = [crop_to(artwork, options.width, options.height) for artwork in artworks]
        (latent_artworks,) = alike(count, image=[sampling.encode_artwork(crop) for crop in crops])
        encoded = torch.cat(latent_artworks)
        asked = list(steps if operation_steps is None else operation_steps)
        order = sorted(range(len(asked)), key=asked.__getitem__)
        noise, generator = self._noise(encoded, count * each, order, generator, latents)

        def told(embeds: Tensor) -> Tensor:
            return embeds if count == 1 else embeds.repeat_interleave(each, dim=0)

        def telling(toward: Tensor, away: Tensor | None, scale: float) -> Predict:
            sampling.options = replace(options, guidance_scale=scale)
            conditions = KeyframeConditions(told(encoded), told(toward), told(toward if away is None else away))
            return sampling.prediction(unet, conditions, [*steps] * (len(noise) // len(steps)))

        embeds = prompts_for(count, positive, negative)
        with parts.on_device("single_frame/unet") as unet, context_memory():
            found = self._denoise(noise, embeds, telling, generator, callback_on_step_end, tensor_inputs)
        pictures = found if output_type == "latent" else np.stack([*sampling.decode(found)])
        self.maybe_free_model_hooks()
        images = as_output(pictures, output_type)
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def _noise(
        self, encoded: Tensor, count: int, order: list[int], generator: Generators, latents: Tensor | None
    ) -> tuple[Tensor, Generators]:
        """Noise (count, 4, h, w) for pictures by ascending operation step, and the generators for what follows it."""
        rows = [drawing + place for drawing in range(0, count, len(order)) for place in order]
        several = isinstance(generator, Sequence)
        if several:
            some = generators_for(generator, count, "pictures")
            generator = [some[row] for row in rows]
        if latents is not None:
            return given_latents(latents, (count, *encoded.shape[1:]), encoded)[rows], generator
        like = encoded[:1].expand(count if several else count // len(order), -1, -1, -1)
        noise = draw_noise(like, generator)
        return noise if several else noise.repeat_interleave(len(order), dim=0), generator
