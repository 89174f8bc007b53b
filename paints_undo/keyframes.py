"""Stage 1: from the artwork and its prompt to earlier states of the canvas, one for each operation step."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from paints_undo.diffusion.denoisers import KeyframeDenoiser
from paints_undo.diffusion.guidance import Branches, Predict, guided
from paints_undo.diffusion.samplers import Partway, dpm_solver_2m, draw_normal
from paints_undo.diffusion.schedules import TIMESTEPS, karras_sigmas, keyframe_sigmas
from paints_undo.execution.lanes import JointProgress, Lanes
from paints_undo.execution.parts import Networks
from paints_undo.models.context_memory import context_memory
from paints_undo.models.pieces import feed_forward_pieces
from paints_undo.options import KeyframeOptions
from paints_undo.pictures.fit import crop_to
from paints_undo.pictures.tensors import pixels_to_tensor, tensor_to_pixels
from paints_undo.previews import LatentColours, Look
from paints_undo.progress import OnProgress, Preview, Progress, Report, ignore
from paints_undo.prompts import encode_prompts

log = logging.getLogger(__name__)

MOST_STOPPED = 16  # calls whose latents are kept; a megabyte each at the published size


@dataclass
class Begun:
    """What a call that was stopped had sampled, enough to go on from there and come to the same pictures.

    A batch goes on as the batch that it was: in another one it would come out the same only up to rounding.
    """

    latents: dict[tuple[int, int], Tensor] = field(default_factory=dict)  # by operation step and seed, on the host
    under_way: dict[tuple[tuple[int, int], ...], Partway] = field(default_factory=dict)  # by batch


class Stopped:
    """What calls that were stopped had sampled, by everything but steps and seeds; of the last few such calls."""

    def __init__(self) -> None:
        self._begun: dict[str, Begun] = {}  # oldest first

    def taken_up(self, key: str) -> Begun:
        """What there is under this key, empty at first; kept until the call is finished."""
        self._begun[key] = self._begun.pop(key) if key in self._begun else Begun()
        for oldest in list(self._begun)[:-MOST_STOPPED]:
            del self._begun[oldest]
        return self._begun[key]

    def finished(self, key: str) -> None:
        """Forget what belongs to a key."""
        self._begun.pop(key, None)


def draw_keyframes(
    parts: Networks,
    artwork: np.ndarray,
    options: KeyframeOptions,
    noise_device: torch.device,
    on_progress: OnProgress = ignore,
    seeds: Sequence[int] | None = None,
    begun: Begun | None = None,
) -> Iterator[np.ndarray]:
    """Yield a keyframe, uint8 (height, width, 3), for each of options.operation_steps.

    artwork: uint8 (H, W, 3) of any size, cropped to the keyframes' shape.  seeds: one for each operation step;
    options.seed for all by default, so that all share one noise tensor.  No noise is added later, so a keyframe
    depends on its own step and seed and on the size alone.  begun: what an earlier call of the same artwork, settings
    and plan sampled; it is filled on the way, so that a call that is stopped loses no sampling step.
    """
    seeds = [options.seed] * len(options.operation_steps) if seeds is None else list(seeds)
    latents = denoise(parts, artwork, options, noise_device, on_progress, seeds, begun or Begun())
    yield from decode(parts, latents, on_progress)


def denoise(
    parts: Networks,
    artwork: np.ndarray,
    options: KeyframeOptions,
    noise_device: torch.device,
    on_progress: OnProgress,
    seeds: Sequence[int],
    begun: Begun,
    look: Look | None = None,
) -> Tensor:
    """Scaled latents (n, 4, h, w) on the host, one for each of options.operation_steps.

    look: what a report's preview gives of the latents as they are seen so far; the first as a rough picture by default.
    """
    parts.family.check_keyframe_size(options.width, options.height)
    pieces = feed_forward_pieces(parts.plan.feed_forward_pieces)
    with torch.inference_mode(), context_memory(), pieces:
        report = reporting("preparing", on_progress)
        report(0, 1)
        parts.prefetch("single_frame/unet")
        positive, negative = encode(parts, [options.prompt, options.negative_prompt], options.long_prompt)
        crop = crop_to(artwork, options.width, options.height)
        artwork_latent = encode_artwork(parts, crop)
        report(1, 1)
        look = look or first_in_colours(LatentColours.fit(artwork_latent[0], crop))
        conditions = artwork_latent, positive, negative
        return sample(parts, *conditions, options, seeds, noise_device, on_progress, look, begun)


def first_in_colours(colours: LatentColours) -> Look:
    return lambda latents: colours(latents[0])


def encode(parts: Networks, prompts: Sequence[str], long_prompts: bool) -> list[Tensor]:
    """Text embeddings of each prompt on the compute device, (1, 77, width); longer where long prompts are not cut."""
    with parts.on_device("single_frame/text_encoder") as text_encoder:
        return encode_prompts(parts.tokenizer("single_frame"), text_encoder, prompts, long_prompts)


def encode_artwork(parts: Networks, artwork: np.ndarray) -> Tensor:
    """The scaled mode of the artwork's latent distribution, (1, 4, h, w)."""
    with parts.on_device("single_frame/vae") as vae:
        pixels = pixels_to_tensor(artwork).to(parts.device, vae.dtype)
        return (vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor).to(parts.dtype)


