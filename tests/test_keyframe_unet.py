"""The single-frame UNet computes what the original's does."""

import pytest
import torch
from reference import FORWARD, deviation, recorded, shapes
from reference_fill import fill

from paints_undo.models.context_memory import context_memory
from paints_undo.models.keyframe_unet import KeyframeUNet
from paints_undo.models.pieces import feed_forward_pieces


@pytest.fixture(scope="module")
def reference():
    return recorded("keyframe_unet")


@pytest.fixture(scope="module")
def unet(reference):
    return fill(KeyframeUNet(**reference.spec["config"]).eval())


def run(unet, reference, operation_steps):
    inputs = reference.inputs
    with torch.inference_mode():
        return unet(
            inputs["sample"][: len(operation_steps)],
            torch.tensor(reference.spec["timestep"]),
            inputs["prompt_embeds"],
            inputs["concat_conds"],
            torch.tensor(operation_steps),
        )


def test_keys_and_shapes(unet, reference):
    assert shapes(unet) == reference.spec["keys"]


def test_forward(unet, reference):
    found = run(unet, reference, reference.spec["operation_steps"])
    assert deviation(found, reference.outputs["output"]) < FORWARD


def test_operation_step_matters_and_rows_are_independent(unet, reference):
    steps = reference.spec["operation_steps"]
    alone = run(unet, reference, steps[:1])
    assert deviation(alone, reference.outputs["output"][:1]) < FORWARD
    assert deviation(run(unet, reference, [0]), alone) > 1e-3


def test_the_text_is_projected_once_and_pieces_are_the_whole(unet, reference):
    layers = [module for name, module in unet.named_modules() if name.endswith(("attn2.to_k", "attn2.to_v"))]
    given, hooks = [], []
    for layer in layers:
        hooks.append(layer.register_forward_hook(lambda _, arguments, __: given.append(len(arguments[0]))))
    steps = reference.spec["operation_steps"]
    try:
        with context_memory(), feed_forward_pieces(3):
            for _ in range(2):
                assert deviation(run(unet, reference, steps), reference.outputs["output"]) < FORWARD
    finally:
        for hook in hooks:
            hook.remove()
    assert given == [1] * len(layers)


def test_any_time_width(reference):
    config = {**reference.spec["config"], "block_out_channels": [64, 32, 32]}
    unet = KeyframeUNet(**config)
    assert unet.add_embedding.linear_1.weight.shape == (256, 256)
    assert unet.conv_in.weight.shape == (64, 8, 3, 3)


def test_configuration_survives_saving(unet, tmp_path):
    unet.save_pretrained(tmp_path)
    assert KeyframeUNet.from_config(KeyframeUNet.load_config(tmp_path)).config.block_out_channels == [320, 64, 64]
