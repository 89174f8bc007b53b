"""Stage 2: from neighbouring keyframes to the 16 frames between them."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor, nn

from paints_undo.diffusion.denoisers import SegmentDenoiser
from paints_undo.diffusion.guidance import Branches, Predict, guided_within, rescaled_guidance
from paints_undo.diffusion.samplers import OnStep, ddim
from paints_undo.diffusion.schedules import video_steps
from paints_undo.execution.lanes import Lanes
from paints_undo.models.context_memory import context_memory
from paints_undo.models.feature_reuse import feature_reuse, sampling_step
from paints_undo.models.pieces import feed_forward_pieces
from paints_undo.options import ALL_TIMESTEPS, SegmentOptions
from paints_undo.pictures.fit import crop_to, nearest_bucket
from paints_undo.pictures.tensors import pixels_to_tensor, tensor_to_pixels
from paints_undo.progress import Part
from paints_undo.run.course import segment_parts
from paints_undo.stages.memory import content_key
from paints_undo.stages.previews import LatentColours
from paints_undo.stages.prompts import encode_prompts
from paints_undo.stages.sampling import Sampling, timesteps_on

NEGATIVE_PROMPT = ""
HiddenStates = list[Tensor]  # each (1, c, h, w): what the decoder looks back at


@dataclass(frozen=True)
class PairConditions:
    """What guides the denoising of one or more pairs, beside their latents."""

    text: Tensor  # (b, 77, width)
    image: Tensor  # (b, 16 frames, 16 tokens, width)

    @staticmethod
    def joined(some: Sequence["PairConditions"]) -> "PairConditions":
        """Those of several samples as one batch."""
        return PairConditions(torch.cat([c.text for c in some]), torch.cat([c.image for c in some]))


@dataclass(frozen=True)
class Encoded:
    """What the pairs' pictures come to, by picture."""

    pixels: dict[int, Tensor]  # (1, 3, H, W) on the host
    latents: dict[int, Tensor]  # (4, h, w), scaled
    states: dict[int, HiddenStates]  # where they stay, and as long as the decoder needs them


