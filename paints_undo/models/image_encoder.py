"""CLIP vision for pictures of any aspect ratio."""

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, PreTrainedModel  # noqa: F401  # for diffusers
from transformers.models.clip.modeling_clip import CLIPVisionEmbeddings
from transformers.utils.constants import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD


class AnySizeEmbeddings(CLIPVisionEmbeddings):
    """Class token and patches of pictures of any size, with the position grid stretched by nearest neighbour."""

    def __init__(self, config: CLIPVisionConfig):
        super().__init__(config)
        self.position_embedding.read_directly = True  # see execution/block_streaming.py: split

    def forward(self, pictures: Tensor) -> Tensor:
        """(b, 3, h, w) -> (b, 1 + rows * columns, width)."""
        patches = self.patch_embedding(pictures)
        class_position, grid = self.position_embedding.weight.split([1, self.num_patches])
        side = self.image_size // self.patch_size
        grid = F.interpolate(grid.T.reshape(1, -1, side, side), patches.shape[-2:], mode="nearest")
        class_token = (self.class_embedding + class_position).expand(len(patches), 1, -1)
        return torch.cat([class_token, (patches + grid).flatten(2).transpose(1, 2)], dim=1)


class ImageEncoder(CLIPVisionModelWithProjection):
    """Token features of a picture, as the image projection reads them."""

    def __init__(self, config: CLIPVisionConfig):
        super().__init__(config)
        self.vision_model.embeddings = AnySizeEmbeddings(config)

    def forward(self, pictures: Tensor) -> Tensor:
        """The last hidden state before the post layer norm, (b, 1 + rows * columns, width).

        pictures (b, 3, h, w) in -1..1, any size: the shorter side becomes as many patches as the network was trained
        with, the longer side keeps the aspect ratio.
        """
        encoder = self.vision_model
        tokens = encoder.pre_layrnorm(encoder.embeddings(self.prepare(pictures)))
        return encoder.encoder(inputs_embeds=tokens).last_hidden_state

    def prepare(self, pictures: Tensor) -> Tensor:
        """Pictures in -1..1, resized to whole patches and normalised as CLIP was trained."""
        height, width = pictures.shape[-2:]
        patch = self.config.patch_size
        shorter_side_patches = self.config.image_size // patch
        size = [patch * round(shorter_side_patches * side / min(height, width)) for side in (height, width)]
        # bicubic with antialias has no half-precision kernel on every device
        resized = F.interpolate((pictures.float() + 1) / 2, size, mode="bicubic", antialias=True)
        mean, deviation = (resized.new_tensor(values).view(3, 1, 1) for values in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
        return ((resized - mean) / deviation).to(pictures.dtype)
