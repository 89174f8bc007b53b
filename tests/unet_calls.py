"""One call of each UNet of the tiny family, with inputs that are always the same."""

import torch


def video_call(unet):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(shape, generator=generator)

    config = unet.config
    context, frames = config.context_dim, config.temporal_length
    latents = draw(1, 4, frames, 8, 8), draw(1, 4, frames, 8, 8)
    stride, time = torch.tensor([3]), torch.tensor([500])
    arguments = latents[0], time, draw(1, 77, context), draw(1, frames, 16, context), latents[1], stride
    return lambda: unet(*arguments)


def keyframe_call(unet):
    generator = torch.Generator().manual_seed(0)
    latents, artwork = torch.randn(2, 4, 8, 8, generator=generator), torch.randn(1, 4, 8, 8, generator=generator)
    text = torch.randn(1, 77, unet.config.cross_attention_dim, generator=generator)
    return lambda: unet(latents, torch.tensor(500), text, artwork, torch.tensor([400, 999]))


CALLS = {"multi_frame/unet": video_call, "single_frame/unet": keyframe_call}
