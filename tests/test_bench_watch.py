"""A run's time falls to the right stages."""

import itertools

import pytest

from paints_undo.bench.watch import STAGE_OF, STAGES, Watch, WatchedParts
from paints_undo.execution.parts import Parts
from paints_undo.family.model_family import PARTS
from paints_undo.progress import Progress


@pytest.fixture
def watch():
    return Watch(clock=itertools.count().__next__)


def test_every_part_has_a_stage():
    assert STAGE_OF.keys() == PARTS.keys() and set(STAGE_OF.values()) <= set(STAGES)


def test_a_vae_that_reported_decoding_decoded(watch):
    with watch.stay("multi_frame/vae") as span:
        watch.ready(span)
    with watch.stay("multi_frame/vae") as span:
        watch.ready(span)
        watch.on_progress(Progress("segments", "decoding", 1, 1))
    watch.finish()
    assert [span.stage for span in watch.spans] == ["segment encode", "segment decode", "video"]


def test_all_of_the_time_is_given_to_some_stage(watch):
    watch.loaded("single_frame/unet")
    watch.on_progress(Progress("tags", "tagging", 0, 1))
    with watch.stay("single_frame/text_encoder") as span:
        watch.ready(span)
    with watch.stay("single_frame/unet") as span:
        watch.ready(span)
        watch.on_progress(Progress("keyframes", "sampling", 1, 2))
        first = dict(watch.first_step)
        watch.on_progress(Progress("keyframes", "sampling", 2, 2))
    watch.finish()
    stages = watch.by_stage()
    assert list(stages) == ["load", "tags", "keyframe text", "keyframe sampling", "video"]
    assert sum(numbers["seconds"] for numbers in stages.values()) == watch._last["seconds"] - 1  # since the beginning
    assert watch.first_step == first and first.keys() == {"keyframes"}
    assert watch.loading_of_parts()["single_frame/unet"] == stages["load"]["loading"] > 0


def test_a_network_used_inside_another_ones_stay_takes_only_its_own_share():
    flop = [0]
    watch = Watch(read=lambda: {"flop": flop[0]}, peak=lambda: flop[0])
    with watch.stay("multi_frame/unet") as outer:
        watch.ready(outer)
        flop[0] = 10
        with watch.stay("multi_frame/vae") as inner:
            watch.ready(inner)
            flop[0] = 13
        flop[0] = 20
    stages = watch.by_stage()
    assert stages["segment denoise"]["flop"] == 17 and stages["segment encode"]["flop"] == 3
    assert stages["segment denoise"]["peak_bytes"] == 20


def test_loading_is_announced():
    told = []
    watch = Watch(loading=told.append)
    with watch.stay("multi_frame/unet") as span:
        watch.ready(span)
    assert told == [True, False, False]


def test_watched_parts_are_the_parts_themselves(tiny_family, watch):
    import torch

    from paints_undo.family.model_family import open_family

    parts = Parts(open_family(tiny_family), torch.device("cpu"), torch.float32)
    watched = WatchedParts.of(parts, watch)
    with watched.on_device("multi_frame/image_projection") as network:
        assert network.config.video_length == 16
    watched.dtype = torch.bfloat16
    assert parts.dtype == torch.bfloat16
    assert [span.part for span in watch.spans] == ["multi_frame/image_projection"]