def sample(
    parts: Networks,
    artwork_latent: Tensor,
    positive: Tensor,
    negative: Tensor,
    options: KeyframeOptions,
    seeds: Sequence[int],
    noise_device: torch.device,
    on_progress: OnProgress,
    look: Look,
    begun: Begun,
) -> Tensor:
    """Scaled latents (n, 4, h, w) on the host, one for each operation step; as many at a time as the plan says."""
    sigmas = karras_sigmas(keyframe_sigmas(), options.sampling_steps).tolist()
    wanted = list(zip(options.operation_steps, seeds, strict=True))
    missing = [each for each in wanted if each not in begun.latents]
    at_once, lanes = parts.plan.keyframes_at_once, Lanes(parts.plan.lanes)
    batches = [tuple(missing[begin : begin + at_once]) for begin in range(0, len(missing), at_once)]
    begun.under_way = {batch: begun.under_way.get(batch, Partway()) for batch in batches}
    progress = JointProgress(lanes, reporting("sampling", on_progress), [len(batch) for batch in batches])
    with parts.on_device("single_frame/unet") as unet:
        progress.begin(options.sampling_steps)

        def sampled(place: int) -> Tensor:
            batch = batches[place]
            steps = [step for step, _ in batch]
            generators = [torch.Generator(noise_device).manual_seed(seed) for _, seed in batch]
            noise = [draw_normal(artwork_latent.shape, each, parts.dtype, parts.device) for each in generators]

            def on_step(done: int, total: int, seen: Tensor) -> None:
                progress.step(place, done, total, lambda: look(seen))

            predict = prediction(parts, unet, artwork_latent, positive, negative, steps, options.guidance_scale)
            denoise = partial(KeyframeDenoiser(parts.family.keyframe_prediction), predict)
            return dpm_solver_2m(denoise, torch.cat(noise), sigmas, on_step, begun.under_way[batch]).cpu()

        for place, latents in lanes.run([partial(sampled, place) for place in range(len(batches))]):
            begun.latents |= dict(zip(batches[place], latents.split(1), strict=True))
            del begun.under_way[batches[place]]
    return torch.cat([begun.latents[each] for each in wanted])


def prediction(
    parts: Networks,
    unet: nn.Module,
    artwork_latent: Tensor,
    positive: Tensor,
    negative: Tensor,
    operation_steps: Sequence[int],
    guidance_scale: float,
) -> Predict:
    """The guided prediction for a few operation steps, whose latents are one batch."""
    steps = torch.tensor(operation_steps, device=parts.device)
    timesteps = torch.arange(TIMESTEPS, device=parts.device)  # once, so that no step waits for a copy of its number

    def told(*texts: Tensor) -> Predict:
        text = torch.cat([each.expand(len(steps), -1, -1) for each in texts])
        rows = steps.repeat(len(texts))
        return lambda x, timestep: unet(x, timesteps[timestep], text, artwork_latent, rows)

    if parts.plan.guidance_batch:
        branches = Branches.in_one_batch(told(positive), told(positive, negative))
    else:
        branches = Branches.in_two_passes(told(positive), told(negative))
    return guided(branches, guidance_scale)


def decode(parts: Networks, latents: Tensor, on_progress: OnProgress) -> Iterator[np.ndarray]:
    """Yield pixels uint8 (H, W, 3) of scaled latents; one picture at a time, because decoding needs the most memory."""
    report = reporting("decoding", on_progress)
    with parts.on_device("single_frame/vae") as vae:
        report(0, len(latents))
        for done, latent in enumerate(latents.to(parts.device, vae.dtype).split(1), start=1):
            with torch.inference_mode():  # not around the yield: the caller's code is not ours to switch
                decoded = vae.decode(latent / vae.config.scaling_factor).sample
            yield tensor_to_pixels(decoded.float())[0]
            report(done, len(latents))  # after the caller has kept the picture: a cancel loses nothing finished


def reporting(detail: str, on_progress: OnProgress) -> Report:
    def report(done: int, total: int, preview: Preview | None = None, at_once: int = 1) -> None:
        on_progress(Progress("keyframes", detail, done, total, preview, at_once))

    return report
