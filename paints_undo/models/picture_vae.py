"""The keyframes' VAE: diffusers' own, with this project's attention."""

from diffusers import AutoencoderKL
from diffusers.models.attention_processor import Attention
from torch import Tensor

from paints_undo.models.attention import attention


class PixelsThroughOneDoor:
    """diffusers' attention of a picture's pixels to each other, computed by paints_undo.models.attention."""

    def __call__(
        self,
        layer: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: None = None,  # diffusers always names these; this network has none
        attention_mask: None = None,
        temb: None = None,
    ) -> Tensor:
        tokens = layer.group_norm(hidden_states.flatten(2)).transpose(1, 2)
        seen = attention(layer.to_q(tokens), layer.to_k(tokens), layer.to_v(tokens), layer.heads)
        return layer.to_out[0](seen).transpose(1, 2).unflatten(2, hidden_states.shape[2:]) + hidden_states


def picture_vae(values: dict) -> AutoencoderKL:
    """The network of a config.json."""
    vae = AutoencoderKL.from_config(values)
    vae.set_attn_processor(PixelsThroughOneDoor())
    return vae