@dataclass(eq=False)
class SegmentSampling(Sampling):
    """Segments between pictures; piece i is the pair of pictures i and i + 1, from the first to the second.

    pictures: two or more uint8 (H, W, 3), the artwork first, the white canvas last; all are cropped to the family's
    video size nearest to the first one's shape.  All pairs are encoded, then denoised, then decoded, so that each
    network is brought to the device once.
    """

    stage = "segments"

    options: SegmentOptions
    pictures: Sequence[np.ndarray] | np.ndarray = field(kw_only=True)

    @cached_property
    def keys(self) -> list[str]:
        settings, shape = asdict(self.options), self.pictures[0].shape
        return [
            content_key({**settings, "seed": seed, "shape": shape}, *self.pictures[pair : pair + 2])
            for pair, seed in enumerate(self.seeds)
        ]

    @property
    def alike(self) -> str:
        """One text for everything but pictures and seeds, so that an edited keyframe leaves the other pairs."""
        return content_key({**asdict(self.options), "seed": None})

    def course(self, wanted: Sequence[int]) -> tuple[Part, ...]:
        """What filling these pairs takes; the first picture's shape decides about the size of all frames."""
        return segment_parts(self.parts.family, self.pictures[0].shape, wanted, self.options)

    def draw(self, wanted: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (pair, frames uint8 (16, h, w, 3)) for each of these pairs."""
        yield from self.decode(wanted, self.denoise(wanted))

    def denoise(self, wanted: Sequence[int]) -> Encoded:
        """Put the latents (1, 4, 16, h, w) of these pairs into `begun`; returns what else the decoder needs."""
        parts = self.parts
        with torch.inference_mode(), feed_forward_pieces(parts.plan.feed_forward_pieces):
            encoded, missing = self.encode(wanted), self.missing(wanted)
            if missing:
                report = self.report("conditions")
                report(0, 1)
                positives, negative = self.encode_conditions(encoded.pixels, missing)
                report(1, 1)
                first = min(encoded.latents)
                look = self.look or LatentColours.fit(encoded.latents[first], self.cropped(first)).of_first
                parts.prefetch("multi_frame/vae")
                with parts.on_device("multi_frame/unet") as unet:
                    sample = partial(self.sample, unet, encoded.latents, positives, negative)
                    self.sample_in_groups(missing, parts.plan.pairs_at_once, sample, look)
        return encoded

    def encode(self, wanted: Sequence[int]) -> Encoded:
        """Each picture of these pairs through the VAE's encoder.

        On a CPU the decoder finds the hidden states here.  Elsewhere they would be moved to the host and back, 3 GB in
        a run of the published size: encoding the pictures again, when the decoder is on the device, is a thousandth of
        it.
        """
        parts, used = self.parts, sorted({picture for pair in wanted for picture in (pair, pair + 1)})
        pixels = {i: pixels_to_tensor(self.cropped(i)).to(parts.dtype) for i in used}
        encoded = Encoded(pixels, {}, {})
        report = self.report("preparing")
        report(0, len(used))
        with parts.on_device("multi_frame/vae") as vae:
            for done, i in enumerate(used, start=1):
                latent, hidden_states = vae.encode(pixels[i].to(parts.device))
                encoded.latents[i] = latent[0]
                if parts.device.type == "cpu":
                    encoded.states[i] = hidden_states
                report(done, len(used))
        return encoded

    def cropped(self, picture: int) -> np.ndarray:
        """A picture at the video size."""
        height, width = self.pictures[0].shape[:2]
        height, width = nearest_bucket(height, width, self.parts.family.video_sizes)
        return crop_to(self.pictures[picture], width, height)

    def encode_conditions(
        self, pixels: dict[int, Tensor], wanted: Sequence[int]
    ) -> tuple[dict[int, PairConditions], PairConditions]:
        """The positive conditions of each wanted pair, and the negative ones that all share.

        The negative image is an all-zero pair, mid-grey: what the original guides away from.
        """
        parts, options = self.parts, self.options
        with parts.on_device("multi_frame/text_encoder") as text_encoder:
            tokenizer = parts.tokenizer("multi_frame")
            prompts = [options.prompt, NEGATIVE_PROMPT]
            text, negative_text = encode_prompts(tokenizer, text_encoder, prompts, options.long_prompt, parts.device)
        images, negative_image = self.encode_images(pixels, wanted)
        positives = {i: PairConditions(text, image) for i, image in images.items()}
        return positives, PairConditions(negative_text, negative_image)

    def encode_images(self, pixels: dict[int, Tensor], wanted: Sequence[int]) -> tuple[dict[int, Tensor], Tensor]:
        """The image tokens (1, 16 frames, 16 tokens, width) of each wanted pair, and those of the all-zero pair."""
        parts = self.parts
        with parts.on_device("multi_frame/image_encoder") as image_encoder:
            clip = {i: image_encoder(picture.to(parts.device)) for i, picture in pixels.items()}
            grey = image_encoder(torch.zeros_like(next(iter(pixels.values())), device=parts.device))
        with parts.on_device("multi_frame/image_projection") as image_projection:
            images = {i: image_projection(torch.stack([clip[i], clip[i + 1]], dim=1)) for i in wanted}
            return images, image_projection(torch.stack([grey, grey], dim=1))

    def sample(
        self,
        unet: nn.Module,
        latents: dict[int, Tensor],
        positives: dict[int, PairConditions],
        negative: PairConditions,
        group: Sequence[int],
        on_step: OnStep,
    ) -> Tensor:
        """Scaled latents (n, 4, 16, h, w) of a few pairs; latents: of the pictures."""
        first, last = (torch.stack([latents[i + end] for i in group]) for end in (0, 1))
        hint = keyframe_hint(first, last, unet.config.temporal_length, self.parts.family.segment_hint)
        draw_noise = self.noise(hint[:1].shape, group)
        with context_memory(), feature_reuse(self.options.reuse_interval):
            predict = self.prediction(unet, [positives[i] for i in group], [negative] * len(group), hint)
            steps = video_steps(self.options.sampling_steps)
            return ddim(partial(SegmentDenoiser(), predict), draw_noise(), steps, draw_noise, on_step)

    def prediction(
        self, unet: nn.Module, positives: Sequence[PairConditions], negatives: Sequence[PairConditions], hint: Tensor
    ) -> Predict:
        """The guided prediction of some pairs' v; hint (n, 4, frames, h, w)."""
        options, device = self.options, self.parts.device
        timestep = timesteps_on(device)
        stride = torch.tensor([options.frame_stride], device=device)

        def told(conditions: Sequence[PairConditions]) -> Predict:
            c, times = PairConditions.joined(conditions), len(conditions) // len(hint)
            hints, strides = hint.repeat(times, 1, 1, 1, 1), stride.expand(len(conditions))

            def predict(x: Tensor, t: float) -> Tensor:
                sampling_step(t)
                return unet(x, timestep(t).expand(len(x)), c.text, c.image, hints, strides)

            return predict

        if self.parts.plan.guidance_batch:
            branches = Branches.in_one_batch(told(positives), told([*positives, *negatives]))
        else:
            branches = Branches.in_two_passes(told(positives), told(negatives))
        guided = rescaled_guidance(branches, options.guidance_scale)
        if options.guidance_interval == ALL_TIMESTEPS:
            return guided
        # told anew, so that no plan takes features of guided steps for these
        return guided_within(*options.guidance_interval, guided, told(positives))

    def decode(self, wanted: Sequence[int], encoded: Encoded) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (pair, frames uint8 (16, H, W, 3)) of these pairs' latents; used hidden states are let go."""
        report, parts, plan, states = self.report("decoding"), self.parts, self.parts.plan, encoded.states
        lanes, waiting = Lanes(plan.lanes), set(wanted)
        with parts.on_device("multi_frame/vae") as vae:
            report(0, len(wanted), at_once=plan.lanes)

            def references(pair: int) -> list[Tensor]:
                for i in (pair, pair + 1):
                    if i not in states:
                        states[i] = vae.encode(encoded.pixels[i].to(parts.device))[1]
                joined = [torch.stack(both, 1) for both in zip(states[pair], states[pair + 1], strict=True)]
                waiting.remove(pair)
                for i in {pair, pair + 1} - waiting - {other + 1 for other in waiting}:
                    del states[i]
                return joined

            @torch.inference_mode()  # not around the yield: the caller's code is not ours to switch
            def decoded(pair: int) -> np.ndarray:
                with lanes.turn():
                    between = references(pair)
                latents = self.begun.latents[self.keys[pair]].to(parts.device)
                spill = parts.to_host if plan.spill else None
                video = vae.decode(latents, between, plan.decoded_frames, spill)[0].float()
                return tensor_to_pixels(video.transpose(0, 1))

            works = [partial(decoded, pair) for pair in wanted]
            for done, (place, frames) in enumerate(lanes.run(works), start=1):
                yield wanted[place], frames
                # after the caller has kept the frames: a cancel loses nothing finished
                report(done, len(wanted), at_once=plan.lanes)


def keyframe_hint(first: Tensor, last: Tensor, frames: int, kind: str) -> Tensor:
    """What the 3D UNet sees of both keyframes' latents (..., 4, h, w) beside the noise, (1 or more, 4, frames, h, w).

    kind: of SEGMENT_HINTS. "ends", the keyframes as first and last frame of an otherwise empty video, is the published
    networks'; "cross_fade" fades from one to the other, which spares a small network from learning where to copy from.
    """
    share = torch.linspace(0, 1, frames, device=first.device).view(-1, 1, 1)
    weights = (1 - share, share) if kind == "cross_fade" else (share == 0, share == 1)
    hint = first.unsqueeze(-3) * weights[0] + last.unsqueeze(-3) * weights[1]
    return hint.to(first.dtype).reshape(-1, *hint.shape[-4:])
