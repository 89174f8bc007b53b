"""Both stages as pipelines of diffusers, for tools that drive such: the same networks, the same pictures.

>>> from paints_undo.diffusers_pipelines import KeyframePipeline, SegmentPipeline
>>> draw = KeyframePipeline.from_pretrained("mini").to("cpu")
>>> keyframes = draw(artwork, "1girl", operation_steps=[400, 999], generator=torch.Generator().manual_seed(7)).images
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from diffusers import DiffusionPipeline
from diffusers.pipelines.pipeline_utils import ImagePipelineOutput
from diffusers.utils import BaseOutput
from PIL import Image
from torch import Tensor, nn

from memory_management import pick_device, picture_vae_dtype
from paints_undo.diffusion.schedules import karras_sigmas, keyframe_sigmas, timestep_of_sigma, video_steps
from paints_undo.errors import InputError
from paints_undo.execution.plan import RESIDENT, Plan
from paints_undo.family.choice import defaults_of, find_networks
from paints_undo.family.model_family import ModelFamily
from paints_undo.family.weights import load_part, load_tokenizer
from paints_undo.progress import Progress
from paints_undo.stages.diffusers_values import ImageInput, as_output, check_output_type, picture_of, seeds_of
from paints_undo.stages.keyframes import KeyframeSampling
from paints_undo.stages.segments import SegmentSampling

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
OnStepEnd = Callable[[DiffusionPipeline, int, int, dict[str, Tensor]], dict[str, Tensor] | None]


@dataclass
class SegmentPipelineOutput(BaseOutput):
    """frames: a batch of one clip; 16 PIL images, or an array or tensor (1, 16, ...)."""

    frames: list[list[Image.Image]] | np.ndarray | Tensor


class _Interrupted(Exception):
    """Ends the sampling when a pipeline is told to; carries the clean latents as they were seen last."""

    def __init__(self, latents: Tensor) -> None:
        super().__init__("interrupted")
        self.latents = latents


class FamilyPipeline(DiffusionPipeline):
    """What both stages have in common: where their networks come from, and how they report and are stopped.

    family: what the networks were trained for; needed beside `components` to build a pipeline from another's.
    Setting `_interrupt` ends a call after the sampling step at work; what is seen by then is returned.
    """

    checkpoint: str  # "single_frame" or "multi_frame"
    _callback_tensor_inputs = ["latents"]

    def _adopt(self, family: ModelFamily | None, **components: Any) -> None:
        if family is None:
            raise InputError("a pipeline needs family=, which other pipelines of the same networks have as .family")
        self.register_modules(**components)
        self.family = family
        self._interrupt = False
        self.guidance_scale, self.num_timesteps = 1.0, 0  # of the latest call

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | Path = "auto",
        dtype: torch.dtype | None = None,
        torch_dtype: torch.dtype | None = None,
        **components: Any,
    ) -> "FamilyPipeline":
        """The pipeline of a model family ("mini", "released", a folder, or "auto"), on the CPU; use .to() to move it.

        dtype (torch_dtype is its former name): float32 by default.  components: networks to use in place of the
        family's, such as unet=...  Raises CheckpointError where files are missing or damaged.
        """
        family = find_networks(pretrained_model_name_or_path)
        dtype = dtype or torch_dtype or torch.float32
        if dtype not in DTYPES:
            raise InputError(f"dtype is {dtype}; use one of {', '.join(str(known) for known in DTYPES)}")
        names, _ = cls._get_signature_keys(cls)
        unknown = components.keys() - set(names)
        if unknown:
            raise InputError(f"{sorted(unknown)[0]} is no component of {cls.__name__}; it has {', '.join(names)}")
        loaded = {name: components.get(name) or _load(family, f"{cls.checkpoint}/{name}", dtype) for name in names}
        return cls(**loaded, family=family)

    def save_pretrained(self, *arguments: Any, **named: Any) -> None:
        """Not offered: a model family is a folder already."""
        raise InputError("these pipelines are not saved; a model family is a folder that can be copied as it is")

    @property
    def interrupt(self) -> bool:
        """Whether the call at work is to end early."""
        return self._interrupt

    def _parts(self, count: int) -> "PipelineParts":
        device, unet = torch.device(self._execution_device), self.components["unet"]
        plan = replace(RESIDENT, keyframes_at_once=count)
        if device.type == "cpu":
            plan = replace(plan, decoded_frames=None)
        return PipelineParts(self.family, self.components, device, next(unet.parameters()).dtype, plan)

    def _begin(self, options: Any, output_type: str, tensor_inputs: Sequence[str]) -> None:
        check_output_type(output_type)
        for name in tensor_inputs:
            if name not in self._callback_tensor_inputs:
                raise InputError(f"callback_on_step_end_tensor_inputs names {name!r}; only latents can be handed on")
        self._interrupt = False
        self.guidance_scale, self.num_timesteps = options.guidance_scale, options.sampling_steps

    @contextmanager
    def _reporting(
        self, steps: int, on_step_end: OnStepEnd | None, tensor_inputs: Sequence[str], timesteps: Sequence[int]
    ) -> Iterator[Callable[[Progress], None]]:
        """Progress reports as a bar, as calls of `on_step_end`, and as the moment to stop."""
        with self.progress_bar(total=steps) as bar:

            def on_progress(progress: Progress) -> None:
                if progress.detail != "sampling" or not progress.done or progress.preview is None:
                    return
                step, latents = progress.done * steps // progress.total - 1, progress.preview()
                bar.update()
                if on_step_end is not None:
                    given = {"latents": latents} if "latents" in tensor_inputs else {}
                    changed = on_step_end(self, step, timesteps[step], dict(given)) or {}
                    if any(changed.get(name) is not given.get(name) for name in changed):
                        raise InputError("callback_on_step_end gave other latents; they can be seen, but not replaced")
                if self._interrupt:
                    raise _Interrupted(latents)

            yield on_progress


class KeyframePipeline(FamilyPipeline):
    """Stage 1: earlier states of an artwork's canvas.  The pictures are those of PaintsUndo.draw_keyframes."""

    checkpoint = "single_frame"
    model_cpu_offload_seq = "text_encoder->unet->vae"

    def __init__(
        self,
        tokenizer: Any,
        text_encoder: nn.Module,
        vae: nn.Module,
        unet: nn.Module,
        family: ModelFamily | None = None,
    ) -> None:
        super().__init__()
        self._adopt(family, tokenizer=tokenizer, text_encoder=text_encoder, vae=vae, unet=unet)

    def __call__(
        self,
        image: ImageInput,
        prompt: str = "",
        negative_prompt: str | None = None,
        operation_steps: Sequence[int] | None = None,
        height: int | None = None,
        width: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: OnStepEnd | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
    ) -> ImagePipelineOutput | tuple:
        """One picture for each operation step, in ascending order: 0 is finished, 999 the first stroke.

        image: the artwork; a PIL image, a path, uint8 (H, W, 3), or floats 0..1, (H, W, 3) as array or (3, H, W) as
        tensor.  What is None is the family's default.  generator: one for all, as PaintsUndo has one seed, or one for
        each operation step; a new one with manual_seed(s) gives the pictures of seed s, and each call moves it on.
        output_type: "pil", "np" (n, h, w, 3) or "pt" (n, 3, h, w) in 0..1, or "latent" (n, 4, h / 8, w / 8), scaled.
        callback_on_step_end: called with the pipeline, step, timestep and {"latents": clean ones as seen so far}; it
        may look at them, and set `_interrupt`.  Raises InputError for what cannot be used.
        """
        given = {
            "prompt": prompt,
            "negative_prompt": negative_prompt,
            "operation_steps": operation_steps,
            "height": height,
            "width": width,
            "sampling_steps": num_inference_steps,
            "guidance_scale": guidance_scale,
        }
        options = _chosen(defaults_of(self.family).keyframes, given)
        self._begin(options, output_type, callback_on_step_end_tensor_inputs)
        asked = options.operation_steps if operation_steps is None else operation_steps
        seeds, noise_device = seeds_of(generator, asked)
        parts, steps = self._parts(len(seeds)), options.sampling_steps
        sigmas = keyframe_sigmas()
        timesteps = [timestep_of_sigma(sigmas, sigma) for sigma in karras_sigmas(sigmas, steps).tolist()[:-1]]
        with self._reporting(steps, callback_on_step_end, callback_on_step_end_tensor_inputs, timesteps) as on_progress:
            artwork = picture_of(image)
            sampling = KeyframeSampling(parts, options, seeds, noise_device, on_progress, _themselves, artwork=artwork)
            try:
                latents = sampling.denoise(range(len(seeds)))
            except _Interrupted as stopped:
                latents = stopped.latents
            pictures = latents.to(parts.device) if output_type == "latent" else np.stack([*sampling.decode(latents)])
        self.maybe_free_model_hooks()
        images = as_output(pictures, output_type)
        return ImagePipelineOutput(images=images) if return_dict else (images,)


