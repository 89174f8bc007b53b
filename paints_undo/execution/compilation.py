"""The blocks that every sampling step repeats, compiled: the work between two products becomes one kernel.

Regional compilation (PyTorch, "Reducing torch.compile cold start compilation time with regional compilation"): blocks
of one kind and size share what is compiled.  On GPUs that fuses group normalisation with SiLU, and the gate of GEGLU.
"""

import os
from pathlib import Path

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import nn

from paints_undo.models import video_unet_blocks, video_vae
from paints_undo.models.keyframe_unet import FeedForwardInPieces

BLOCKS = (video_unet_blocks.ResidualBlock, video_vae.VideoBlock, ResnetBlock2D)
IN_PIECES = (video_unet_blocks.FeedForward, FeedForwardInPieces)  # of which the layer is compiled that each piece takes
CACHE = Path.home() / ".cache" / "paints_undo" / "compiled"
MOST_KINDS = 64  # of widths and sizes that one block comes in; PyTorch stops to compile after 8


def compile_blocks(network: nn.Module) -> int:
    """Let the repeated blocks of a network be compiled when they first run; returns how many there are.

    In place: parameters keep their names.  The results equal the eager ones up to rounding.  What was compiled is kept
    on the disk, in CACHE or where the user's TORCHINDUCTOR_CACHE_DIR points, for later runs.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(CACHE))
    torch._dynamo.config.recompile_limit = MOST_KINDS
    blocks = [module for module in network.modules() if isinstance(module, BLOCKS)]
    for block in blocks:
        block.compile(dynamic=False)
    layered = [module for module in network.modules() if isinstance(module, IN_PIECES)]
    for module in layered:
        module.layer = torch.compile(module.layer, dynamic=False)  # type: ignore[method-assign]
    return len(blocks) + len(layered)
