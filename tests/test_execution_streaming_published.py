"""What is streamed is what computes: at published sizes every block that is moved is called, and there when it is used.

Weights of a block are on the device from the call of its module until another block is called.  The networks stand on
the meta device, so that nothing is computed.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import torch
from reference import DATA
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from paints_undo.execution.block_streaming import BLOCKS_IN_RING, split
from paints_undo.execution.parts import size
from paints_undo.execution.plan import LEAST, STREAMED, Plan
from paints_undo.family.model_family import PARTS
from paints_undo.family.weights import BUILD
from paints_undo.models.pieces import feed_forward_pieces

HEIGHT, WIDTH = 448, 384


class Watched(TorchFunctionMode):
    """Raises where a weight of a streamed block is used while another block is the one that was called last."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.called: set[nn.Module] = set()
        self.present: nn.Module | None = None
        self.home = {id(weight): block for block in blocks for weight in (*block.parameters(), *block.buffers())}
        for block in blocks:
            block.register_forward_pre_hook(self._begins)

    def _begins(self, block: nn.Module, _: object) -> None:
        self.called.add(block)
        self.present = block

    def __torch_function__(self, function, types, arguments=(), options=None):
        if getattr(function, "__name__", "") != "__get__":  # a look at its shape or kind
            for used in tree_leaves((arguments, options)):
                home = self.home.get(id(used)) if isinstance(used, Tensor) else None
                if home is not None and home is not self.present:
                    raise AssertionError(
                        f"{type(home).__name__} is not on the device where {function} needs its weights"
                    )
        if function is torch.nn.functional.scaled_dot_product_attention:
            return torch.empty_like(arguments[0])
        return function(*arguments, **(options or {}))


def calls_of(part: str, network: nn.Module, plan: Plan, dtype: torch.dtype) -> list[Callable[[], object]]:
    """Every way in which the stages call a part."""

    def draw(*shape: int) -> Tensor:
        return torch.empty(shape, dtype=dtype, device="meta")

    time, ids = torch.zeros(1, device="meta"), torch.zeros(1, 77, dtype=torch.long, device="meta")
    latent = HEIGHT // 8, WIDTH // 8
    if part.endswith("text_encoder"):
        return [lambda: network(ids, output_hidden_states=True)]
    if part == "single_frame/vae":
        return [lambda: network.encode(draw(1, 3, 640, 512)), lambda: network.decode(draw(1, 4, 80, 64))]
    if part == "single_frame/unet":
        return [lambda: network(draw(1, 4, 80, 64), time[0], draw(1, 77, 768), draw(1, 4, 80, 64), time)]
    if part == "multi_frame/image_encoder":
        return [lambda: network(draw(1, 3, HEIGHT, WIDTH))]
    if part == "multi_frame/image_projection":
        return [lambda: network(draw(1, 2, 257, 1280))]
    if part == "multi_frame/unet":
        latents, image = draw(1, 4, 16, *latent), draw(1, 16, 16, 1024)
        return [lambda: network(latents, time, draw(1, 77, 1024), image, latents, time)]
    states = network.encode(draw(1, 3, HEIGHT, WIDTH))[1]
    references = [torch.stack([state, state], 1) for state in states]
    return [
        lambda: network.encode(draw(1, 3, HEIGHT, WIDTH)),
        lambda: network.decode(draw(1, 4, 16, *latent), references, plan.decoded_frames),
        lambda: network.decode(draw(1, 4, 16, *latent), references, None),
    ]


@pytest.mark.parametrize(("plan", "dtype"), [(STREAMED, torch.float16), (LEAST, torch.float16), (LEAST, torch.float32)])
@pytest.mark.parametrize("part", PARTS)
def test_blocks_are_called_and_there_when_they_are_used(part: str, plan: Plan, dtype: torch.dtype) -> None:
    config = json.loads((DATA / "released" / "configs" / part / "config.json").read_text())
    with torch.device("meta"):
        network = BUILD[part](config).to(dtype).eval().requires_grad_(False)
    assert plan.ring is not None
    if size(network) <= plan.ring:
        pytest.skip("it is whole on the device")
    calls = calls_of(part, network, plan, dtype)
    blocks, rest = split(network, plan.ring // BLOCKS_IN_RING)
    assert blocks and sum(place.tensor.nbytes for place in rest) < plan.ring / 4, "what stays is little"
    with torch.inference_mode(), feed_forward_pieces(plan.feed_forward_pieces), Watched(blocks) as watched:
        for call in calls:
            call()
            watched.present = None
    idle = sum(size(block) for block in set(blocks) - watched.called)
    assert idle < 0.01 * size(network), "but for what checkpoints hold and nobody uses"
