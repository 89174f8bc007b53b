import torch
from training_pictures import a_process

from paints_undo.models.video_vae import VideoVAE
from paints_undo.models.video_vae_config import VideoVAEConfig
from paints_undo.training.dataset import PictureSet
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

TINY_VAE = VideoVAEConfig(ch=8, ch_mult=(1, 2), num_res_blocks=1, norm_groups=4)


def pictures():
    return PictureSet(torch.from_numpy(a_process().to_maps())[None].repeat(3, 1, 1, 1), ["a", "b", "c"], [(), (), ()])


def generator():
    return torch.Generator().manual_seed(0)


def test_ends_are_ordered_and_mostly_the_apps():
    begin, end = draw_ends(400, generator())
    assert (end > begin).all() and begin.min() == 0 and end.max() == WHITE_CANVAS
    assert (begin == 0).float().mean() > 0.05
    assert len(set(begin.tolist())) > 100
    inside = (begin > 0) & (end < WHITE_CANVAS)
    assert (end - begin)[inside].min() >= min(SHORTEST, 20)
    assert APP_STEPS[0] == 0 and APP_STEPS[-1] == WHITE_CANVAS


def test_segments_of_the_app_come_as_often_as_their_weights_say():
    begin, end = draw_ends(8000, generator())
    weights = torch.tensor(PAIR_WEIGHTS)
    expected = APP_SHARE * weights / weights.sum()
    # nothing but the first segment begins at 0, and nothing but the last one ends at the white canvas
    assert abs((begin == 0).float().mean() - expected[0]) < 0.02
    assert abs((end == WHITE_CANVAS).float().mean() - expected[-1]) < 0.008


def test_frame_numbers_keep_both_keyframes_and_the_order():
    for count in (3, 6, VIDEO_LENGTH):
        numbers = draw_frame_numbers(count, generator()).tolist()
        assert len(numbers) == count and numbers == sorted(set(numbers))
        assert numbers[0] == 0 and numbers[-1] == VIDEO_LENGTH - 1


def test_frames_begin_and_end_at_the_keyframes():
    data, chosen = pictures(), torch.arange(2)
    video = draw_frames(data, chosen, torch.tensor([0.0, 600.0]), torch.tensor([400.0, 800.0]))
    assert video.shape == (2, 3, VIDEO_LENGTH, 64, 64)
    assert torch.equal(video[:, :, 0], data.canvases(chosen, torch.tensor([0.0, 600.0])))
    assert torch.equal(video[:, :, -1], data.canvases(chosen, torch.tensor([400.0, 800.0])))


def test_the_last_segment_ends_in_white_paper():
    data = pictures()
    video = draw_frames(data, torch.tensor([0]), torch.tensor([700.0]), torch.tensor([float(WHITE_CANVAS)]))
    assert torch.equal(video[:, :, 0], data.canvases(torch.tensor([0]), torch.tensor([700.0])))
    assert (video[:, :, -1] == 1).all()


def test_wiping_takes_paint_away_bit_by_bit():
    canvas = torch.ones(1, 3, 32, 32)
    canvas[:, :, 8:24, 8:24] = -1
    painted = (wiped(canvas)[0, 0] < 0).flatten(1).sum(1)
    assert painted[0] == 256 and painted[-1] == 0
    assert (painted.diff() <= 0).all() and (painted.diff() < 0).sum() > 10
    assert (wiped(torch.ones(1, 3, 8, 8)) == 1).all()


def test_clips_are_latents_of_the_chosen_frames():
    vae = VideoVAE(TINY_VAE).eval()
    clips = draw_clips(pictures(), vae, 2, 5, generator())
    assert clips.latents.shape == (2, 4, 5, 32, 32) and clips.numbers.shape == (2, 5)
    with torch.no_grad():
        expected, _ = vae.encode(clips.first)
    assert torch.allclose(clips.latents[:, :, 0], expected, atol=1e-5)


def test_the_buffer_renews_itself_and_forgets_other_lengths():
    buffer, random_numbers = ClipBuffer(pictures(), VideoVAE(TINY_VAE).eval(), size=4), generator()
    assert len(buffer.batch(2, 3, 1, random_numbers)) == 2
    oldest = buffer.clips[0]
    for _ in range(4):
        buffer.batch(2, 3, 1, random_numbers)
    assert len(buffer.clips) == 4 and all(clip is not oldest for clip in buffer.clips)
    assert len(buffer.batch(2, 3, 0, random_numbers)) == 2 and len(buffer.clips) == 4
    assert buffer.batch(2, 5, 0, random_numbers).latents.shape[2] == 5 and len(buffer.clips) == 2
