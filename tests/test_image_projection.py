"""The image projection computes what the original's does."""

import torch
from reference import FORWARD, deviation, recorded, shapes
from reference_fill import fill

from paints_undo.models.image_projection import ImageProjection, ImageProjectionConfig


@torch.inference_mode()
def test_forward_keys_and_shapes():
    reference = recorded("image_projection")
    projection = fill(ImageProjection(ImageProjectionConfig(**reference.config)).eval())
    assert shapes(projection) == reference.spec["keys"]
    assert deviation(projection(reference.inputs["clip_features"]), reference.outputs["output"]) < FORWARD
