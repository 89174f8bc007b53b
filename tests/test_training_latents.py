import pytest
import torch
from training_pictures import a_process

from paints_undo.training.dataset import PictureSet
from paints_undo.training.latents import APP_STEPS, LatentPool, draw_operation_steps, encode
from paints_undo.training.picture_vae import VaeOptions, new_vae


@pytest.fixture(scope="module")
def vae():
    return new_vae(VaeOptions(base_channels=8, channel_multipliers=(1, 2), norm_groups=4, crop=16))


@pytest.fixture
def data():
    return PictureSet(torch.from_numpy(a_process(32).to_maps())[None].repeat(3, 1, 1, 1), list("abc"), [()] * 3)


def test_all_steps_appear_and_the_apps_more_often():
    steps = draw_operation_steps(4000, torch.Generator().manual_seed(0))
    assert steps.min() >= 0 and steps.max() <= 999
    assert (steps <= 50).float().mean() > 0.12
    assert 0.5 < (steps >= 400).float().mean() < 0.85
    assert all((steps == step).sum() > 50 for step in APP_STEPS)
    assert ((steps > 50) & (steps < 400)).any()


def test_what_is_drawn_is_the_latent_of_that_canvas(data, vae):
    pool, generator = LatentPool(data, vae, capacity=5), torch.Generator().manual_seed(0)
    for _ in range(3):
        pictures, steps, canvases, artworks = pool.draw(4, 2, generator)
        assert torch.allclose(canvases, encode(vae, data.canvases(pictures, steps)), atol=2e-2)
        assert torch.allclose(artworks, encode(vae, data.finished(pictures)), atol=2e-2)
    assert len(pool.canvases) == 5 and set(pool.artworks) <= {0, 1, 2}


def test_only_the_fresh_ones_are_encoded(data, vae, monkeypatch):
    pool, generator = LatentPool(data, vae), torch.Generator().manual_seed(0)
    for _ in range(8):  # until every artwork has been met
        pool.draw(4, 4, generator)
    encoded = []
    monkeypatch.setattr(
        "paints_undo.training.latents.encode",
        lambda vae, pictures: encoded.append(len(pictures)) or encode(vae, pictures),
    )
    pool.draw(4, 1, generator)
    assert encoded == [1]


def test_when_every_artwork_is_known_none_is_asked_for(data, vae, monkeypatch):
    pool, generator = LatentPool(data, vae), torch.Generator().manual_seed(0)
    for _ in range(8):
        pool.draw(4, 4, generator)
    # own time-lapses cannot stack nothing
    monkeypatch.setattr(PictureSet, "finished", lambda self, indices: pytest.fail("asked for no picture"))
    assert len(pool.draw(4, 4, generator)[0]) == 4
