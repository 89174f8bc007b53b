"""Where a network is and in which numbers, said the way the networks of diffusers and transformers say it."""

import torch
from torch import nn


class Placed(nn.Module):
    """A network whose parameters are all in one place and of one number format, as pipelines expect it to say."""

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of the parameters."""
        return next(self.parameters()).dtype
