"""Compiled blocks compute what the eager ones do."""

import shutil
from dataclasses import replace

import pytest
import torch

from memory_management import pick_device
from paints_undo import PaintsUndo, SegmentOptions
from paints_undo.execution.compilation import compile_blocks
from paints_undo.family.model_family import open_family
from paints_undo.family.weights import load_part
from paints_undo.models import video_unet_blocks, video_vae
from paints_undo.models.fused import fused_kernels
from paints_undo.models.video_unet_blocks import Conditions, FeedForward
from paints_undo.models.video_unet_config import VideoUNetConfig

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler (g++)")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    yield tmp_path
    torch.compiler.reset()


@needs_compiler
@pytest.mark.slow
def test_a_compiled_block_equals_the_eager_one(cache):
    torch.manual_seed(0)
    network, tokens = torch.nn.Sequential(FeedForward(16, dropout=0.0)), torch.randn(2, 8, 16)
    keys = list(network.state_dict())
    with torch.inference_mode():
        eager = network(tokens)
        assert compile_blocks(network) == 1
        compiled = network(tokens)
    assert list(network.state_dict()) == keys
    assert torch.allclose(compiled, eager, atol=1e-6) and not torch.equal(compiled, tokens)
    assert any(cache.rglob("*.so")), "nothing was compiled"


def test_every_large_network_has_blocks_to_compile(tiny_family):
    parts = PaintsUndo.load(tiny_family, device="cpu").parts
    for part, least in [("single_frame/unet", 4), ("multi_frame/unet", 4), ("multi_frame/vae", 4)]:
        with parts.on_device(part) as network:
            assert compile_blocks(network) >= least


@pytest.mark.gpu
def test_compiled_frames_equal_the_eager_ones(tiny_family):
    pictures = [torch.randint(0, 256, (64, 128, 3), dtype=torch.uint8).numpy() for _ in range(2)]
    device, options = pick_device(None).type, SegmentOptions(sampling_steps=2)
    eager, compiled = (
        PaintsUndo.load(tiny_family, device=device, dtype="fp32", compiled=choice) for choice in (False, True)
    )
    wanted, found = (engine.fill_segment(*pictures, options) for engine in (eager, compiled))
    assert abs(wanted.astype(int) - found).max() <= 1


def test_blocks_are_one_graph_each(tiny_family):
    """What asks the thread for its settings within a block would cut the block there."""
    config = PaintsUndo.load(tiny_family, device="cpu").family.config("multi_frame/unet")
    unet = VideoUNetConfig(**config)
    frames = torch.randn(4, 32, 8, 8).contiguous(memory_format=torch.channels_last)
    conditions = Conditions(torch.randn(1, unet.embedding_width), torch.randn(1, 77, 8), torch.randn(1, 4, 2, 8), 4)
    blocks = [
        (video_vae.ResidualBlock(32, 32, 8), (frames,)),
        (video_vae.VideoBlock(32, 32, 8), (frames, 4)),
        (video_unet_blocks.ResidualBlock(32, 32, replace(unet, norm_groups=8)), (frames, conditions)),
        (FeedForward(16, dropout=0.0).layer, (torch.randn(2, 8, 16),)),
    ]
    for block, arguments in blocks:
        torch.compiler.reset()
        with torch.no_grad(), fused_kernels(None):
            found = torch._dynamo.explain(block)(*arguments)
        assert found.graph_count == 1 and found.graph_break_count == 0, found.break_reasons


@pytest.mark.gpu
def test_a_step_of_the_keyframes_can_be_captured_as_a_cuda_graph(tiny_family):
    """So graphs could stand in stages/keyframes.py, around what KeyframeSampling.prediction calls in every step."""
    device = torch.device("cuda")
    unet = load_part(open_family(tiny_family), "single_frame/unet", torch.float16).to(device)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=torch.Generator().manual_seed(shape[0])).to(device, torch.float16)

    latents, timestep = draw(2, 4, 8, 8), torch.tensor(900, device=device)
    steps = torch.tensor([400, 999], device=device)
    others = draw(2, 77, unet.config.cross_attention_dim), draw(1, 4, 8, 8), steps
    with torch.inference_mode():
        beside, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        with torch.cuda.stream(beside):  # libraries choose their kernels before
            unet(latents, timestep, *others)
        torch.cuda.current_stream().wait_stream(beside)
        with torch.cuda.graph(graph):
            captured = unet(latents, timestep, *others)
        for number in (900, 300):
            latents.copy_(draw(2, 4, 8, 8) * number / 900)
            timestep.fill_(number)
            graph.replay()
            assert (captured - unet(latents, timestep, *others)).abs().max() < 1e-2
