"""The sizes and choices of the 3D UNet."""

from dataclasses import dataclass, field, fields
from typing import Any

# Which frames' keys and values each of the t frames sees in the spatial self-attention.
TEMPORAL_WINDOWS = {
    "prv": lambda t: (range(t), [0, *range(t - 1)]),  # its own and the previous one's
    "first": lambda t: (range(t), [0] * t),  # its own and the first one's
    "roll": lambda t: ([t - 1, *range(t - 1)], range(t), [*range(1, t), 0]),  # previous, own and next, cyclic
}


def settled(value: Any) -> Any:
    """A field that published files have with this value only; no other is implemented."""
    return field(default=value, metadata={"settled": True})


@dataclass(frozen=True)
class VideoUNetConfig:
    """Sizes and choices, under the names of the checkpoint's config.json.

    The second group exists in published files with one value only; this network computes that one and refuses others.
    """

    in_channels: int = 8
    out_channels: int = 4
    model_channels: int = 320
    attention_resolutions: tuple[int, ...] = (4, 2, 1)
    num_res_blocks: int = 2
    channel_mult: tuple[int, ...] = (1, 2, 4, 4)
    dropout: float = 0.1
    num_head_channels: int = 64
    transformer_depth: int = 1
    context_dim: int = 1024
    temporal_conv: bool = True
    temporal_length: int = 16
    image_cross_attention_scale_learnable: bool = False
    temporal_window: str | None = None  # not in published files, and off in the app
    norm_groups: int = 32  # not in published files; narrower networks need fewer

    use_linear: bool = settled(True)
    temporal_attention: bool = settled(True)
    temporal_selfatt_only: bool = settled(True)
    addition_attention: bool = settled(True)
    image_cross_attention: bool = settled(True)
    fs_condition: bool = settled(True)
    conv_resample: bool = settled(True)
    dims: int = settled(2)
    num_heads: int = settled(-1)
    use_relative_position: bool = settled(False)
    use_causal_attention: bool = settled(False)
    use_scale_shift_norm: bool = settled(False)
    resblock_updown: bool = settled(False)
    tempspatial_aware: bool = settled(False)
    default_fs: int = 24  # the original never reads it: the frame stride is always given

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.metadata.get("settled") and value != each.default:
                raise ValueError(f"video UNet: {each.name} is {value!r}, but only {each.default!r} is implemented")
        if self.temporal_window not in (None, *TEMPORAL_WINDOWS):
            choices = ", ".join(TEMPORAL_WINDOWS)
            raise ValueError(f"video UNet: temporal_window is {self.temporal_window!r}; use None, {choices}")

    @property
    def embedding_width(self) -> int:
        """Of the embedded timestep and frame stride."""
        return 4 * self.model_channels
