from pathlib import Path

import pytest
import torch
from test_training_segment_clips import TINY_VAE, generator, pictures
from transformers import CLIPTokenizer

from paints_undo.family.model_family import ModelFamily
from paints_undo.family.weights import load_part, load_tokenizer
from paints_undo.models.attention import attention
from paints_undo.models.video_vae import VideoVAE
from paints_undo.training.family_files import write_stage
from paints_undo.training.loop import LoopOptions, Training
from paints_undo.training.segment_clips import VIDEO_LENGTH, draw_clips
from paints_undo.training.segment_training import (
    FRAME_STRIDE,
    SegmentSizes,
    SegmentTrainingOptions,
    draw_prompts,
    draw_strides,
    draw_timesteps,
    new_networks,
    prompt_tokens,
    segments_loss,
    train_segments,
)
from paints_undo.training.tokenizer import write_tokenizer

TINY = SegmentSizes(channels=8, multipliers=(1, 2), attention_at=(2,), head_width=4, norm_groups=4, context=16,
                    image_tokens=2, vision_width=16, vision_layers=1, picture=32, patch=16)  # fmt: skip
QUICK = SegmentTrainingOptions(sparse_frames=3, sparse_share=0.6, sparse_batch=2, buffer=6, sizes=TINY)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("multi_frame") / "tokenizer"
    write_tokenizer(folder, ["girl", "masterpiece", "best", "quality", "smile"])
    return CLIPTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def vae():
    """Untrained, but with latents of about unit deviation, as trained ones have."""
    torch.manual_seed(0)
    vae = VideoVAE(TINY_VAE).eval().requires_grad_(False)
    latents, _ = vae.encode(pictures().finished(torch.arange(1)))
    vae.quant_conv.weight /= latents.std()
    return vae


def test_the_loss_falls_and_a_stopped_run_goes_on(tokenizer, vae, tmp_path):
    data = pictures()
    clips = draw_clips(data, vae, 4, 4, generator())
    tokens = prompt_tokens(data, tokenizer)[torch.ones(4, dtype=torch.long)]
    loop = LoopOptions(steps=20, learning_rate=1e-2, warmup_steps=2, averaging=0.5, mixed_precision=False)
    after = train_segments(Training(data, tmp_path, QUICK, loop), vae, tokenizer)
    with torch.no_grad():
        untrained = segments_loss(new_networks(TINY, tokenizer), clips, tokens, 0.0, generator())
        assert segments_loss(after, clips, tokens, 0.0, generator()) < 0.8 * untrained
    again = train_segments(Training(data, tmp_path, QUICK, loop), vae, tokenizer)  # nothing is left to do
    assert all(torch.equal(a, b) for a, b in zip(after.parameters(), again.parameters(), strict=True))


def test_saved_parts_load_strictly_and_compute_the_same(tokenizer, vae, tmp_path):
    networks, folder = new_networks(TINY, tokenizer).eval(), tmp_path / "multi_frame"
    write_stage(folder, networks, vae, tokenizer, torch.float32)
    family = ModelFamily.__new__(ModelFamily)  # a family of this half alone: its other half is trained elsewhere
    object.__setattr__(family, "folders", {"multi_frame": Path(folder)})
    assert load_tokenizer(family, "multi_frame/tokenizer")("smile").input_ids == tokenizer("smile").input_ids
    x = torch.zeros(1, 3, 32, 32)
    with torch.no_grad():
        features = load_part(family, "multi_frame/image_encoder", torch.float32)(x)
        assert torch.allclose(features, networks.image_encoder(x), atol=1e-6)
        pair = torch.stack([features, features], dim=1)
        image = load_part(family, "multi_frame/image_projection", torch.float32)(pair)
        assert torch.allclose(image, networks.image_projection(pair), atol=1e-6)
    for name, network in (("text_encoder", networks.text_encoder), ("unet", networks.unet), ("vae", vae)):
        loaded = load_part(family, f"multi_frame/{name}", torch.float32).state_dict()
        assert all(torch.equal(loaded[key], value) for key, value in network.state_dict().items())


def test_frames_are_told_apart_by_their_numbers(tokenizer, vae):
    torch.manual_seed(1)
    networks = new_networks(TINY, tokenizer).eval()
    for parameter in networks.unet.parameters():
        torch.nn.init.normal_(parameter, std=0.2)  # nothing is silent any more
    clips = draw_clips(pictures(), vae, 1, 3, generator())
    tokens, steps = prompt_tokens(pictures(), tokenizer)[:1], torch.tensor([999])
    noisy = torch.randn(clips.latents.shape, generator=generator())

    def drawn(number):
        clips.numbers[0, 1] = number
        return networks(clips, tokens, noisy, steps, torch.tensor([3]))

    with torch.no_grad():
        assert not torch.allclose(drawn(3), drawn(12), atol=1e-4)


def test_what_is_drawn_for_each_batch():
    timesteps = draw_timesteps(2000, generator())
    assert timesteps.min() >= 0 and timesteps.max() == 999
    assert 0.8 < (timesteps == 999).float().mean() < 0.9
    strides = draw_strides(500, generator())
    assert (strides == FRAME_STRIDE).float().mean() > 0.6 and strides.min() >= 1 and strides.max() <= 60
    rows = draw_prompts(torch.full((500,), 4), 0.1, generator())
    assert set(rows.tolist()) == {0, 1, 6} and 0.02 < (rows == 0).float().mean() < 0.2


def test_the_plain_attention_of_training_is_the_apps():
    from paints_undo.models.attention import attention_backend

    query, key = torch.randn(2, 5, 8, generator=generator()), torch.randn(2, 7, 8, generator=generator())
    with attention_backend("plain"):
        plain = attention(query, key, key, heads=2)
    assert torch.allclose(plain, attention(query, key, key, heads=2), atol=1e-5)


def test_larger_pictures_are_seen_in_as_many_patches():
    larger = SegmentTrainingOptions().for_size(256).sizes
    assert (larger.picture, larger.patch) == (256, 32) and SegmentTrainingOptions().for_size(128).sizes.patch == 16
    assert SegmentTrainingOptions(batch=1, sparse_batch=3).with_batch(4).sparse_batch == 12


def test_senseless_options_are_refused():
    with pytest.raises(ValueError, match="multiple of norm_groups"):
        SegmentSizes(channels=20)
    with pytest.raises(ValueError, match="patch"):
        SegmentSizes(picture=100)
    with pytest.raises(ValueError, match="sparse_frames"):
        SegmentTrainingOptions(sparse_frames=VIDEO_LENGTH + 1)
    with pytest.raises(ValueError, match="dropped"):
        SegmentTrainingOptions(dropped=1.5)
    with pytest.raises(ValueError, match="batch"):
        SegmentTrainingOptions(batch=0)
