"""A convolution along time only, computed without Conv3d kernels."""

from torch import Tensor, nn
from torch.nn import functional as F

from paints_undo.models.normalization import GroupNormSiLU


class TemporalConvolution3x1x1(nn.Conv3d):
    """Mixes each pixel with itself in the frame before and the frame after; outside the video there are zeros.

    Weights keep Conv3d's shapes, (out, in, 3, 1, 1) and (out,).  A picture whose rows are the frames and whose columns
    are the pixels makes it a convolution in two dimensions, whose kernels are faster, most of all with channels last in
    memory; at most the products are summed in another order.
    """

    def __init__(self, channels: int, out_channels: int):
        super().__init__(channels, out_channels, (3, 1, 1), padding=(1, 0, 0))

    def forward(self, video: Tensor) -> Tensor:
        """(b, c, t, h, w) -> (b, out_channels, t, h, w)."""
        rows = video.flatten(3)
        if len(rows) == 1:  # its stride means nothing, but a wrong one hides from PyTorch that channels come last
            rows = rows.as_strided(rows.shape, (rows.numel(), *rows.stride()[1:]))
        mixed = F.conv2d(rows, self.weight.squeeze(-1), self.bias, padding=(1, 0))
        return mixed.unflatten(3, video.shape[3:])


def temporal_unit(channels: int, groups: int, *dropped: nn.Module) -> nn.Sequential:
    """A norm with SiLU and a convolution along t, at the checkpoints' places, where a SiLU and a dropout count, too."""
    convolution = TemporalConvolution3x1x1(channels, channels)
    return nn.Sequential(GroupNormSiLU(groups, channels), nn.Identity(), *dropped, convolution)
