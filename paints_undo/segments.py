"""Stage 2: from neighbouring keyframes to the 16 frames between them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from paints_undo.diffusion.denoisers import SegmentDenoiser
from paints_undo.diffusion.guidance import Branches, Predict, guided_within, rescaled_guidance
from paints_undo.diffusion.samplers import ddim, draw_normal
from paints_undo.diffusion.schedules import TIMESTEPS, video_steps
from paints_undo.execution.lanes import JointProgress, Lanes
from paints_undo.execution.parts import Networks
from paints_undo.family.model_family import SEGMENT_HINTS
from paints_undo.models.context_memory import context_memory
from paints_undo.models.feature_reuse import feature_reuse
from paints_undo.models.pieces import feed_forward_pieces
from paints_undo.options import ALL_TIMESTEPS, SegmentOptions, pair_seeds
from paints_undo.pictures.fit import crop_to, nearest_bucket
from paints_undo.pictures.tensors import pixels_to_tensor, tensor_to_pixels
from paints_undo.previews import LatentColours, Look
from paints_undo.progress import OnProgress, Preview, Progress, Report, ignore
from paints_undo.prompts import encode_prompts

NEGATIVE_PROMPT = ""
HiddenStates = list[Tensor]  # each (1, c, h, w): what the decoder looks back at


@dataclass(frozen=True)
class Conditions:
    """What guides the denoising of one or more pairs, beside their latents."""

    text: Tensor  # (b, 77, width)
    image: Tensor  # (b, 16 frames, 16 tokens, width)

    @staticmethod
    def joined(some: Sequence["Conditions"]) -> "Conditions":
        """Those of several samples as one batch."""
        return Conditions(torch.cat([c.text for c in some]), torch.cat([c.image for c in some]))


def fill_segments(
    parts: Networks,
    pictures: Sequence[np.ndarray] | np.ndarray,
    options: SegmentOptions,
    noise_device: torch.device,
    on_progress: OnProgress = ignore,
    wanted: Sequence[int] | None = None,
    seeds: Sequence[int] | None = None,
    denoised: dict[int, Tensor] | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (pair number, frames uint8 (16, h, w, 3)), pair by pair, each from its first picture to its second.

    pictures: two or more uint8 (H, W, 3), the artwork first, the white canvas last; all are cropped to the family's
    video size nearest to the first one's shape.  Pair i lies between pictures i and i + 1.  wanted: the pairs to fill,
    all by default.  seeds: one for each pair, wanted or not; options.seed + i by default.  All pairs are encoded, then
    denoised, then decoded, so that each network is brought to the device once.  denoised: the latents of pairs that
    an earlier call got so far; it is filled on the way, so that a call that ran out of memory loses none.
    """
    wanted = list(range(len(pictures) - 1)) if wanted is None else list(wanted)
    if not wanted:
        return
    denoised = {} if denoised is None else denoised
    seeds = pair_seeds(options.seed, range(len(pictures) - 1)) if seeds is None else list(seeds)
    pixels, states = denoise_pairs(parts, pictures, options, noise_device, on_progress, wanted, seeds, denoised)
    yield from decode(parts, {i: denoised[i] for i in wanted}, pixels, states, on_progress)


def denoise_pairs(
    parts: Networks,
    pictures: Sequence[np.ndarray] | np.ndarray,
    options: SegmentOptions,
    noise_device: torch.device,
    on_progress: OnProgress,
    wanted: Sequence[int],
    seeds: Sequence[int],
    denoised: dict[int, Tensor],
    look: Look | None = None,
) -> tuple[dict[int, Tensor], dict[int, HiddenStates]]:
    """Fill `denoised` with the latents (1, 4, 16, h, w) of the wanted pairs; returns what else the decoder needs.

    look: what a report's preview gives of the latents as they are seen so far; the middle frame of the first pair as a
    rough picture by default.
    """
    with torch.inference_mode(), feed_forward_pieces(parts.plan.feed_forward_pieces):
        height, width = nearest_bucket(pictures[0].shape[0], pictures[0].shape[1], parts.family.video_sizes)
        used = sorted({picture for pair in wanted for picture in (pair, pair + 1)})
        pixels = {i: pixels_to_tensor(crop_to(pictures[i], width, height)).to(parts.dtype) for i in used}
        latents, states = encode_keyframes(parts, pixels, on_progress)
        missing = [i for i in wanted if i not in denoised]
        if missing:
            report = reporting("conditions", on_progress)
            report(0, 1)
            positives, negative = encode_conditions(parts, pixels, missing, options)
            report(1, 1)
            ends = {i: (latents[i], latents[i + 1]) for i in missing}
            colours = LatentColours.fit(latents[used[0]], crop_to(pictures[used[0]], width, height))
            conditions = positives, negative, options, seeds, noise_device
            for i, latent in denoise(parts, ends, *conditions, on_progress, look or middle_in_colours(colours)):
                denoised[i] = latent
    return pixels, states


