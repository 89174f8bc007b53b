"""The video decoder a few frames at a time: the same arithmetic as in one piece, with a fraction of the memory.

Most of the decoder works on each frame alone.  Only two things look further: the temporal convolutions, one frame to
either side, and their group norms, whose statistics are those of the whole video.  So every such norm is a place where
frames wait (a WaitingRoom) until the statistics of all are known; between two of them, frames flow through as iterators
of pieces (n, c, h, w), and each piece is dropped as soon as the next operation has taken it.  At the widest level two
videos wait at most, instead of the five that live at once when the video is decoded in one piece.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from paints_undo.models.video_vae import AttentionCombiner, ConvolutionCombiner, Decoder, VideoBlock

Pieces = Iterator[Tensor]  # consecutive frames of one video, (n, c, h, w) each
Spill = Callable[[Tensor], Tensor]  # takes a tensor to the host's memory


@torch.no_grad()
def decode_streamed(
    decoder: Decoder, latents: Tensor, references: list[Tensor], frames_at_once: int, spill: Spill | None = None
) -> Tensor:
    """What decoder(latents, references) gives, computed in pieces of `frames_at_once` frames; there are no gradients.

    references may lie on another device than the latents; each is fetched when its turn comes.
    spill: takes activations that wait for the rest of the video to the host's memory.
    Raises ValueError when frames_at_once is less than 1.
    """
    if frames_at_once < 1:
        raise ValueError(f"frames_at_once must be at least 1, got {frames_at_once}; None decodes all frames at once")
    videos = zip(latents.transpose(1, 2), zip(*references, strict=True), strict=True)
    return torch.cat([_decode_video(decoder, frames, ends, frames_at_once, spill) for frames, ends in videos])


def _decode_video(
    decoder: Decoder, latents: Tensor, references: tuple[Tensor, ...], frames_at_once: int, spill: Spill | None
) -> Tensor:
    """One video (1, 3, t, H, W) of latents (t, z, h, w) and references, each (2, c, h, w)."""
    starts = range(0, len(latents), frames_at_once)
    pieces: Pieces = map(decoder.conv_in, latents.split(frames_at_once))
    pieces = through_block(decoder.mid.block_1, pieces, spill)
    pieces = through_block(decoder.mid.block_2, map(decoder.mid.attn_1, pieces), spill)
    for level in reversed(range(len(decoder.up))):
        for block in decoder.up[level].block:
            pieces = through_block(block, pieces, spill)
        pieces = refined(decoder.attn_refinement[level], pieces, references[level], starts, len(latents))
        pieces = map(decoder.up[level].upsample, pieces)
    pieces = map(decoder.norm_out, pieces)
    pieces = refined(decoder.attn_refinement[-1], pieces, references[-1], starts, len(latents))
    return decoder.conv_out.mix(torch.cat(list(map(decoder.conv_out.each_frame, pieces))), len(latents))


def through_block(block: VideoBlock, pieces: Pieces, spill: Spill | None) -> Pieces:
    """The pieces after a block; all but the last step is done at once, so that two whole videos wait."""
    first_norm, *_, first_convolution = block.time_stack.in_layers
    second_norm, *_, second_convolution = block.time_stack.out_layers
    still = WaitingRoom(map(block.each_frame, pieces), first_norm, spill)
    moving = WaitingRoom(still.mixed_by(first_convolution, still.look()), second_norm, spill)
    motions = moving.mixed_by(second_convolution, moving.leave())  # asked first, so that at the end its memory is freed
    return map(lambda motion, piece: block.add_motion(piece, motion), motions, still.leave())


def refined(
    combiner: AttentionCombiner | ConvolutionCombiner, pieces: Pieces, references: Tensor, starts: range, frames: int
) -> Pieces:
    """The pieces after a combiner; references (2, c, h, w), starts: each piece's first frame, frames: of the video."""
    if hasattr(combiner, "keys_and_values"):
        keys_and_values: list[Tensor] = []  # projected with the first piece, and kept for the others

        def look(piece: Tensor) -> Tensor:
            if not keys_and_values:
                keys_and_values.extend(combiner.keys_and_values(references[None].to(piece)))
            return combiner.look(piece, *keys_and_values)

        return map(look, pieces)

    def add_ends(piece: Tensor, start: int) -> Tensor:
        if start == 0:
            piece[:1] += combiner.conv(references[:1].to(piece))
        if start + len(piece) == frames:
            piece[-1:] += combiner.conv(references[1:].to(piece))
        return piece

    return map(add_ends, pieces, starts)