class SegmentPipeline(FamilyPipeline):
    """Stage 2: the 16 frames between two keyframes.  They are those of PaintsUndo.fill_segment."""

    checkpoint = "multi_frame"
    model_cpu_offload_seq = "text_encoder->image_encoder->image_projection->unet->vae"

    def __init__(
        self,
        tokenizer: Any,
        text_encoder: nn.Module,
        image_encoder: nn.Module,
        image_projection: nn.Module,
        vae: nn.Module,
        unet: nn.Module,
        family: ModelFamily | None = None,
    ) -> None:
        super().__init__()
        networks = {"image_encoder": image_encoder, "image_projection": image_projection, "vae": vae, "unet": unet}
        self._adopt(family, tokenizer=tokenizer, text_encoder=text_encoder, **networks)

    def __call__(
        self,
        image: ImageInput,
        last_image: ImageInput,
        prompt: str | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        frame_stride: int | None = None,
        generator: torch.Generator | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
        callback_on_step_end: OnStepEnd | None = None,
        callback_on_step_end_tensor_inputs: Sequence[str] = ("latents",),
    ) -> SegmentPipelineOutput | tuple:
        """The frames from one picture to another, at the family's video size nearest to the first one's shape.

        The arguments are those of KeyframePipeline; the outputs have a clip axis in front and a frame axis behind it:
        lists, (1, 16, h, w, 3), (1, 16, 3, h, w), or scaled latents (1, 4, 16, h / 8, w / 8).
        """
        given = {
            "prompt": prompt,
            "sampling_steps": num_inference_steps,
            "guidance_scale": guidance_scale,
            "frame_stride": frame_stride,
        }
        options = _chosen(defaults_of(self.family).segments, given)
        self._begin(options, output_type, callback_on_step_end_tensor_inputs)
        seeds, noise_device = seeds_of(generator, [0])
        parts, steps = self._parts(1), options.sampling_steps
        timesteps = [step.timestep for step in video_steps(steps)]
        with self._reporting(steps, callback_on_step_end, callback_on_step_end_tensor_inputs, timesteps) as on_progress:
            pictures = [picture_of(image), picture_of(last_image)]
            sampling = SegmentSampling(parts, options, seeds, noise_device, on_progress, _themselves, pictures=pictures)
            (key,), latents = sampling.keys, sampling.begun.latents
            try:
                encoded = sampling.denoise([0])
            except _Interrupted as stopped:
                latents[key] = stopped.latents.cpu()
                encoded = sampling.denoise([0])  # nothing is left to sample
            if output_type == "latent":
                frames = latents[key].to(parts.device)
            else:
                ((_, frames),) = sampling.decode([0], encoded)
        self.maybe_free_model_hooks()
        clips = frames if output_type == "latent" else as_output(frames, output_type)
        if output_type in ("np", "pt"):
            clips = clips[None]
        elif output_type == "pil":
            clips = [clips]
        return SegmentPipelineOutput(frames=clips) if return_dict else (clips,)