def middle_in_colours(colours: LatentColours) -> Look:
    return lambda latents: colours(latents[0, :, latents.shape[2] // 2])


def encode_keyframes(
    parts: Networks, pixels: dict[int, Tensor], on_progress: OnProgress
) -> tuple[dict[int, Tensor], dict[int, HiddenStates]]:
    """Each picture (1, 3, H, W) through the VAE's encoder: scaled latents (4, h, w), and hidden states where they stay.

    On a CPU the decoder finds the hidden states here.  Elsewhere they would be moved to the host and back, 3 GB in a
    run of the published size: encoding the pictures again, when the decoder is on the device, is a thousandth of it.
    """
    latents, states = {}, {}
    report = reporting("preparing", on_progress)
    report(0, len(pixels))
    with parts.on_device("multi_frame/vae") as vae:
        for done, (i, picture) in enumerate(pixels.items(), start=1):
            latent, hidden_states = vae.encode(picture.to(parts.device))
            latents[i] = latent[0]
            if parts.device.type == "cpu":
                states[i] = hidden_states
            report(done, len(pixels))
    return latents, states


def encode_conditions(
    parts: Networks, pixels: dict[int, Tensor], wanted: list[int], options: SegmentOptions
) -> tuple[dict[int, Conditions], Conditions]:
    """The positive conditions of each wanted pair, and the negative ones that all share.

    The negative image is an all-zero pair, mid-grey: what the original guides away from.
    """
    with parts.on_device("multi_frame/text_encoder") as text_encoder:
        tokenizer = parts.tokenizer("multi_frame")
        prompts = [options.prompt, NEGATIVE_PROMPT]
        text, negative_text = encode_prompts(tokenizer, text_encoder, prompts, options.long_prompt)
    with parts.on_device("multi_frame/image_encoder") as image_encoder:
        clip = {i: image_encoder(picture.to(parts.device)) for i, picture in pixels.items()}
        grey = image_encoder(torch.zeros_like(next(iter(pixels.values())), device=parts.device))
    with parts.on_device("multi_frame/image_projection") as image_projection:
        images = {i: image_projection(torch.stack([clip[i], clip[i + 1]], dim=1)) for i in wanted}
        negative_image = image_projection(torch.stack([grey, grey], dim=1))
    return {i: Conditions(text, image) for i, image in images.items()}, Conditions(negative_text, negative_image)


def denoise(
    parts: Networks,
    ends: dict[int, tuple[Tensor, Tensor]],
    positives: dict[int, Conditions],
    negative: Conditions,
    options: SegmentOptions,
    seeds: Sequence[int],
    noise_device: torch.device,
    on_progress: OnProgress,
    look: Look,
) -> Iterator[tuple[int, Tensor]]:
    """Yield (pair number, scaled latents (1, 4, 16, h, w) on the host), as many pairs at a time as the plan says."""
    numbers, at_once, lanes = list(ends), parts.plan.pairs_at_once, Lanes(parts.plan.lanes)
    groups = [numbers[begin : begin + at_once] for begin in range(0, len(numbers), at_once)]
    progress = JointProgress(lanes, reporting("sampling", on_progress), [len(group) for group in groups])
    steps = video_steps(options.sampling_steps)
    parts.prefetch("multi_frame/vae")
    with parts.on_device("multi_frame/unet") as unet:
        progress.begin(options.sampling_steps)

        def sampled(place: int) -> Tensor:
            group = groups[place]
            first, last = (torch.stack([ends[i][end] for i in group]) for end in (0, 1))
            hint = keyframe_hint(first, last, unet.config.temporal_length, parts.family.segment_hint)
            generators = [torch.Generator(noise_device).manual_seed(seeds[i]) for i in group]

            def draw_noise() -> Tensor:
                return torch.cat([draw_normal(hint[:1].shape, each, parts.dtype, parts.device) for each in generators])

            def on_step(done: int, total: int, seen: Tensor) -> None:
                progress.step(place, done, total, lambda: look(seen))

            with context_memory(), feature_reuse(options.reuse_interval):
                predict = prediction(parts, unet, [positives[i] for i in group], negative, hint, options)
                return ddim(partial(SegmentDenoiser(), predict), draw_noise(), steps, draw_noise, on_step).cpu()

        for place, latents in lanes.run([partial(sampled, place) for place in range(len(groups))]):
            yield from zip(groups[place], latents.split(1), strict=True)


def prediction(
    parts: Networks,
    unet: nn.Module,
    positives: Sequence[Conditions],
    negative: Conditions,
    hint: Tensor,
    options: SegmentOptions,
) -> Predict:
    """The guided prediction of some pairs' v; hint (n, 4, frames, h, w)."""
    timesteps = torch.arange(TIMESTEPS, device=parts.device)  # once, so that no step waits for a copy of its number
    stride = torch.tensor([options.frame_stride], device=parts.device)

    def told(conditions: Sequence[Conditions]) -> Predict:
        c, times = Conditions.joined(conditions), len(conditions) // len(hint)
        hints, strides = hint.repeat(times, 1, 1, 1, 1), stride.expand(len(conditions))
        return lambda x, t: unet(x, timesteps[t].expand(len(x)), c.text, c.image, hints, strides)

    negatives = [negative] * len(positives)
    if parts.plan.guidance_batch:
        branches = Branches.in_one_batch(told(positives), told([*positives, *negatives]))
    else:
        branches = Branches.in_two_passes(told(positives), told(negatives))
    guided = rescaled_guidance(branches, options.guidance_scale)
    if options.guidance_interval == ALL_TIMESTEPS:
        return guided
    return guided_within(*options.guidance_interval, guided, branches.positive)


def keyframe_hint(first: Tensor, last: Tensor, frames: int, kind: str) -> Tensor:
    """What the 3D UNet sees of both keyframes' latents (..., 4, h, w) beside the noise, (1 or more, 4, frames, h, w).

    kind: "ends", the keyframes as first and last frame of an otherwise empty video, is the published networks';
    "cross_fade" fades from one to the other, which spares a small network from learning where to copy from.

    Raises ValueError for another kind.
    """
    if kind not in SEGMENT_HINTS:
        raise ValueError(f"segment_hint is {kind!r}, but it can only be one of {', '.join(SEGMENT_HINTS)}")
    share = torch.linspace(0, 1, frames, device=first.device).view(-1, 1, 1)
    weights = (1 - share, share) if kind == "cross_fade" else (share == 0, share == 1)
    hint = first.unsqueeze(-3) * weights[0] + last.unsqueeze(-3) * weights[1]
    return hint.to(first.dtype).reshape(-1, *hint.shape[-4:])


def decode(
    parts: Networks,
    latents: dict[int, Tensor],
    pixels: dict[int, Tensor],
    states: dict[int, HiddenStates],
    on_progress: OnProgress,
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (pair number, frames uint8 (16, H, W, 3)) of each pair's scaled latents; used hidden states are let go."""
    report, plan, numbers = reporting("decoding", on_progress), parts.plan, list(latents)
    lanes, waiting = Lanes(plan.lanes), set(numbers)
    with parts.on_device("multi_frame/vae") as vae:
        report(0, len(latents), at_once=plan.lanes)

        def references(number: int) -> list[Tensor]:
            for i in (number, number + 1):
                if i not in states:
                    states[i] = vae.encode(pixels[i].to(parts.device))[1]
            joined = [torch.stack(pair, 1) for pair in zip(states[number], states[number + 1], strict=True)]
            waiting.remove(number)
            for i in {number, number + 1} - waiting - {pair + 1 for pair in waiting}:
                del states[i]
            return joined

        @torch.inference_mode()  # not around the yield: the caller's code is not ours to switch
        def decoded(number: int) -> np.ndarray:
            with lanes.turn():
                between = references(number)
            video = vae.decode(latents[number].to(parts.device), between, plan.decoded_frames, plan.spill)[0].float()
            return tensor_to_pixels(video.transpose(0, 1))

        works = [partial(decoded, number) for number in numbers]
        for done, (place, frames) in enumerate(lanes.run(works), start=1):
            yield numbers[place], frames
            # after the caller has kept the frames: a cancel loses nothing finished
            report(done, len(latents), at_once=plan.lanes)


def reporting(detail: str, on_progress: OnProgress) -> Report:
    def report(done: int, total: int, preview: Preview | None = None, at_once: int = 1) -> None:
        on_progress(Progress("segments", detail, done, total, preview, at_once))

    return report
