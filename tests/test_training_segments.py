"""Stage 2: clips, networks, training."""

import pytest
import torch
from training_pictures import QUICK_SEGMENTS, TINY_SEGMENTS, a_set, generator, quick
from transformers import CLIPTokenizer

from paints_undo.models.video_vae import VideoVAE, VideoVAEConfig
from paints_undo.training.loop import Training
from paints_undo.training.segment_clips import (
    APP_SHARE,
    APP_STEPS,
    PAIR_WEIGHTS,
    SHORTEST,
    VIDEO_LENGTH,
    WHITE_CANVAS,
    ClipBuffer,
    draw_clips,
    draw_ends,
    draw_frame_numbers,
    draw_frames,
    wiped,
)
from paints_undo.training.segment_training import (
    FRAME_STRIDE,
    draw_prompts,
    draw_strides,
    draw_timesteps,
    new_networks,
    prompt_tokens,
    segments_loss,
    train_segments,
)
from paints_undo.training.tokenizer import write_tokenizer

TINY_VIDEO_VAE = VideoVAEConfig(ch=8, ch_mult=(1, 2), num_res_blocks=1, norm_groups=4)


@pytest.fixture(scope="module")
def data():
    return a_set(3, 32)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("multi_frame") / "tokenizer"
    write_tokenizer(folder, ["girl", "masterpiece", "best", "quality", "smile"])
    return CLIPTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def vae(data):
    """Untrained, but with latents of about unit deviation, as trained ones have."""
    torch.manual_seed(0)
    vae = VideoVAE(TINY_VIDEO_VAE).eval().requires_grad_(False)
    latents, _ = vae.encode(data.finished(torch.arange(1)))
    vae.quant_conv.weight /= latents.std()
    return vae


def test_ends_are_ordered_and_the_apps_come_as_often_as_their_weights_say():
    begin, end = draw_ends(8000, generator())
    assert (end > begin).all() and begin.min() == 0 and end.max() == WHITE_CANVAS
    assert len(set(begin.tolist())) > 100
    inside = (begin > 0) & (end < WHITE_CANVAS)
    assert (end - begin)[inside].min() >= min(SHORTEST, 20)
    assert APP_STEPS[0] == 0 and APP_STEPS[-1] == WHITE_CANVAS
    weights = torch.tensor(PAIR_WEIGHTS)
    expected = APP_SHARE * weights / weights.sum()
    # nothing but the first segment begins at 0, and nothing but the last one ends at the white canvas
    assert abs((begin == 0).float().mean() - expected[0]) < 0.02
    assert abs((end == WHITE_CANVAS).float().mean() - expected[-1]) < 0.008


def test_frames_keep_both_keyframes_and_the_order(data):
    for count in (3, 6, VIDEO_LENGTH):
        numbers = draw_frame_numbers(count, generator()).tolist()
        assert len(numbers) == count and numbers == sorted(set(numbers))
        assert numbers[0] == 0 and numbers[-1] == VIDEO_LENGTH - 1
    chosen, begin, end = torch.arange(2), torch.tensor([0.0, 700.0]), torch.tensor([400.0, float(WHITE_CANVAS)])
    video = draw_frames(data, chosen, begin, end)
    assert video.shape == (2, 3, VIDEO_LENGTH, 32, 32)
    assert torch.equal(video[:, :, 0], data.canvases(chosen, begin))
    assert torch.equal(video[:1, :, -1], data.canvases(chosen[:1], end[:1]))
    assert (video[1, :, -1] == 1).all()  # the last segment ends in white paper


def test_wiping_takes_paint_away_bit_by_bit():
    canvas = torch.ones(1, 3, 32, 32)
    canvas[:, :, 8:24, 8:24] = -1
    painted = (wiped(canvas)[0, 0] < 0).flatten(1).sum(1)
    assert painted[0] == 256 and painted[-1] == 0
    assert (painted.diff() <= 0).all() and (painted.diff() < 0).sum() > 10
    assert (wiped(torch.ones(1, 3, 8, 8)) == 1).all()


def test_clips_are_latents_of_the_chosen_frames(data, vae):
    clips = draw_clips(data, vae, 2, 5, generator())
    assert clips.latents.shape == (2, 4, 5, 16, 16) and clips.numbers.shape == (2, 5)
    assert torch.allclose(clips.latents[:, :, 0], vae.encode(clips.first)[0], atol=1e-5)


def test_the_buffer_renews_itself_and_forgets_other_lengths(data, vae):
    buffer, numbers = ClipBuffer(data, vae, size=4), generator()
    assert len(buffer.batch(2, 3, 1, numbers)) == 2
    oldest = buffer.clips[0]
    for _ in range(4):
        buffer.batch(2, 3, 1, numbers)
    assert len(buffer.clips) == 4 and all(clip is not oldest for clip in buffer.clips)
    assert len(buffer.batch(2, 3, 0, numbers)) == 2 and len(buffer.clips) == 4
    assert buffer.batch(2, 5, 0, numbers).latents.shape[2] == 5 and len(buffer.clips) == 2


def test_the_loss_falls_and_a_stopped_run_goes_on(data, tokenizer, vae, tmp_path):
    clips = draw_clips(data, vae, 4, 4, generator())
    tokens = prompt_tokens(data, tokenizer)[torch.ones(4, dtype=torch.long)]
    after, again = (  # for the second one nothing is left to do
        train_segments(Training(data, tmp_path, QUICK_SEGMENTS, quick(20)), vae, tokenizer) for _ in range(2)
    )
    with torch.no_grad():
        untrained = segments_loss(new_networks(TINY_SEGMENTS, tokenizer), clips, tokens, 0.0, generator())
        assert segments_loss(after, clips, tokens, 0.0, generator()) < 0.8 * untrained
    assert all(torch.equal(a, b) for a, b in zip(after.parameters(), again.parameters(), strict=True))


def test_frames_are_told_apart_by_their_numbers(data, tokenizer, vae):
    torch.manual_seed(1)
    networks = new_networks(TINY_SEGMENTS, tokenizer).eval()
    for parameter in networks.unet.parameters():
        torch.nn.init.normal_(parameter, std=0.2)  # nothing is silent any more
    clips = draw_clips(data, vae, 1, 3, generator())
    tokens, steps = prompt_tokens(data, tokenizer)[:1], torch.tensor([999])
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
