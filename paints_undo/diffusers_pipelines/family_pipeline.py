"""What both stages' pipelines have in common: how they are loaded, read prompts, sample, report and are stopped."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from diffusers import DiffusionPipeline
from diffusers.callbacks import MultiPipelineCallbacks, PipelineCallback
from torch import Tensor, nn

from paints_undo import validation
from paints_undo.diffusers_pipelines import loading
from paints_undo.diffusers_pipelines.schedulers import KeyframeScheduler, SegmentScheduler
from paints_undo.diffusers_pipelines.values import alike, listed
from paints_undo.diffusion.guidance import Predict
from paints_undo.errors import InputError
from paints_undo.execution.plan import RESIDENT, Plan
from paints_undo.family.choice import defaults_of
from paints_undo.family.model_family import ModelFamily, described_fields, description_of
from paints_undo.stages.prompts import encode_prompts

OnStepEnd = Callable[[DiffusionPipeline, int, Tensor, dict[str, Any]], dict[str, Any] | None]
# (text embeddings, those to keep away from or None, guidance scale) -> what samples with them
Telling = Callable[[Tensor, Tensor | None, float], Predict]


class FamilyPipeline(DiffusionPipeline):
    """A pipeline of diffusers whose networks are a model family's.

    family: what the networks were trained for; `**pipeline.components, **pipeline.parameters` build another of these.
    """

    checkpoint: str  # "single_frame" or "multi_frame"
    _callback_tensor_inputs = ["latents", "prompt_embeds", "denoised"]
    _optional_components = ["tokenizer", "text_encoder"]  # prompts may come encoded
    family: ModelFamily

    def _adopt(self, family: ModelFamily | dict | None, **components: Any) -> None:
        if family is None:
            raise InputError("a pipeline needs family=; give **pipeline.parameters beside **pipeline.components")
        self.register_modules(**components)
        if isinstance(family, dict):
            held = {f"{self.checkpoint}/{name}": config_of(components[name]) for name in ("vae", "unet")}
            fields = described_fields(Path(self.config_name), family)
            try:
                family = ModelFamily(family["name"], {}, configs=held, **fields)
            except KeyError as error:
                raise InputError(f"{type(self).__name__} is not for such networks: none has {error}") from None
        self.register_to_config(family=description_of(family))
        self.family = family
        self._interrupt = False
        self._guidance_scale, self._num_timesteps = 1.0, 0  # of the latest call

    @classmethod
    def own_scheduler(cls, family: ModelFamily) -> KeyframeScheduler | SegmentScheduler:
        """The scheduler that samples as PaintsUndo does."""
        raise NotImplementedError

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path = "auto", **options: Any) -> "FamilyPipeline":
        """The pipeline of a model family, of a folder that save_pretrained wrote, or of a repository on the hub.

        pretrained_model_name_or_path: "mini"; "released", or one of its repositories, which is downloaded where it is
        not there (7.6 GB); "auto"; a family's folder; a saved folder; owner/name.
        options: as diffusers has them, such as dtype= (float32, float16, bfloat16, or a dict by component), device_map=
        ("cpu", or the name of the GPU), and components in place of those that would be loaded, such as unet=...; with
        text_encoder=None, tokenizer=None a call needs prompt_embeds=.  For "released" also cache_dir= and
        local_files_only=.  The networks stay on the CPU without device_map; .to() moves them.
        Raises CheckpointError where a family's files are missing or damaged, InputError for what cannot be used.
        """
        name = str(pretrained_model_name_or_path)
        named = options.pop("torch_dtype", None)  # its former name
        dtypes = loading.dtypes_of(options.pop("dtype", None) or named, cls.checkpoint)
        if (device := options.get("device_map")) not in (None, *loading.DEVICES):
            some = ", ".join(loading.DEVICES)
            raise InputError(
                f"device_map is {device!r}, but a pipeline's networks work on one device; use one of {some}"
            )
        if not loading.is_family(name):
            if options.setdefault("use_safetensors", True) is not True:
                raise InputError("use_safetensors must be True: files that may hold programs are not opened")
            return super().from_pretrained(name, dtype=dtypes, **options)
        names, _ = cls._get_signature_keys(cls)
        components = {part: options.pop(part) for part in names if part in options}
        options.pop("device_map", None)
        family = loading.find(name, options.pop("cache_dir", None), options.pop("local_files_only", None))
        loading.check_fixed(name, options, names)
        components.setdefault("scheduler", cls.own_scheduler(family))
        for part in names:
            if part not in components:
                dtype = dtypes.get(part, dtypes["default"])
                components[part] = loading.load(family, f"{cls.checkpoint}/{part}", dtype)
        pipeline = cls(**components, family=family)
        pipeline.register_to_config(_name_or_path=name)
        return pipeline if device is None else pipeline.to(device)

    @classmethod
    def from_pipe(cls, pipeline: DiffusionPipeline, **options: Any) -> "FamilyPipeline":
        """A pipeline of this class with the components of another, which are shared; components given take their place.

        The two stages have no network in common, so that one is made of the other only with all components given.
        As everywhere in diffusers, the networks are brought to dtype=, which is float32 where it is not given.
        """
        names, _ = cls._get_signature_keys(cls)
        lacking = [name for name in names if name not in options]
        if getattr(pipeline, "checkpoint", None) != cls.checkpoint and lacking:
            raise InputError(
                f"{cls.__name__} shares no network with {type(pipeline).__name__}, and {', '.join(lacking)} are not "
                f"given; load it with {cls.__name__}.from_pretrained"
            )
        return super().from_pipe(pipeline, **options)

    @property
    def interrupt(self) -> bool:
        """Whether the call at work is to end early; setting `_interrupt` ends it after the sampling step at work."""
        return self._interrupt

    @property
    def guidance_scale(self) -> float:
        """Of the latest call; a callback may set `_guidance_scale`.  At 1 and below no negative prompt has a say."""
        return self._guidance_scale

    @property
    def do_classifier_free_guidance(self) -> bool:
        """Whether the negative prompt has a say."""
        return self._guidance_scale > 1

    @property
    def num_timesteps(self) -> int:
        """How many sampling steps the latest call has."""
        return self._num_timesteps

    @property
    def vae_scale_factor(self) -> int:
        """Pixels for each latent, along height and along width."""
        vae = self.family.config(f"{self.checkpoint}/vae")
        return 2 ** (len(vae["block_out_channels" if self.checkpoint == "single_frame" else "ch_mult"]) - 1)

    @torch.no_grad()
    def encode_prompt(
        self,
        prompt: str | Sequence[str] | None,
        device: torch.device | None = None,
        num_images_per_prompt: int = 1,
        do_classifier_free_guidance: bool = True,
        negative_prompt: str | Sequence[str] | None = None,
        prompt_embeds: Tensor | None = None,
        negative_prompt_embeds: Tensor | None = None,
    ) -> tuple[Tensor, Tensor | None]:
        """Text embeddings (n, tokens, width) of n prompts, and as many of what to keep away from, or None.

        tokens: 77, or more where the family reads long prompts.  Either is given as words or as embeddings.
        """
        parts, guided = self._parts(), do_classifier_free_guidance
        given = (("prompt", prompt, prompt_embeds), ("negative_prompt", negative_prompt, negative_prompt_embeds))
        for name, text, embeds in given:
            if text and embeds is not None:
                raise InputError(f"{name} and {name}_embeds are given; give one of them")
        words = {} if prompt_embeds is not None else {"prompt": listed("" if prompt is None else prompt)}
        if guided and negative_prompt_embeds is None:
            words["negative prompt"] = listed("" if negative_prompt is None else negative_prompt)
        texts = [validation.text(name, text) for name, each in words.items() for text in each]
        if texts and None in (self.components["text_encoder"], self.components["tokenizer"]):
            raise InputError(f"the pipeline has no text encoder; give the {' and the '.join(words)} as embeddings")
        encoded: list[Tensor] = []
        if texts:
            with parts.on_device(f"{self.checkpoint}/text_encoder") as network:
                encoded = encode_prompts(
                    self.components["tokenizer"], network, texts, self._reads_long_prompts, parts.device
                )
        to = {"device": device or parts.device, "dtype": parts.dtype}
        positive = torch.cat(encoded[: len(words.get("prompt", ()))]) if prompt_embeds is None else prompt_embeds
        negative = negative_prompt_embeds
        if negative is None and guided:
            negative = torch.cat(encoded[len(words.get("prompt", ())) :])
        for name, embeds in (("prompt_embeds", positive), ("negative_prompt_embeds", negative)):
            if embeds is not None and (embeds.ndim != 3 or embeds.shape[1:] != positive.shape[1:]):
                raise InputError(f"{name} are {tuple(embeds.shape)}; give (prompts, tokens, width), the same for both")
        positive = positive.to(**to).repeat_interleave(num_images_per_prompt, dim=0)
        if negative is None or not guided:
            return positive, None
        (rows,) = alike(len(positive) // num_images_per_prompt, negative_prompt=negative.to(**to).split(1))
        return positive, torch.cat(rows).repeat_interleave(num_images_per_prompt, dim=0)

    @property
    def _reads_long_prompts(self) -> bool:
        defaults = defaults_of(self.family)
        return (defaults.keyframes if self.checkpoint == "single_frame" else defaults.segments).long_prompt

    def _parts(self) -> "PipelineParts":
        device, unet = torch.device(self._execution_device), self.components["unet"]
        plan = RESIDENT if device.type != "cpu" else replace(RESIDENT, decoded_frames=None)
        return PipelineParts(self.family, self.components, device, next(unet.parameters()).dtype, plan)

    def _begin(self, guidance_scale: float, steps: int, device: torch.device) -> None:
        own = self.own_scheduler(self.family)
        own.check(self.scheduler)
        self.scheduler.set_timesteps(steps, device=device)
        self._interrupt, self._guidance_scale = False, guidance_scale
        self._num_timesteps = len(self.scheduler.timesteps)

    def _denoise(
        self,
        noise: Tensor,
        prompt_embeds: Tensor,
        telling: Telling,
        generator: Any,
        on_step_end: OnStepEnd | None,
        tensor_inputs: Sequence[str],
    ) -> Tensor:
        """Clean latents from noise; prompt_embeds: a row for each prompt, where guided after the negative ones."""
        wanted = inspect.signature(self.scheduler.step).parameters
        extra = {"generator": generator} if "generator" in wanted else {}
        count = len(prompt_embeds) // (2 if self.do_classifier_free_guidance else 1)
        x, told = noise * self.scheduler.init_noise_sigma, None
        with self.progress_bar(total=self._num_timesteps) as bar:
            for i, t in enumerate(self.scheduler.timesteps):
                if told is None or told[0] is not prompt_embeds or told[1] != self._guidance_scale:
                    told = prompt_embeds, self._guidance_scale
                    predict = telling(*self._halves(prompt_embeds, count), max(1.0, float(self._guidance_scale)))
                read = self.scheduler.scale_model_input(x, t).to(noise.dtype)
                step = self.scheduler.step(predict(read, t), t, x, **extra)
                x, denoised = step.prev_sample.to(noise.dtype), getattr(step, "pred_original_sample", None)
                denoised = x if denoised is None else denoised
                if on_step_end is not None:
                    tensors = {"latents": x, "prompt_embeds": prompt_embeds, "denoised": denoised}
                    left = on_step_end(self, i, t, {name: tensors[name] for name in tensor_inputs}) or {}
                    x, prompt_embeds = left.get("latents", x), left.get("prompt_embeds", prompt_embeds)
                bar.update()
                if self.interrupt:
                    return denoised
        return x

    def _halves(self, prompt_embeds: Tensor, count: int) -> tuple[Tensor, Tensor | None]:
        """What to draw and what to keep away from."""
        guided = self.do_classifier_free_guidance
        if len(prompt_embeds) == 2 * count:
            return prompt_embeds[count:], prompt_embeds[:count] if guided else None
        if guided or len(prompt_embeds) != count:
            raise InputError(
                f"callback_on_step_end left prompt_embeds of {len(prompt_embeds)} rows at guidance scale "
                f"{self._guidance_scale:g}; {count} prompts need {count}, or {2 * count} with negative ones before them"
            )
        return prompt_embeds, None

    def _tensor_inputs(self, on_step_end: OnStepEnd | None, names: Sequence[str]) -> Sequence[str]:
        if isinstance(on_step_end, PipelineCallback | MultiPipelineCallbacks):
            names = on_step_end.tensor_inputs
        for name in names:
            if name not in self._callback_tensor_inputs:
                raise InputError(
                    f"callback_on_step_end_tensor_inputs names {name!r}; these can be handed on: "
                    f"{', '.join(self._callback_tensor_inputs)}"
                )
        return names


def prompts_for(count: int, positive: Tensor, negative: Tensor | None) -> Tensor:
    """Embeddings of so many prompts, where there are negative ones after them; one alone is for all."""
    several = {} if negative is None else {"negative_prompt": negative.split(1)}
    halves = alike(count, **several, prompt=positive.split(1))
    return torch.cat([row for half in halves for row in half])


def words_or(default: str, words: Any, embeds: Tensor | None) -> Any:
    """The words of a prompt, by default these, unless it comes as embeddings."""
    return default if words is None and embeds is None else words


def given_latents(latents: Tensor, shape: Sequence[int], like: Tensor) -> Tensor:
    """The noise that somebody gives, where it has this shape."""
    if tuple(latents.shape) != tuple(shape):
        raise InputError(f"latents are {tuple(latents.shape)}, but must be {tuple(shape)}: noise of variance 1")
    return latents.to(like)


def config_of(network: Any) -> dict[str, Any]:
    """The sizes of a network, as its config.json has them."""
    return asdict(network.config) if is_dataclass(network.config) else dict(network.config)  # type: ignore[arg-type]


def chosen(defaults: Any, **given: Any) -> Any:
    """The options with those that are given."""
    return replace(defaults, **{name: value for name, value in given.items() if value is not None})


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
