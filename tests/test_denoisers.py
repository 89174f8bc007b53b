"""The losses train the very prediction that the samplers use."""

import pytest
import torch

from paints_undo.diffusion.denoisers import NoiseDenoiser, VelocityDenoiser, training_noise


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(3)
    latents = torch.randn(5, 4, 6, 6, generator=generator)
    noise, _ = training_noise(latents, generator)
    return latents, noise, torch.tensor([0, 250, 500, 750, 999])


def test_a_network_that_knows_the_noise_has_no_loss(batch):
    latents, noise, timesteps = batch
    loss = NoiseDenoiser().loss(lambda x, t: noise, latents, noise, timesteps)
    assert loss.shape == (5,) and loss.max() == 0


def test_noise_denoiser_inverts_its_training(batch):
    latents, noise, timesteps = batch
    denoiser, seen = NoiseDenoiser(), {}
    denoiser.loss(lambda x, t: seen.update(x=x) or x, latents, noise, timesteps)
    for row, timestep in enumerate(timesteps):
        sigma = denoiser.sigmas[timestep].item()
        noisy = seen["x"][row] * (sigma**2 + 1) ** 0.5

        def predict(x, t, row=row, timestep=timestep):
            assert t == timestep  # the sampler finds the timestep that training used
            return noise[row]

        torch.testing.assert_close(denoiser(predict, noisy, sigma), latents[row], rtol=0, atol=2e-4)


def test_velocity_denoiser_inverts_its_training(batch):
    latents, noise, timesteps = batch
    denoiser, seen = VelocityDenoiser(), {}
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
