"""Stage 2 as a pipeline of diffusers: from two pictures to the 16 frames between them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from diffusers.utils import BaseOutput
from PIL import Image
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
from paints_undo.diffusers_pipelines.schedulers import Rescaled, SegmentScheduler, draw_noise
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
from paints_undo.errors import InputError
from paints_undo.family.choice import defaults_of
from paints_undo.family.model_family import ModelFamily
from paints_undo.models.context_memory import context_memory
from paints_undo.models.feature_reuse import feature_reuse
from paints_undo.models.image_encoder import ImageEncoder
from paints_undo.models.image_projection import ImageProjection
from paints_undo.models.video_unet import VideoUNet
from paints_undo.models.video_vae import VideoVAE
from paints_undo.stages.segments import PairConditions, SegmentSampling, keyframe_hint


@dataclass
class SegmentPipelineOutput(BaseOutput):
    """frames: n clips; lists of 16 PIL images, or an array or tensor (n, 16, ...)."""

    frames: list[list[Image.Image]] | np.ndarray | Tensor


class SegmentPipeline(FamilyPipeline):
    """Stage 2: the 16 frames between two keyframes.  They are those of PaintsUndo.fill_segment."""

    checkpoint = "multi_frame"
    model_cpu_offload_seq = "text_encoder->image_encoder->image_projection->unet->vae"

    def __init__(
        self,
        tokenizer: Any,
        text_encoder: Any,
        image_encoder: ImageEncoder,
        image_projection: ImageProjection,
        vae: VideoVAE,
        unet: VideoUNet,
        scheduler: Any,
        family: ModelFamily | dict | None = None,
    ) -> None:
        super().__init__()
        networks = {"image_encoder": image_encoder, "image_projection": image_projection, "vae": vae, "unet": unet}
        self._adopt(family, tokenizer=tokenizer, text_encoder=text_encoder, **networks, scheduler=scheduler)

    @classmethod
    def own_scheduler(cls, family: ModelFamily) -> SegmentScheduler:
        """The scheduler that samples as PaintsUndo does."""
        return SegmentScheduler()

    @torch.no_grad()
    def __call__(
        self,
        image: Images,
        last_image: Images,
        prompt: str | Sequence[str] | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        frame_stride: int | None = None,
        generator: Generators = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: OnStepEnd | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
        negative_prompt: str | Sequence[str] | None = None,
        num_videos_per_prompt: int = 1,
        latents: Tensor | None = None,
        prompt_embeds: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
    ) -> SegmentPipelineOutput | tuple:
        """n clips from one picture to another, at the family's video size (h, w) nearest to the first one's shape.

        The arguments are those of KeyframePipeline, in as far as they have the same names.  image and last_image may be
        batches, beside as many prompts or one; n is their number times num_videos_per_prompt, 1..100.  The published
        networks were trained with no negative_prompt.
        frame_stride: 1..60; the larger, the more happens between two frames.
        generator: one for all, or a list of n; a new one with manual_seed(s) gives the frames of seed s.
        latents: noise of variance 1, (n, 4, 16, h / f, w / f).
        output_type: "pil", n lists; "np" (n, 16, h, w, 3) and "pt" (n, 16, 3, h, w) in 0..1; "latent", scaled,
        (n, 4, 16, h / f, w / f), as are latents and denoised in a callback.
        """
        check_output_type(output_type)
        tensor_inputs = self._tensor_inputs(callback_on_step_end, callback_on_step_end_tensor_inputs)
        options = chosen(
            defaults_of(self.family).segments,
            sampling_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            frame_stride=frame_stride,
        )
        firsts, lasts, parts = pictures_of(image), pictures_of(last_image), self._parts()
        self._begin(options.guidance_scale, options.sampling_steps, parts.device)
        positive, negative = self.encode_prompt(
            words_or(options.prompt, prompt, prompt_embeds),
            None,
            1,
            self.do_classifier_free_guidance,
            negative_prompt,
            prompt_embeds,
            negative_prompt_embeds,
        )
        count = max(len(firsts), len(lasts), len(positive))
        each = validation.whole_number("num_videos_per_prompt", num_videos_per_prompt, 1, 100)
        firsts, lasts = alike(count, image=firsts, last_image=lasts)
        pairs = zip(firsts, lasts, strict=True)
        samplings = [SegmentSampling(parts, options, [0], parts.device, pictures=pair) for pair in pairs]
        encoded = [sampling.encode([0]) for sampling in samplings]
        sizes = {tuple(pair.latents[0].shape) for pair in encoded}
        if len(sizes) > 1:
            raise InputError("the first pictures come to different video sizes; give them one after the other")
        pictured = [one.encode_images(pair.pixels, [0]) for one, pair in zip(samplings, encoded, strict=True)]
        first, last = (torch.stack([pair.latents[end] for pair in encoded for _ in range(each)]) for end in (0, 1))
        unet_frames = self.family.config("multi_frame/unet")["temporal_length"]
        hint = keyframe_hint(first, last, unet_frames, self.family.segment_hint)
        generators = generators_for(generator, len(hint), "clips")
        noise = draw_noise(hint, generators) if latents is None else given_latents(latents, hint.shape, hint)
        embeds = prompts_for(count, positive, negative)

        def telling(toward: Tensor, away: Tensor | None, scale: float) -> Predict:
            def conditions(rows: Tensor, images: list[Tensor]) -> list[PairConditions]:
                pairs = zip(rows.split(1), images, strict=True)
                return [PairConditions(*pair) for pair in pairs for _ in range(each)]

            positives = conditions(toward, [images[0] for images, _ in pictured])
            negatives = conditions(toward if away is None else away, [grey for _, grey in pictured])
            sampling = samplings[0]
            sampling.options = replace(options, guidance_scale=scale)
            predict = sampling.prediction(unet, positives, negatives, hint)
            return predict if isinstance(self.scheduler, SegmentScheduler) else Rescaled(predict)

        with (
            parts.on_device("multi_frame/unet") as unet,
            context_memory(),
            feature_reuse(options.reuse_interval),
        ):
            found = self._denoise(noise, embeds, telling, generators, callback_on_step_end, tensor_inputs)
        clips: Any = found
        if output_type != "latent":
            clips = []
            for place, latent in enumerate(found.split(1)):
                sampling = samplings[place // each]
                sampling.begun.latents[sampling.keys[0]] = latent.cpu()
                ((_, frames),) = sampling.decode([0], encoded[place // each])
                clips.append(as_output(frames, output_type))
            if output_type != "pil":
                clips = np.stack(clips) if output_type == "np" else torch.stack(clips)
        self.maybe_free_model_hooks()
        return SegmentPipelineOutput(frames=clips) if return_dict else (clips,)
