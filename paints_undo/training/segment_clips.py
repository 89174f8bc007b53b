"""Clips for training the segments: the frames between two operation steps of one picture, as latents."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from paints_undo.models.video_vae import VideoVAE
from paints_undo.training.dataset import Pictures
from paints_undo.training.latents import APP_STEPS as KEYFRAME_STEPS
from paints_undo.training.latents import without_float16
from paints_undo.training.process import LAST_STEP

VIDEO_LENGTH = 16  # frames of a segment, both keyframes included
WHITE_CANVAS = LAST_STEP + 1  # stands for the empty canvas, one step before the first stroke
APP_STEPS = (0, *KEYFRAME_STEPS, WHITE_CANVAS)  # the app's segments lie between neighbours of these
APP_SHARE = 0.75  # of the clips lie between keyframes of the app, the others anywhere
PAIR_WEIGHTS = (4.0, 4.0, 2.0, 1.0, 1.0, 1.0, 0.5)  # of the app's segments: most is drawn between the first keyframes
SHIFT = 0.25  # by how much of the distance to its neighbours an app keyframe's step may be off
SHORTEST = 30  # operation steps between two keyframes drawn anywhere


@dataclass(frozen=True)
class Clips:
    """n clips of `frames` frames: what the networks of a segment read, and what they should draw.

    latents (n, 4, frames, h, w) scaled; first and last, the keyframes, (n, 3, H, W) in -1..1; numbers (n, frames) of
    the frames among the segment's 16; pictures (n,), the indices of the pictures. These two are tensors of the CPU,
    whatever device the others are on.
    """

    latents: Tensor
    first: Tensor
    last: Tensor
    numbers: Tensor
    pictures: Tensor

    def __len__(self) -> int:
        return len(self.latents)

    def pick(self, chosen: Tensor) -> Clips:
        return Clips(*(value[chosen] for value in vars(self).values()))

    @staticmethod
    def join(parts: Sequence[Clips]) -> Clips:
        return Clips(*(torch.cat(values) for values in zip(*(vars(part).values() for part in parts), strict=True)))


def draw_ends(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Operation steps of the first and the last frame of `count` clips, each (count,); the first are the smaller.

    WHITE_CANVAS as the last one stands for the empty canvas.
    """
    steps = torch.tensor(APP_STEPS, dtype=torch.float32)
    pair = torch.multinomial(torch.tensor(PAIR_WEIGHTS), count, replacement=True, generator=generator)
    shift = (2 * torch.rand(2, count, generator=generator) - 1) * SHIFT * (steps[pair + 1] - steps[pair])
    begin = torch.where(steps[pair] > 0, steps[pair] + shift[0], 0).clamp(0, LAST_STEP)
    end = torch.where(steps[pair + 1] < LAST_STEP, steps[pair + 1] + shift[1], steps[pair + 1])
    length = SHORTEST + (LAST_STEP / 2 - SHORTEST) * torch.rand(count, generator=generator)
    anywhere = (LAST_STEP - length) * torch.rand(count, generator=generator)
    of_app = torch.rand(count, generator=generator) < APP_SHARE
    return torch.where(of_app, begin, anywhere).round(), torch.where(of_app, end, anywhere + length).round()


def draw_frame_numbers(count: int, generator: torch.Generator) -> Tensor:
    """`count` of the 16 frames of a segment in order, (count,); always with the first and the last one."""
    between = 1 + torch.randperm(VIDEO_LENGTH - 2, generator=generator)[: count - 2].sort().values
    return torch.cat([torch.tensor([0]), between, torch.tensor([VIDEO_LENGTH - 1])])


def draw_frames(data: Pictures, pictures: Tensor, begin: Tensor, end: Tensor) -> Tensor:
    """All 16 frames of the clips from step `begin` to step `end`, float32 (n, 3, 16, H, W) in -1..1."""
    steps = begin[:, None] + (end.clamp(max=LAST_STEP) - begin)[:, None] * torch.linspace(0, 1, VIDEO_LENGTH)
    canvases = data.canvases(pictures.repeat_interleave(VIDEO_LENGTH), steps.flatten().clamp(0, LAST_STEP))
    clips = canvases.unflatten(0, (len(pictures), VIDEO_LENGTH)).transpose(1, 2)
    appearing = end > LAST_STEP
    if appearing.any():
        clips[appearing] = wiped(clips[appearing, :, 0])
    return clips


def wiped(canvas: Tensor) -> Tensor:
    """From a canvas (n, 3, H, W) in -1..1 to white paper in 16 frames, (n, 3, 16, H, W).

    No process says in which order the very first strokes were drawn, so a slanting front takes them away, from the
    lower right to the upper left; only across the painted part, or most frames would show no change.
    """
    height, width = canvas.shape[-2:]
    down, across = (torch.linspace(0, 1, side, device=canvas.device) for side in (height, width))
    place = down[:, None] + 0.3 * across
    painted = canvas.amin(1) < 0.9
    low = torch.where(painted, place, 9.0).flatten(1).amin(1).clamp(max=1.0).view(-1, 1, 1)
    high = torch.where(painted, place, -9.0).flatten(1).amax(1).clamp(min=1e-3).view(-1, 1, 1)
    order = ((place - low) / (high - low).clamp(min=1e-3))[:, None, None]  # (n, 1, 1, H, W), 0..1 where painted
    left = 1 - torch.arange(VIDEO_LENGTH, device=canvas.device).view(1, 1, -1, 1, 1) / (VIDEO_LENGTH - 1)
    kept = (order <= left) & (left > 0)
    return torch.where(kept | (left == 1), canvas[:, :, None], 1.0)


@torch.no_grad()
def draw_clips(data: Pictures, vae: VideoVAE, count: int, frames: int, generator: torch.Generator) -> Clips:
    """`count` clips of random pictures between random steps, with `frames` of their 16 frames, as latents."""
    pictures = torch.randint(0, len(data), (count,), generator=generator)
    numbers = torch.stack([draw_frame_numbers(frames, generator) for _ in range(count)])
    video = draw_frames(data, pictures, *draw_ends(count, generator))
    chosen = torch.stack([clip[:, some] for clip, some in zip(video, numbers, strict=True)])
    with without_float16(chosen.device):
        latents, _ = vae.encode(chosen.transpose(1, 2).flatten(0, 1))
    latents = latents.float().unflatten(0, (count, frames)).transpose(1, 2)
    return Clips(latents, chosen[:, :, 0], chosen[:, :, -1], numbers, pictures)


class ClipBuffer:
    """Clips that each serve a few times, because drawing and encoding one costs as much as learning from it.

    Every call of `batch` draws `fresh` new clips, which push out the oldest ones beyond `size`.
    """

    def __init__(self, data: Pictures, vae: VideoVAE, size: int):
        self.data, self.vae, self.frames = data, vae, 0
        self.clips: deque[Clips] = deque(maxlen=size)

    def batch(self, count: int, frames: int, fresh: int, generator: torch.Generator) -> Clips:
        """`count` clips of `frames` frames; a change of `frames` empties the buffer."""
        if frames != self.frames:
            self.clips.clear()
            self.frames = frames
        wanted = max(fresh, count - len(self.clips))
        if wanted > 0:
            drawn = draw_clips(self.data, self.vae, wanted, frames, generator)
            self.clips.extend(drawn.pick(torch.tensor([number])) for number in range(wanted))
        chosen = torch.randperm(len(self.clips), generator=generator)[:count]
        return Clips.join([self.clips[number] for number in chosen.tolist()])
