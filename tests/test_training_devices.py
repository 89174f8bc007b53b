"""Everything in a training step lies on the chosen device: each part, on a device that only pretends to be one."""

from dataclasses import replace

import pytest
import torch
from pretended_device import StrayTensor, pretended_device
from test_training_segment_clips import pictures
from test_training_segment_training import QUICK
from torch import nn

from paints_undo.training.keyframe_networks import KeyframeSizes
from paints_undo.training.keyframe_training import (
    KeyframeTrainingOptions,
    keyframe_sheet,
    make_tokenizer,
    train_keyframes,
)
from paints_undo.training.loop import LoopOptions, Training
from paints_undo.training.picture_vae import VaeOptions, evaluate_vae, new_vae, train_vae
from paints_undo.training.processes import Processes, join_processes
from paints_undo.training.segment_training import train_segments
from paints_undo.training.tagger import TaggerOptions, train_tagger
from paints_undo.training.video_vae_training import VideoVaeOptions, train_video_vae, video_vae_from

LOOP = LoopOptions(steps=2, mixed_precision=False)
VAE = VaeOptions(base_channels=8, channel_multipliers=(1, 2), norm_groups=4, crop=16, crops=2, whole_share=0.5)
SIZES = KeyframeSizes(widths=(16, 32), heads=(0, 2), norm_groups=8, text_width=16, text_layers=1, text_heads=2)


def train(part, device, folder):
    """Two updates of one part on the device; the networks that came of it."""
    data, processes = replace(pictures(), tags=[("solo",)] * 3), Processes(device)
    tokenizer, vae = make_tokenizer(data, folder / "tokenizer"), new_vae(VAE)

    def look(trainer):
        sheet = keyframe_sheet(trainer.averaged, vae, tokenizer, data, count=1)
        assert torch.isfinite(sheet[0]).all()

    def look_at_vae(trainer):
        assert evaluate_vae(trainer.averaged, data.on(device), 1)["all"] > 0

    def training(options, look=lambda trainer: None):
        return Training(data, folder, options, LOOP, look, processes)

    if part == "vae":
        return train_vae(training(VAE, look_at_vae))
    if part == "tagger":
        return train_tagger(training(TaggerOptions((8, 16), (1, 1), 64, batch=2)))
    if part == "keyframes":
        return train_keyframes(training(KeyframeTrainingOptions(SIZES, batch=3, fresh=2), look), vae, tokenizer)
    if part == "video_vae":
        return train_video_vae(training(VideoVaeOptions(crop=32, clips=2, whole_share=0.5)), vae)
    return train_segments(training(QUICK), video_vae_from(vae), tokenizer)


PARTS = ("vae", "tagger", "keyframes", "video_vae", "segments")


@pytest.mark.parametrize("part", PARTS)
def test_a_step_lies_on_the_device_and_learns_what_the_cpu_learns(part, tmp_path):
    with pretended_device() as device:
        there = train(part, device, tmp_path / "there")
        assert {p.device.type for p in there.parameters()} == {"cpu"}  # what was trained comes back
    here = train(part, torch.device("cpu"), tmp_path / "here")
    for one, other in zip(there.parameters(), here.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-4)  # the same random numbers on every device


@pytest.mark.gpu
@pytest.mark.parametrize("part", PARTS)
def test_a_step_on_a_gpu(part, tmp_path):
    device = join_processes().device
    assert device.type != "cpu"
    assert all(torch.isfinite(p).all() for p in train(part, device, tmp_path).parameters())


def test_the_pretended_device_finds_what_a_gpu_would_refuse():
    with pretended_device() as device:
        network, x = nn.Linear(3, 3).to(device), torch.ones(2, 3)
        assert network(x.to(device)).device == device and x.device.type == "cpu"
        with pytest.raises(StrayTensor):
            network(x)
        with pytest.raises(StrayTensor):
            torch.rand(2, device=device, generator=torch.Generator())
        with pytest.raises(StrayTensor):
            x.to(device).numpy()
        assert x.to(device)[torch.tensor([1])].device == device
        assert (x.to(device) * torch.tensor(2.0)).cpu().device.type == "cpu"
