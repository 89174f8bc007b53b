"""The single-frame UNet: Stable Diffusion 1.5's, told the artwork and the operation step."""

import functools

import torch
from diffusers import ModelMixin, UNet2DConditionModel  # noqa: F401  # diffusers looks here for how to load it
from diffusers.models.attention import BasicTransformerBlock, FeedForward
from diffusers.models.attention_processor import Attention
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn

from paints_undo.models.attention import attention
from paints_undo.models.context_memory import KeysAndValues, keys_and_values
from paints_undo.models.pieces import in_pieces

OPERATION_STEP_FEATURES = 256


class OneDoorAttention:
    """diffusers' attention layer, computed by paints_undo.models.attention."""

    def __call__(
        self,
        layer: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: None = None,  # diffusers always names it; this network has no masks
    ) -> Tensor:
        query = layer.to_q(hidden_states)
        if encoder_hidden_states is None:
            key, value = layer.to_k(hidden_states), layer.to_v(hidden_states)
        else:
            key, value = keys_and_values(layer, encoder_hidden_states, functools.partial(self.project, layer))
        return layer.to_out[0](attention(query, key, value, layer.heads))

    def project(self, layer: Attention, context: Tensor) -> KeysAndValues:
        """Keys and values of a context (b, tokens, width); rows that are one and the same are projected once."""
        rows = context[:1] if context.stride(0) == 0 else context
        return tuple(project(rows).expand(len(context), -1, -1) for project in (layer.to_k, layer.to_v))


class FeedForwardInPieces(FeedForward):
    """diffusers' feed-forward, which works on its tokens in pieces (see paints_undo.models.pieces)."""

    def __init__(self, whole: FeedForward):
        nn.Module.__init__(self)
        self.net = whole.net

    def layer(self, tokens: Tensor) -> Tensor:
        """What each piece of the tokens goes through."""
        return super().forward(tokens)

    def forward(self, hidden_states: Tensor) -> Tensor:
        return in_pieces(self.layer, hidden_states, self.net[0].proj.out_features)


class KeyframeUNet(UNet2DConditionModel):
    """Predicts the noise in the latent of an earlier state of the canvas.

    Two changes to diffusers' network, both visible in the checkpoint: `conv_in` reads the noisy latent and the
    artwork's latent (so twice the configured `in_channels`), and `add_embedding` adds the operation step to the
    time embedding.
    """

    conv_in: nn.Conv2d

    # diffusers reads the configuration's names off this signature
    @functools.wraps(UNet2DConditionModel.__init__)  # type: ignore[misc, unused-ignore]  # of a package that is not followed
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        first, time_width = self.conv_in, self.time_embedding.linear_2.out_features
        self.conv_in = nn.Conv2d(2 * first.in_channels, first.out_channels, first.kernel_size, padding=first.padding)
        self.add_time_proj = Timesteps(OPERATION_STEP_FEATURES, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.add_embedding = TimestepEmbedding(OPERATION_STEP_FEATURES, time_width)
        self.set_attn_processor(OneDoorAttention())
        for block in [module for module in self.modules() if isinstance(module, BasicTransformerBlock)]:
            block.ff = FeedForwardInPieces(block.ff)

    def get_aug_embed(self, emb: Tensor, encoder_hidden_states: Tensor, added_cond_kwargs: dict) -> Tensor:
        """The part of the time embedding that the operation steps (b,) add; (b, time width)."""
        features = self.add_time_proj(added_cond_kwargs["operation_steps"]).to(emb.dtype)
        return self.add_embedding(features)

    def forward(
        self, sample: Tensor, timestep: Tensor, text: Tensor, artwork_latent: Tensor, operation_steps: Tensor
    ) -> Tensor:
        """The predicted noise, (b, c, h, w).

        sample (b, c, h, w); timestep () or (b,) 0..999; text (b or 1, tokens, width); artwork_latent
        (b or 1, c, h, w); operation_steps (b,) 0..999, 0 the finished artwork.
        """
        batch = sample.shape[0]
        joined = torch.cat([sample, artwork_latent.expand(batch, -1, -1, -1)], dim=1)
        return super().forward(
            joined,
            timestep,
            text.expand(batch, -1, -1),
            added_cond_kwargs={"operation_steps": operation_steps},
            return_dict=False,
        )[0]
