import pytest
import torch
from test_training_segment_clips import pictures

from paints_undo.training.loop import LoopOptions, Training
from paints_undo.training.picture_vae import VaeOptions, draw_crops, new_vae
from paints_undo.training.video_vae_training import (
    GRID,
    VideoVaeOptions,
    decoding_loss,
    draw_some_frames,
    steadiness_loss,
    train_video_vae,
    video_vae_from,
)

TINY = VaeOptions(base_channels=8, channel_multipliers=(1, 2, 3), norm_groups=4)
FAST = VideoVaeOptions(crop=32, clips=2)


@pytest.fixture(scope="module")
def picture_vae():
    return new_vae(TINY).eval()


@pytest.fixture(scope="module")
def canvases():
    return pictures().canvases(torch.arange(3), torch.tensor([0.0, 500.0, 900.0]))


@torch.no_grad()
def test_it_encodes_as_the_picture_vae_does(picture_vae, canvases):
    latents, states = video_vae_from(picture_vae).eval().encode(canvases)
    expected = picture_vae.encode(canvases).latent_dist.mode() * picture_vae.config.scaling_factor
    assert torch.allclose(latents, expected, atol=1e-5)
    assert len(states) == 4


@torch.no_grad()
def test_untrained_it_decodes_every_frame_as_the_picture_vae_does(picture_vae, canvases):
    vae = video_vae_from(picture_vae).eval()
    latents, states = vae.encode(canvases)
    references = [state[[0, -1]][None] for state in states]
    video = vae.decode(latents.transpose(0, 1)[None], references)[0].transpose(0, 1)
    expected = picture_vae.decode(latents / picture_vae.config.scaling_factor).sample
    assert torch.allclose(video, expected, atol=1e-4)


def test_a_picture_vae_that_cannot_be_taken_over_is_refused():
    scaled = new_vae(TINY)
    scaled.register_to_config(scaling_factor=1.0)
    with pytest.raises(ValueError, match=r"scaling factor is 1\.0"):
        video_vae_from(scaled)
    turned = new_vae(TINY)
    torch.nn.init.normal_(turned.post_quant_conv.weight)
    with pytest.raises(ValueError, match="post_quant_conv"):
        video_vae_from(turned)


def test_training_helps_the_decoder_and_leaves_the_encoder(picture_vae, tmp_path):
    data, loop = (
        pictures(),
        LoopOptions(steps=40, learning_rate=5e-3, warmup_steps=2, averaging=0.5, mixed_precision=False),
    )
    before = video_vae_from(picture_vae)
    after = train_video_vae(Training(data, tmp_path, FAST, loop), picture_vae)

    def loss(vae):
        generator = torch.Generator().manual_seed(1)
        return decoding_loss(vae, draw_some_frames(data, FAST, generator), FAST, generator)

    with torch.no_grad():
        assert loss(after) < 0.9 * loss(before)
    assert all(torch.equal(a, b) for a, b in zip(after.encoder.parameters(), before.encoder.parameters(), strict=True))


def test_flicker_costs_and_a_constant_error_does_not():
    wanted = torch.zeros(1, 3, 4, 8, 8)
    flickering = wanted.clone()
    flickering[:, :, 1::2] += 0.2
    assert steadiness_loss(wanted + 0.2, wanted) < 1e-6
    assert steadiness_loss(flickering, wanted) > 0.1


def test_cuts_keep_the_frames_together_and_lie_on_the_grid():
    clips = torch.ones(2, 3, 4, 64, 64)
    clips[:, :, 2, 40:44, 40:44] = -1
    pieces = draw_crops(clips, 32, torch.Generator().manual_seed(0), GRID)
    assert pieces.shape == (2, 3, 4, 32, 32)
    assert (pieces[:, :, 2].amin((1, 2, 3)) == -1).all() and (pieces[:, :, 1] == 1).all()


def test_senseless_options_are_refused():
    with pytest.raises(ValueError, match="frames"):
        VideoVaeOptions(frames=1)
    with pytest.raises(ValueError, match="crop"):
        VideoVaeOptions(crop=20)
    with pytest.raises(ValueError, match="latent_noise"):
        VideoVaeOptions(latent_noise=2)
