"""The sizes of the video VAE, which need no network to be read."""

from dataclasses import dataclass

# The combiners' attention: as many heads of this width, whatever the level's channels.
COMBINER_HEADS = 8
COMBINER_HEAD_WIDTH = 64
CONVOLUTION_LEVELS = (0, 1)  # these levels have too many pixels for attention


@dataclass(frozen=True)
class VideoVAEConfig:
    """Sizes, under the names of the checkpoint's config.json."""

    in_channels: int = 3
    out_ch: int = 3
    ch: int = 128
    ch_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    z_channels: int = 4
    double_z: bool = True
    attn_resolutions: tuple[int, ...] = ()
    resolution: int = 256  # of the training pictures; no size depends on it
    dropout: float = 0.0
    norm_groups: int = 32  # not in published files; narrower networks need fewer

    def __post_init__(self) -> None:
        if not self.double_z or self.attn_resolutions or self.dropout:
            raise ValueError(
                f"video VAE: double_z {self.double_z}, attn_resolutions {list(self.attn_resolutions)} and dropout "
                f"{self.dropout} are given, but only True, [] and 0 are implemented"
            )

    @property
    def widths(self) -> list[int]:
        """Channels at each level, the finest first."""
        return [self.ch * multiplier for multiplier in self.ch_mult]
