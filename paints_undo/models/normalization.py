"""Group normalisation that keeps channels last in memory, and is exact there, too."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from paints_undo.models.fused import kernels_in_use

# Numbers of a slice that are float32 at once: on a CPU 2 MiB stay in its cache, a card is busy with 32 MiB.
SLICE = {"cpu": 2**19, "card": 2**23}


def channels_last(x: Tensor) -> bool:
    """Whether the channels of (b, c, ...) lie next to each other in memory, pixel after pixel."""
    return x.ndim > 2 and x.shape[1] > 1 and x.movedim(1, -1).is_contiguous()


class GroupNorm(nn.GroupNorm):
    """Normalises each group of channels of (b, c, ...) over all its pixels (Wu and He 2018).

    PyTorch's own computes channels-last input on a CPU from the mean of squares, which loses the variance of a constant
    picture, and copies it elsewhere.  Here the mean is taken away first.
    """

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or not channels_last(x):
            return super().forward(x)
        return self.of_tokens(x.flatten(2).transpose(1, 2)).transpose(1, 2).unflatten(2, x.shape[2:])

    def of_tokens(self, tokens: Tensor) -> Tensor:
        """The same for (b, n, c) in memory order, sums in float32: the corrected two-pass algorithm (Chan 1983)."""
        if kernels := kernels_in_use():
            return kernels.group_norm(tokens, self.num_groups, self.weight, self.bias, self.eps, silu=False)
        batch, count, channels = tokens.shape
        width = channels // self.num_groups
        at_once = max(1, SLICE["cpu" if tokens.device.type == "cpu" else "card"] // (batch * channels))

        def mean(of_channels: Tensor) -> Tensor:
            grouped = of_channels.view(batch, self.num_groups, width)
            return grouped.mean(2, keepdim=True).expand(-1, -1, width).reshape(batch, 1, channels)

        centre = mean(tokens.mean(1, dtype=torch.float32))
        if tokens.dtype == torch.float32:
            result = tokens - centre  # in the memory of the result
            rest = mean(result.mean(1))  # what rounding left of the mean: much, where the picture is constant
            squares = sum(piece.square().sum(1) for piece in result.split(at_once, 1))
        else:  # float32 for a slice at a time: half precision would otherwise need twice its memory, twice
            slices = tokens.split(at_once, 1)
            sums = sum(torch.stack([(centred := piece - centre).sum(1), centred.square().sum(1)]) for piece in slices)
            rest, squares = mean(sums[0] / count), sums[1]
        scale = (mean(squares / count) - rest.square() + self.eps).rsqrt() * self.weight
        shift = self.bias - rest * scale
        if tokens.dtype == torch.float32:
            return torch.addcmul(shift, result, scale, out=result)
        result = torch.empty_like(tokens)
        for piece, into in zip(slices, result.split(at_once, 1), strict=True):
            centred = piece - centre
            into.copy_(torch.addcmul(shift, centred, scale, out=centred))
        return result


class GroupNormSiLU(GroupNorm):
    """Group normalisation, then SiLU."""

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled() or not channels_last(x):
            return F.silu(super().forward(x), inplace=not torch.is_grad_enabled())
        return super().forward(x)

    def of_tokens(self, tokens: Tensor) -> Tensor:
        if kernels := kernels_in_use():
            return kernels.group_norm(tokens, self.num_groups, self.weight, self.bias, self.eps, silu=True)
        return F.silu(super().of_tokens(tokens), inplace=True)
