import pytest
import torch
from training_pictures import a_process

from paints_undo.training.dataset import PictureSet
from paints_undo.training.loop import LoopOptions, Training
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
)
from paints_undo.training.process import stage_of

TINY = VaeOptions(base_channels=8, channel_multipliers=(1, 2), norm_groups=4, crop=16, crops=4)


def pictures():
    return PictureSet(torch.from_numpy(a_process().to_maps())[None].repeat(2, 1, 1, 1), ["a", "b"], [(), ()])


def test_training_helps_and_latents_get_the_published_deviation(tmp_path):
    data = pictures()
    before = evaluate_vae(new_vae(TINY), data)["all"]
    loop = LoopOptions(steps=60, learning_rate=1e-2, warmup_steps=5, averaging=0.5, mixed_precision=False)
    vae = train_vae(Training(data, tmp_path, TINY, loop))
    assert evaluate_vae(vae, data)["all"] > before + 0.5
    canvases = data.canvases(torch.arange(2), torch.tensor([0.0, 400.0]))
    latents = vae.encode(canvases).latent_dist.mode() * SCALING_FACTOR
    assert latents.shape == (2, 4, 32, 32) and 0.4 < latents.std() < 2
    assert (tmp_path / "vae" / "config.json").exists()


def test_post_quant_conv_stays_the_identity():
    vae = new_vae(TINY)
    latents = torch.randn(1, 4, 8, 8)
    assert torch.equal(vae.post_quant_conv(latents), latents)
    assert not any(parameter.requires_grad for parameter in vae.post_quant_conv.parameters())


def test_scaling_the_latents_changes_no_picture():
    from paints_undo.training.picture_vae import with_published_deviation

    vae, canvases = new_vae(TINY), pictures().finished(torch.arange(2))
    before = reconstruct(vae, canvases)
    assert torch.allclose(before, reconstruct(with_published_deviation(vae, pictures(), 4), canvases), atol=1e-4)


def test_painted_pixels_count_more_than_paper():
    wanted = torch.ones(1, 3, 16, 16)
    wanted[..., :4] = -1
    wrong_paper, wrong_paint = wanted.clone(), wanted.clone()
    wrong_paper[..., 12:] -= 0.2
    wrong_paint[..., :4] += 0.2
    assert reconstruction_loss(wanted, wanted) == 0
    assert reconstruction_loss(wrong_paint, wanted) > 1.5 * reconstruction_loss(wrong_paper, wanted)


def test_one_latent_channel_is_led_to_tell_red_from_green():
    pictures = torch.rand(2, 3, 16, 16) * 2 - 1
    latents = torch.zeros(2, 4, 4, 4)
    before = red_green_loss(latents, pictures)
    coarse = torch.nn.functional.avg_pool2d(pictures, 4)
    latents[:, RED_GREEN_CHANNEL] = RED_GREEN_GAIN * (coarse[:, 0] - coarse[:, 1])
    assert red_green_loss(latents, pictures) < 1e-6 < before


def test_crops_are_taken_where_something_is_painted():
    canvas = torch.ones(8, 3, 64, 64)
    canvas[:, :, 50:54, 50:54] = -1
    crops = draw_crops(canvas, 16, torch.Generator().manual_seed(0))
    assert crops.shape == (8, 3, 16, 16) and (crops.amin((1, 2, 3)) == -1).all()


def test_every_stage_is_drawn():
    steps = draw_steps(400, torch.Generator().manual_seed(0))
    assert steps.min() == 0 and steps.max() > 900
    assert {stage_of(int(step)) for step in steps} == {"sketch", "line", "flat", "shadow", "finish"}
    assert all(
        stage_of(int(step)) == name for name, some in stage_steps(4).items() if name != "finished" for step in some
    )


def test_a_latent_of_a_large_picture_stands_for_eight_pixels():
    assert VaeOptions().for_size(128).downsampling == 4 and VaeOptions().for_size(192).downsampling == 4
    large = VaeOptions().for_size(256)
    assert (large.downsampling, large.crop) == (8, 128) and new_vae(large).config.block_out_channels == (24, 48, 96, 96)


def test_senseless_sizes_are_refused():
    with pytest.raises(ValueError, match="latent_channels 8 has to be 4"):
        VaeOptions(latent_channels=8)
    with pytest.raises(ValueError, match="norm_groups"):
        VaeOptions(base_channels=20, norm_groups=8)
    with pytest.raises(ValueError, match="crop"):
        VaeOptions(crop=30)


def test_psnr_of_a_known_error():
    assert psnr(torch.zeros(1, 3, 4, 4) + 0.02, torch.zeros(1, 3, 4, 4))[0] == pytest.approx(40, abs=0.01)
