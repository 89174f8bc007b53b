"""The original's order of work draws the same pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from paints_undo.bench.original import OriginalOrder
from paints_undo.bench.watch import Watch
from paints_undo.pipeline import PaintsUndo
from paints_undo.run.timelapse import with_white_canvas

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def engine(tiny_family):
    return PaintsUndo.load(tiny_family, "cpu")


@pytest.fixture(scope="module")
def original(engine):
    return OriginalOrder(engine.family, CPU, torch.float32, CPU, Watch())


@pytest.fixture(scope="module")
def options(engine):
    chosen = engine.default_options
    keyframes = replace(chosen.keyframes, prompt="1girl", operation_steps=(300, 900), sampling_steps=2)
    return replace(chosen, keyframes=keyframes, segments=replace(chosen.segments, sampling_steps=2), tag=False)


@pytest.fixture(scope="module")
def artwork():
    return np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)


def test_keyframes_and_segments_are_those_of_the_program(engine, original, options, artwork):
    drawn = original.draw_keyframes(artwork, options.keyframes)
    wanted = engine.draw_keyframes(artwork, options.keyframes)
    assert np.abs(drawn.astype(int) - wanted).max() <= 1
    pictures = with_white_canvas(artwork, wanted)[1:]  # two pairs
    before = original.loads, original.unloads
    filled = original.fill_segments(pictures, options.segments)
    assert np.abs(filled.astype(int) - engine.fill_segments(pictures, options.segments)).max() <= 1
    assert (original.loads - before[0], original.unloads - before[1]) == (12, 12)


def test_every_stage_is_told(original):
    stages = original.watch.by_stage()
    assert {"keyframe decode", "segment encode", "conditions", "segment denoise", "segment decode"} <= stages.keys()
    assert all(numbers["seconds"] > 0 for numbers in stages.values())


def test_settings_that_the_original_never_had_are_refused(engine):
    from paints_undo.bench.original_networks import OriginalVideoUNet

    with engine.parts.on_device("multi_frame/unet") as unet:
        config = unet.config
        unet.config = replace(config, temporal_window="prv")
        try:
            with pytest.raises(ValueError, match="temporal window"):
                OriginalVideoUNet(unet)
        finally:
            unet.config = config
