"""The streamed decoder draws the frames that the whole one draws, in less memory."""

import pytest
import torch
from live_bytes import LiveBytes
from reference import FORWARD, deviation, recorded
from reference_fill import fill
from torch import Tensor, nn

from paints_undo.execution.pinned_transfer import PinnedTransfer
from paints_undo.models.streamed_decoder import WaitingRoom, mixed
from paints_undo.models.video_vae import VideoVAE
from paints_undo.models.video_vae_config import VideoVAEConfig

EXACT = 1e-5  # relative root mean square


def difference(found, expected):
    return ((found - expected).square().mean().sqrt() / expected.std()).item()


@pytest.fixture(scope="module")
def vae():
    """A decoder with every kind of part, whose random weights mix the frames."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vae = VideoVAE(VideoVAEConfig(ch=32, ch_mult=(1, 2, 2), num_res_blocks=1)).eval()
        for name, value in vae.named_parameters():
            if name.endswith("mix_factor"):
                nn.init.normal_(value)
    return vae


def encoded(vae, pictures):
    """References of videos whose first and last frames are the pictures (b, 2, 3, H, W)."""
    with torch.inference_mode():
        _, states = vae.encode(pictures.flatten(0, 1))
    return [state.unflatten(0, (-1, 2)) for state in states]


@pytest.mark.parametrize("frames_at_once", [1, 2, 3, 16, 40])
@pytest.mark.parametrize("white", [False, True], ids=["noise", "white"])
@torch.inference_mode()
def test_frames_are_those_of_the_whole_decoder(vae, frames_at_once, white):
    generator = torch.Generator().manual_seed(1)
    shape = (2, 2, 3, 32, 24)
    references = encoded(vae, torch.ones(shape) if white else torch.rand(shape, generator=generator) * 2 - 1)
    latents = torch.randn(2, 4, 16, 8, 6, generator=generator)
    if white:
        latents[:] = latents[..., :1, :1]  # every frame of one colour
    whole = vae.decode(latents, references)
    assert difference(vae.decode(latents, references, frames_at_once), whole) < EXACT


@pytest.mark.parametrize("frames_at_once", [1, 4])
@torch.inference_mode()
def test_decoding_is_the_recorded_one(frames_at_once):
    reference = recorded("video_vae")
    vae = fill(VideoVAE(VideoVAEConfig(**reference.config)).eval())
    _, states = vae.encode(reference.inputs["frames"].clamp(-1, 1)[0].transpose(0, 1))
    references = [state[None] for state in states]
    video = vae.decode(reference.inputs["latents"], references, frames_at_once, spill=Tensor.clone)
    assert deviation(video, reference.outputs["decoded"]) < FORWARD


@torch.inference_mode()
def test_half_precision_keeps_its_type(vae):
    half = VideoVAE(vae.config).eval().bfloat16()
    half.load_state_dict(vae.state_dict())
    references = [state.bfloat16() for state in encoded(vae, torch.zeros(1, 2, 3, 16, 16))]
    latents = torch.randn(1, 4, 16, 4, 4, generator=torch.Generator().manual_seed(2)).bfloat16()
    video = half.decode(latents, references, 2)
    assert video.dtype == torch.bfloat16
    assert difference(video.float(), half.decode(latents, references).float()) < 0.05


@torch.inference_mode()
def test_less_memory_is_taken(vae):
    references = encoded(vae, torch.zeros(1, 2, 3, 32, 32))
    latents = torch.zeros(1, 4, 16, 8, 8)

    def peak(frames_at_once):
        with LiveBytes(torch.device("cpu")) as live:
            vae.decode(latents, references, frames_at_once)
        return live.peak

    whole, four, one = peak(None), peak(4), peak(1)
    assert one < four < whole and one < 0.45 * whole


@torch.inference_mode()
def test_the_norm_is_that_of_the_whole_video():
    generator = torch.Generator().manual_seed(3)
    norm = nn.GroupNorm(4, 8, eps=1e-5)
    norm.weight.data, norm.bias.data = torch.randn(2, 8, generator=generator)
    convolution = nn.Conv3d(8, 8, (3, 1, 1), padding=(1, 0, 0))
    frames = torch.randn(5, 8, 6, 7, generator=generator) + torch.arange(5)[:, None, None, None]
    room = WaitingRoom(iter(frames.split(2)), norm, spill=None)
    video = frames.transpose(0, 1)[None]
    expected = convolution(nn.functional.silu(norm(video)))[0].transpose(0, 1)
    assert difference(torch.cat(list(room.mixed_by(convolution, room.look()))), expected) < EXACT
    assert torch.equal(torch.cat(list(room.leave())), frames) and not room.pieces


@torch.inference_mode()
def test_three_frames_make_one():
    convolution = nn.Conv3d(3, 2, (3, 1, 1))
    frames = torch.randn(4, 3, 5, 6, generator=torch.Generator().manual_seed(4))
    expected = convolution(frames.transpose(0, 1)[None])[0].transpose(0, 1)
    assert difference(mixed(convolution, frames), expected) < EXACT


def test_no_frames_at_a_time_are_refused(vae):
    with pytest.raises(ValueError, match="frames_at_once must be at least 1, got 0"):
        vae.decode(torch.zeros(1, 4, 16, 4, 4), encoded(vae, torch.zeros(1, 2, 3, 16, 16)), 0)


@pytest.mark.gpu
@torch.inference_mode()
def test_spilled_activations_wait_on_the_host(vae):
    transfer = PinnedTransfer(torch.device("cuda"))
    transfer.allow_pinned(2**28)
    pieces = [torch.ones(2, 3, device="cuda"), torch.ones(2**26, device="cuda"), torch.ones(7, device="cuda")]
    waiting = [transfer.to_host(piece) for piece in pieces]
    assert [piece.is_pinned() for piece in waiting] == [True, False, True], "the budget is one piece of 256 MiB"
    torch.cuda.synchronize()
    assert all(torch.equal(piece, torch.ones_like(piece)) for piece in waiting)
    references = encoded(vae, torch.zeros(1, 2, 3, 16, 16))
    latents = torch.randn(1, 4, 16, 4, 4, generator=torch.Generator().manual_seed(5))
    expected = vae.decode(latents, references)
    device = VideoVAE(vae.config).eval().to("cuda")
    device.load_state_dict(vae.state_dict())
    found = device.decode(latents.cuda(), references, 2, transfer.to_host)  # the references come from the host, too
    assert difference(found.cpu(), expected) < 1e-2