@dataclass
class PipelineParts:
    """A pipeline's components in the place of Parts: they are wherever the pipeline has them."""

    family: ModelFamily
    components: dict[str, Any]
    device: torch.device
    dtype: torch.dtype
    plan: Plan

    def prefetch(self, part: str) -> None:
        """Nothing: the networks are loaded."""

    def tokenizer(self, checkpoint: str) -> Any:
        """The pipeline's tokenizer."""
        return self.components["tokenizer"]

    def to_host(self, tensor: Tensor) -> Tensor:
        """The tensor in the host's memory."""
        return tensor.cpu()

    @contextmanager
    def on_device(self, part: str) -> Iterator[nn.Module]:
        """The network of a part, brought by diffusers' offloading where that is on."""
        network = self.components[part.split("/")[1]]
        # these hooks wait for a call of the network as a whole, and a VAE is called by its halves
        getattr(network, "_hf_hook", SimpleNamespace(pre_forward=lambda network: None)).pre_forward(network)
        yield network


def _load(family: ModelFamily, part: str, dtype: torch.dtype) -> Any:
    if part.endswith("/tokenizer"):
        return load_tokenizer(family, part)
    if part == "single_frame/vae":  # where the pipeline will compute is not known yet: as on the best device here
        dtype = picture_vae_dtype(pick_device(), dtype)
    return load_part(family, part, dtype)


def _chosen(defaults: Any, given: dict[str, Any]) -> Any:
    return replace(defaults, **{name: value for name, value in given.items() if value is not None})


def _themselves(latents: Tensor) -> Tensor:
    return latents
