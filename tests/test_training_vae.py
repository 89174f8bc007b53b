"""The VAEs of pictures and of segments."""

import pytest
import torch
from training_pictures import TINY_VAE, a_set, generator, quick

from paints_undo.training.loop import Training
from paints_undo.training.picture_vae import (
    RED_GREEN_CHANNEL,
    RED_GREEN_GAIN,
    SCALING_FACTOR,
    VaeOptions,
    draw_crops,
    draw_steps,
    evaluate_vae,
    new_vae,
    psnr,
    reconstruct,
    reconstruction_loss,
    red_green_loss,
    stage_steps,
    train_vae,
    with_published_deviation,
)
from paints_undo.training.process import stage_of
from paints_undo.training.video_vae_training import (
    GRID,
    VideoVaeOptions,
    decoding_loss,
    draw_some_frames,
    steadiness_loss,
    train_video_vae,
    video_vae_from,
)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr("paints_undo.training.picture_vae.SCALED_BY", 8)


def test_training_helps_and_latents_get_the_published_deviation(tmp_path):
    data = a_set(2, 32)
    before = evaluate_vae(new_vae(TINY_VAE), data)["all"]
    vae = train_vae(Training(data, tmp_path, TINY_VAE, quick(60)))
    assert evaluate_vae(vae, data)["all"] > before + 0.5
    canvases = data.canvases(torch.arange(2), torch.tensor([0.0, 400.0]))
    latents = vae.encode(canvases).latent_dist.mode() * SCALING_FACTOR
    assert latents.shape == (2, 4, 16, 16) and 0.4 < latents.std() < 2
    assert (tmp_path / "vae" / "config.json").exists()


def test_post_quant_conv_stays_the_identity_and_scaled_latents_change_no_picture():
    vae, latents, canvases = new_vae(TINY_VAE), torch.randn(1, 4, 8, 8), a_set().finished(torch.arange(2))
    assert torch.equal(vae.post_quant_conv(latents), latents)
    assert not any(parameter.requires_grad for parameter in vae.post_quant_conv.parameters())
    before = reconstruct(vae, canvases)
    assert torch.allclose(before, reconstruct(with_published_deviation(vae, a_set()), canvases), atol=1e-4)


def test_losses_see_what_they_are_for():
    wanted = torch.ones(1, 3, 16, 16)
    wanted[..., :4] = -1
    wrong_paper, wrong_paint = wanted.clone(), wanted.clone()
    wrong_paper[..., 12:] -= 0.2
    wrong_paint[..., :4] += 0.2
    assert reconstruction_loss(wanted, wanted) == 0
    assert reconstruction_loss(wrong_paint, wanted) > 1.5 * reconstruction_loss(wrong_paper, wanted)
    pictures, latents = torch.rand(2, 3, 16, 16) * 2 - 1, torch.zeros(2, 4, 4, 4)
    before = red_green_loss(latents, pictures)
    coarse = torch.nn.functional.avg_pool2d(pictures, 4)
    latents[:, RED_GREEN_CHANNEL] = RED_GREEN_GAIN * (coarse[:, 0] - coarse[:, 1])
    assert red_green_loss(latents, pictures) < 1e-6 < before
    still = torch.zeros(1, 3, 4, 8, 8)
    flickering = still.clone()
    flickering[:, :, 1::2] += 0.2
    assert steadiness_loss(still + 0.2, still) < 1e-6 and steadiness_loss(flickering, still) > 0.1
    assert psnr(torch.zeros(1, 3, 4, 4) + 0.02, torch.zeros(1, 3, 4, 4))[0] == pytest.approx(40, abs=0.01)


def test_crops_are_taken_where_something_is_painted_frames_together_and_on_the_grid():
    canvas = torch.ones(8, 3, 64, 64)
    canvas[:, :, 50:54, 50:54] = -1
    crops = draw_crops(canvas, 16, generator())
    assert crops.shape == (8, 3, 16, 16) and (crops.amin((1, 2, 3)) == -1).all()
    clips = torch.ones(2, 3, 4, 64, 64)
    clips[:, :, 2, 40:44, 40:44] = -1
    pieces = draw_crops(clips, 32, generator(), GRID)
    assert pieces.shape == (2, 3, 4, 32, 32)
    assert (pieces[:, :, 2].amin((1, 2, 3)) == -1).all() and (pieces[:, :, 1] == 1).all()


def test_every_stage_is_drawn():
    steps = draw_steps(400, generator())
    assert steps.min() == 0 and steps.max() > 900
    assert {stage_of(int(step)) for step in steps} == {"sketch", "line", "flat", "shadow", "finish"}
    named = [(name, int(step)) for name, some in stage_steps(4).items() for step in some if name != "finished"]
    assert all(stage_of(step) == name for name, step in named)


@pytest.fixture(scope="module")
def picture_vae():
    return new_vae(VaeOptions(base_channels=8, channel_multipliers=(1, 2, 3), norm_groups=4)).eval()


@torch.no_grad()
def test_an_untrained_video_vae_does_with_every_frame_what_the_picture_vae_does(picture_vae):
    vae, canvases = (
        video_vae_from(picture_vae).eval(),
        a_set(3).canvases(torch.arange(3), torch.tensor([0.0, 500.0, 900.0])),
    )
    latents, states = vae.encode(canvases)
    scale = picture_vae.config.scaling_factor
    assert torch.allclose(latents, picture_vae.encode(canvases).latent_dist.mode() * scale, atol=1e-5)
    video = vae.decode(latents.transpose(0, 1)[None], [state[[0, -1]][None] for state in states])[0].transpose(0, 1)
    assert torch.allclose(video, picture_vae.decode(latents / scale).sample, atol=1e-4)


def test_a_picture_vae_that_cannot_be_taken_over_is_refused():
    scaled, turned = new_vae(TINY_VAE), new_vae(TINY_VAE)
    scaled.register_to_config(scaling_factor=1.0)
    torch.nn.init.normal_(turned.post_quant_conv.weight)
    for vae, problem in ((scaled, r"scaling factor is 1\.0"), (turned, "post_quant_conv")):
        with pytest.raises(ValueError, match=problem):
            video_vae_from(vae)


def test_training_helps_the_decoder_and_leaves_the_encoder(picture_vae, tmp_path):
    data, options = a_set(3, 32), VideoVaeOptions(crop=16, clips=2)
    before = video_vae_from(picture_vae)
    after = train_video_vae(Training(data, tmp_path, options, quick(40, 5e-3)), picture_vae)

    def loss(vae):
        seeded = torch.Generator().manual_seed(1)
        return decoding_loss(vae, draw_some_frames(data, options, seeded), options, seeded)

    with torch.no_grad():
        assert loss(after) < 0.9 * loss(before)
    assert all(torch.equal(a, b) for a, b in zip(after.encoder.parameters(), before.encoder.parameters(), strict=True))
