"""The 3D UNet computes what the original's does, with each temporal window too."""

import dataclasses

import pytest
import torch
from reference import FORWARD, deviation, recorded, shapes
from reference_fill import fill

from paints_undo.models.context_memory import context_memory
from paints_undo.models.normalization import GroupNorm, channels_last
from paints_undo.models.pieces import feed_forward_pieces
from paints_undo.models.video_unet import VideoUNet
from paints_undo.models.video_unet_blocks import TextAndImageAttention
from paints_undo.models.video_unet_config import VideoUNetConfig


@pytest.fixture(scope="module")
def reference():
    return recorded("video_unet")


def forward(unet, reference):
    inputs = reference.inputs
    timesteps, stride = torch.tensor([reference.spec["timesteps"]]), torch.tensor([reference.spec["fs"]])
    with torch.inference_mode():
        return unet(
            inputs["x"], timesteps, inputs["context_text"], inputs["context_img"], inputs["concat_cond"], stride
        )


def test_keys_and_shapes(reference):
    with torch.device("meta"):
        assert shapes(VideoUNet(VideoUNetConfig(**reference.config))) == reference.spec["keys"]


@pytest.mark.parametrize("window", [None, "prv", "first", "roll"])
def test_forward(reference, window):
    unet = fill(VideoUNet(VideoUNetConfig(**reference.config, temporal_window=window)).eval())
    expected = reference.outputs["output" if window is None else f"output_window_{window}"]
    assert deviation(forward(unet, reference), expected) < FORWARD


def test_learnable_image_scale(reference):
    config = VideoUNetConfig(**reference.config, image_cross_attention_scale_learnable=True)
    unet = fill(VideoUNet(config).eval())
    alphas = [parameter for name, parameter in unet.named_parameters() if name.endswith("attn2.alpha")]
    assert len(alphas) == 10  # one for each spatial transformer
    with torch.no_grad():
        for alpha in alphas:
            alpha.zero_()  # tanh(0) + 1 leaves the image as it is
        assert deviation(forward(unet, reference), reference.outputs["output"]) < FORWARD
        for alpha in alphas:
            alpha.fill_(-30.0)  # tanh(-30) + 1 = 0 takes it away
    blind = forward(unet, reference)
    other_image = dataclasses.replace(reference, inputs={**reference.inputs, "context_img": torch.ones(1, 16, 16, 48)})
    assert torch.equal(blind, forward(unet, other_image))


def test_contexts_are_projected_once(reference):
    unet = fill(VideoUNet(VideoUNetConfig(**reference.config)).eval())
    layers = [module for module in unet.modules() if isinstance(module, TextAndImageAttention)]
    projections = [p for each in layers for p in (each.to_k, each.to_v, each.to_k_ip, each.to_v_ip)]
    calls = []
    for projection in projections:
        projection.register_forward_hook(lambda module, *_: calls.append(module))
    expected = forward(unet, reference)
    calls.clear()
    with context_memory():
        assert all(torch.equal(forward(unet, reference), expected) for _ in range(2))
    assert len(calls) == len(set(calls)) == len(projections)


def test_a_batch_is_its_samples_and_pieces_are_the_whole(reference):
    unet = fill(VideoUNet(VideoUNetConfig(**reference.config)).eval())
    inputs = {key: torch.cat([value, value.flip(-1)]) for key, value in reference.inputs.items()}
    other = dataclasses.replace(reference, inputs={key: value[1:] for key, value in inputs.items()})
    both = dataclasses.replace(reference, inputs=inputs)
    with feed_forward_pieces(3), torch.inference_mode():
        timesteps, stride = torch.tensor([reference.spec["timesteps"]] * 2), torch.tensor([reference.spec["fs"]] * 2)
        i = both.inputs
        found = unet(i["x"], timesteps, i["context_text"], i["context_img"], i["concat_cond"], stride)
    assert deviation(found[:1], forward(unet, reference)) < FORWARD
    assert deviation(found[1:], forward(unet, other)) < FORWARD


def test_channels_stay_last(reference):
    unet, orders = fill(VideoUNet(VideoUNetConfig(**reference.config)).eval()), []
    norms = [module for module in unet.modules() if isinstance(module, GroupNorm)]
    for norm in norms:
        norm.register_forward_pre_hook(lambda _, given: orders.append(channels_last(given[0])))
    forward(unet, reference)
    assert orders == [True] * len(norms)


def test_gradients_reach_every_parameter(reference):
    unet = fill(VideoUNet(VideoUNetConfig(**reference.config)))
    inputs = reference.inputs
    arguments = inputs["context_text"], inputs["context_img"], inputs["concat_cond"], torch.tensor([3])
    unet(inputs["x"], torch.tensor([500]), *arguments).square().mean().backward()
    assert [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.isfinite().all()] == []


@pytest.mark.parametrize(("name", "value"), [("use_causal_attention", True), ("use_linear", False), ("dims", 3)])
def test_what_is_not_implemented_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}, but only"):
        VideoUNetConfig(**{name: value})


def test_unknown_window_is_refused():
    with pytest.raises(ValueError, match="temporal_window is 'left'"):
        VideoUNetConfig(temporal_window="left")