class WaitingRoom:
    """A whole video's activations, waiting for the group norm that needs the statistics of all its frames."""

    def __init__(self, pieces: Pieces, norm: nn.GroupNorm, spill: Spill | None):
        """Takes every piece of the iterator in."""
        self.norm = norm
        self.pieces: deque[Tensor] = deque()
        means, variances = [], []
        for piece in pieces:
            self.device = piece.device
            for mean, variance in (moments(frame, norm.num_groups) for frame in piece):
                means.append(mean)
                variances.append(variance)
            self.pieces.append(spill(piece) if spill else piece)
            del piece  # or it would live on while the next one is computed
        self.scale, self.shift = self._affine(torch.stack(means), torch.stack(variances))

    def _affine(self, means: Tensor, variances: Tensor) -> tuple[Tensor, Tensor]:
        """The norm as a factor and a summand, float32 (c, 1, 1), from the moments (t, groups) of the frames.

        Frames are of one size, for which the combination of Chan, Golub and LeVeque (1983) is: the variance of all is
        the mean of their variances plus the variance of their means.
        """
        mean, variance = means.mean(0), variances.mean(0) + means.var(0, correction=0)
        width = self.norm.num_channels // self.norm.num_groups
        scale = self.norm.weight * (variance + self.norm.eps).rsqrt().repeat_interleave(width)
        shift = self.norm.bias - mean.repeat_interleave(width) * scale
        return scale[:, None, None], shift[:, None, None]

    def look(self) -> Pieces:
        """Every piece, which goes on waiting."""
        for piece in self.pieces:
            yield piece.to(self.device, non_blocking=True)

    def leave(self) -> Pieces:
        """Every piece, no longer held here."""
        while self.pieces:
            yield self.pieces.popleft().to(self.device, non_blocking=True)

    def mixed_by(self, convolution: nn.Conv3d, pieces: Pieces) -> Pieces:
        """look()'s or leave()'s pieces after the norm, SiLU and a 3x1x1 convolution along t."""
        return map(lambda frames: mixed(convolution, frames), self._with_neighbours(pieces))

    def _with_neighbours(self, pieces: Pieces) -> Pieces:
        """The activated frames (n + 2, c, h, w) of each piece, of the frame before and the one after it; zeros outside.

        All lie in one memory, overwritten when the next are asked for; every frame is activated once.
        """
        piece = next(pieces)
        longest = len(piece)
        frames = piece.new_zeros(longest + 2, *piece.shape[1:])
        self._activate(piece[:1], frames[1:2])
        while piece is not None:
            count = len(piece)
            self._activate(piece[1:], frames[2 : count + 1])
            piece = next(pieces, None)
            if piece is None:
                frames[count + 1].zero_()
            else:
                self._activate(piece[:1], frames[count + 1 : count + 2])
            yield frames[: count + 2]
            for kept in (0, 1):
                frames[kept].copy_(frames[longest + kept])

    def _activate(self, frames: Tensor, into: Tensor) -> None:
        for frame, place in zip(frames, into, strict=True):  # one at a time: half precision becomes float32 meanwhile
            place.copy_(torch.addcmul(self.shift, frame.float(), self.scale))
        F.silu(into, inplace=True)


def moments(frame: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Mean and variance, float32 (groups,), of each group of channels of a frame (c, h, w); two passes are precise."""
    values = frame.unflatten(0, (groups, -1)).flatten(2)
    mean = values.mean((1, 2), dtype=torch.float32)
    # channel by channel, since long float32 sums lose precision
    spread = torch.linalg.vector_norm(values - mean[:, None, None], dim=2).square().sum(1)
    return mean, spread / values[0].numel()


def mixed(convolution: nn.Conv3d, frames: Tensor) -> Tensor:
    """The convolution (3, 1, 1) of frames (n + 2, c, h, w) where both neighbours exist: (n, out, h, w).

    One matrix product for each frame: three consecutive frames are one matrix of 3 c rows, without a copy.
    """
    _, channels, height, width = frames.shape
    pixels = height * width
    rows = frames.as_strided((len(frames) - 2, 3 * channels, pixels), (channels * pixels, pixels, 1))
    weight = convolution.weight.flatten(2).transpose(1, 2).flatten(1)  # (out, 3 c), the frame before first
    product = torch.baddbmm(convolution.bias[:, None], weight.expand(len(rows), -1, -1), rows)
    return product.unflatten(2, (height, width))
