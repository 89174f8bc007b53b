"""The video VAE computes what the original's does."""

import pytest
import torch
from reference import FORWARD, deviation, recorded, shapes
from reference_fill import fill

from paints_undo.models.video_vae import VideoVAE
from paints_undo.models.video_vae_config import VideoVAEConfig


@pytest.fixture(scope="module")
def reference():
    return recorded("video_vae")


@pytest.fixture(scope="module")
def vae(reference):
    return fill(VideoVAE(VideoVAEConfig(**reference.config)).eval())


@pytest.fixture(scope="module")
def encoded(vae, reference):
    with torch.inference_mode():
        return vae.encode(reference.inputs["frames"].clamp(-1, 1)[0].transpose(0, 1))


def test_keys_and_shapes(vae, reference):
    assert shapes(vae) == reference.spec["keys"]


def test_encoding(encoded, reference):
    latents, hidden_states = encoded
    assert deviation(latents, reference.outputs["latent_mode_scaled"]) < FORWARD
    assert len(hidden_states) == 5
    for index, state in enumerate(hidden_states):
        assert deviation(state, reference.outputs[f"hidden_{index}"][0].transpose(0, 1)) < FORWARD


@torch.inference_mode()
def test_decoding(vae, encoded, reference):
    video = vae.decode(reference.inputs["latents"], [state[None] for state in encoded[1]])
    assert deviation(video, reference.outputs["decoded"]) < FORWARD


@torch.inference_mode()
def test_pictures_are_encoded_alone(vae, encoded, reference):
    first, _ = vae.encode(reference.inputs["frames"].clamp(-1, 1)[0].transpose(0, 1)[:1])
    assert deviation(first, reference.outputs["latent_mode_scaled"][:1]) < FORWARD


def test_post_quant_conv_is_loaded_but_not_applied(vae, encoded, reference):
    before = vae.post_quant_conv.weight.clone()
    try:
        with torch.no_grad():
            vae.post_quant_conv.weight.zero_()
            video = vae.decode(reference.inputs["latents"], [state[None] for state in encoded[1]])
        assert deviation(video, reference.outputs["decoded"]) < FORWARD
    finally:
        vae.post_quant_conv.weight.data.copy_(before)


@torch.inference_mode()
def test_fewer_levels_halve_less_often_and_narrow_ones_need_fewer_groups():
    vae = VideoVAE(VideoVAEConfig(ch=24, ch_mult=(1, 2, 2), num_res_blocks=1, norm_groups=8)).eval()
    latents, hidden_states = vae.encode(torch.zeros(2, 3, 32, 16))
    assert latents.shape == (2, 4, 8, 4) and len(hidden_states) == 4
    assert vae.decode(torch.zeros(1, 4, 16, 8, 4), [state[None] for state in hidden_states]).shape == (1, 3, 16, 32, 16)


def test_what_is_not_implemented_is_refused():
    with pytest.raises(ValueError, match="double_z False"):
        VideoVAEConfig(double_z=False)
