"""The losses train the very prediction that the samplers use."""

import pytest
import torch

from paints_undo.diffusion.denoisers import PREDICTIONS, KeyframeDenoiser, SegmentDenoiser, training_noise


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(3)
    latents = torch.randn(5, 4, 6, 6, generator=generator)
    noise, _ = training_noise(latents, generator)
    return latents, noise, torch.tensor([0, 250, 500, 750, 999])


def test_a_network_that_knows_the_noise_has_no_loss(batch):
    latents, noise, timesteps = batch
    loss = KeyframeDenoiser().loss(lambda x, t: noise, latents, noise, timesteps)
    assert loss.shape == (5,) and loss.max() == 0


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_keyframe_denoiser_inverts_its_training(batch, prediction):
    latents, noise, timesteps = batch
    denoiser, seen = KeyframeDenoiser(prediction), {}
    denoiser.loss(lambda x, t: seen.update(x=x) or x, latents, noise, timesteps)
    for row, timestep in enumerate(timesteps):
        sigma = denoiser.sigmas[timestep].item()
        size = (sigma**2 + 1) ** 0.5
        right = noise[row] if prediction == "epsilon" else (noise[row] - sigma * latents[row]) / size

        def predict(x, t, right=right, timestep=timestep):
            assert t == timestep  # the sampler finds the timestep that training used
            return right

        torch.testing.assert_close(denoiser(predict, seen["x"][row] * size, sigma), latents[row], rtol=0, atol=2e-4)
        only = denoiser.loss(
            lambda x, t, p=right: p[None], latents[row : row + 1], noise[row : row + 1], timestep[None]
        )
        assert only.max() < 1e-9


def test_unknown_prediction():
    with pytest.raises(ValueError, match="keyframe prediction is 'x0'; use one of epsilon, v_prediction"):
        KeyframeDenoiser("x0")


def test_segment_denoiser_inverts_its_training(batch):
    latents, noise, timesteps = batch
    denoiser, seen = SegmentDenoiser(), {}
    denoiser.loss(lambda x, t: seen.update(x=x) or x, latents, noise, timesteps)
    for row, timestep in enumerate(timesteps):
        a, scale = denoiser.alphas[timestep].item(), denoiser.scales[timestep].item()
        v = a**0.5 * noise[row] - (1 - a) ** 0.5 * scale * latents[row]
        x0, e = denoiser(lambda x, t, v=v: v, seen["x"][row], int(timestep), a)
        torch.testing.assert_close(x0, scale * latents[row], rtol=0, atol=1e-5)
        torch.testing.assert_close(e, noise[row], rtol=0, atol=1e-5)


def test_training_noise_covers_all_timesteps():
    noise, timesteps = training_noise(torch.zeros(4000, 1), torch.Generator().manual_seed(0))
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert timesteps.min() < 5 and timesteps.max() > 994 and timesteps.max() <= 999
