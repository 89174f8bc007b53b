"""CLIP vision at any aspect ratio computes what the original's does."""

import pytest
import torch
from reference import FORWARD, deviation, recorded, shapes
from reference_fill import fill
from transformers import CLIPVisionConfig

from paints_undo.models.image_encoder import ImageEncoder


@pytest.fixture(scope="module")
def reference():
    return recorded("clip_vision")


@pytest.fixture(scope="module")
def encoder(reference):
    return fill(ImageEncoder(CLIPVisionConfig(**reference.spec["config"])).eval())


def test_keys_and_shapes(encoder, reference):
    assert shapes(encoder) == reference.spec["keys"]


@torch.inference_mode()
def test_forward(encoder, reference):
    found = encoder(reference.inputs["clip_image"].clamp(-1, 1))
    assert deviation(found, reference.outputs["last_hidden_state"]) < FORWARD


@torch.inference_mode()
@pytest.mark.parametrize(("size", "patches"), [((224, 224), 16 * 16), ((320, 512), 16 * 26), ((448, 384), 19 * 16)])
def test_shorter_side_is_sixteen_patches(encoder, size, patches):
    assert encoder(torch.zeros(1, 3, *size)).shape == (1, 1 + patches, 40)
