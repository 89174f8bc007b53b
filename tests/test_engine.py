"""One contract for every engine: the real ones, and each double that tests use in their place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine, FakeFamily

from memory_management import DEVICES, DTYPES
from paints_undo.engine import Description, Engine
from paints_undo.errors import Cancelled, CheckpointError, InputError
from paints_undo.execution.parts import Parts
from paints_undo.execution.plan import Candidate
from paints_undo.family.model_family import ModelFamily
from paints_undo.models.attention import BACKENDS
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pipeline import PaintsUndo
from paints_undo.progress import Progress
from paints_undo.strokes_engine import Strokes

ARTWORK = np.random.default_rng(0).integers(0, 256, (80, 112, 3), np.uint8)
DRAWING = KeyframeOptions(prompt="1girl", operation_steps=(400, 800), width=64, height=64, sampling_steps=2, seed=5)
FILLING = SegmentOptions(sampling_steps=2)
ENGINES: dict[str, Callable[[Path], Engine]] = {
    "PaintsUndo": lambda family: PaintsUndo.load(family, "cpu"),
    "FakeEngine": lambda family: FakeEngine(),
    "Strokes": lambda family: Strokes(),
}


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tiny_family: Path) -> Engine:
    return ENGINES[request.param](tiny_family)


def test_what_an_engine_tells_of_itself(engine: Engine) -> None:
    assert isinstance(engine.family, ModelFamily) and isinstance(engine.default_options, UndoOptions)
    told = engine.describe()
    assert type(told) is Description and told.dtype in DTYPES and told.attention in BACKENDS
    assert told.device.partition(":")[0] in DEVICES
    assert _loaded(engine.family, told).describe() == told  # in the words that loading takes
    assert isinstance(engine.plan(engine.default_options), Candidate)
    settings = engine.settings_of(engine.default_options)
    assert settings["options"] == engine.default_options.to_settings()
    assert settings["models"] == {"name": engine.family.name, "revision": engine.family.revision}


def _loaded(family: ModelFamily, told: Description) -> PaintsUndo:
    import torch

    parts = Parts(family, torch.device(told.device), DTYPES[told.dtype])
    return PaintsUndo(parts, attention=told.attention, vram=told.vram)


def test_prompts(engine: Engine) -> None:
    assert engine.tag(ARTWORK) and "\n" not in engine.tag(ARTWORK)
    assert engine.count_tokens("") == 0 and 2 <= engine.count_tokens("1girl, solo") <= 12


def test_keyframes_come_with_places_seeds_and_reports(engine: Engine) -> None:
    told: list[Progress] = []
    kept: dict[int, np.ndarray] = {}
    drawn = engine.draw_keyframes(ARTWORK, DRAWING, told.append, [5, 6], kept.__setitem__)
    in_strokes = engine.default_options.in_strokes
    # a small artwork is enlarged until strokes have room
    assert drawn.dtype == np.uint8 and drawn.shape == ((2, 160, 224, 3) if in_strokes else (2, 64, 64, 3))
    assert sorted(kept) == [0, 1] and all(np.array_equal(kept[place], drawn[place]) for place in kept)
    assert {report.stage for report in told} == {"keyframes"}
    work = "drawing" if in_strokes else "sampling"
    units = [(report.done, report.total) for report in told if report.detail == work]
    assert units[-1] == ((2, 2) if in_strokes else (4, 4)) and units == sorted(units)
    activities = [detail for detail, _ in groupby(report.detail for report in told)]
    ways = (["planning", "drawing"], ["preparing", "sampling", "decoding"], ["sampling", "decoding"])
    assert activities in ways, "each once"
    look = next(report.preview for report in reversed(told) if report.detail == work)
    assert in_strokes or look is not None and look().dtype == np.uint8 and look().ndim == 3
    same, other = engine.draw_keyframes(ARTWORK, DRAWING), engine.draw_keyframes(ARTWORK, DRAWING, seeds=[5, 7])
    assert np.array_equal(same[0], drawn[0]) and not np.array_equal(other[1], drawn[1])


def test_segments_come_by_pairs(engine: Engine) -> None:
    drawn = engine.draw_keyframes(ARTWORK, DRAWING)
    pictures = np.stack([*drawn, np.full_like(drawn[0], 255)])
    told: list[Progress] = []
    filled = engine.fill_segments(pictures, FILLING, told.append)
    assert filled.dtype == np.uint8 and filled.shape[:2] == (2, 16) and filled.shape[-1] == 3
    assert {report.stage for report in told} == {"segments"}
    kept: dict[int, np.ndarray] = {}
    seeds = [FILLING.seed, FILLING.seed + 1]
    engine.fill_pairs(pictures, FILLING, told.append, [1], seeds, kept.__setitem__)
    assert list(kept) == [1] and np.array_equal(kept[1], filled[1])
    with pytest.raises(InputError, match="a segment needs two"):
        engine.fill_segments(pictures[:1], FILLING)


def test_a_report_may_end_the_work(engine: Engine) -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        engine.draw_keyframes(ARTWORK[::-1], DRAWING, stop)


def test_the_whole_story(engine: Engine, tmp_path: Path) -> None:
    stages: list[str] = []
    options = replace(engine.default_options, keyframes=DRAWING, segments=FILLING, seconds=3)
    alone = engine.undo(ARTWORK, options, on_progress=lambda progress: stages.append(progress.stage))
    kept = engine.undo(ARTWORK, options, tmp_path / "run")
    assert list(dict.fromkeys(stages)) == (["keyframes"] if options.in_strokes else ["keyframes", "segments"])
    assert np.array_equal(alone.frames, kept.frames) and len(kept.frames) == (72 if options.in_strokes else 45)
    assert kept.video and kept.video.stat().st_size > 0


def test_impossible_sizes_are_the_familys_to_refuse(engine: Engine) -> None:
    if not engine.default_options.in_strokes:  # which no size hinders
        sentence = rf"width is 31, but the model family {engine.family.name} needs a multiple"
        with pytest.raises(InputError, match=sentence):
            engine.family.check_keyframe_size(31, 64)
    engine.family.check_keyframe_size(64, 64)


def test_a_family_without_a_tagger_says_so(tiny_family: Path) -> None:
    from paints_undo.family.model_family import open_family

    bare = replace(open_family(tiny_family), tagger_model=None, tagger_tags=None)
    with pytest.raises(CheckpointError, match="has no tagger"):
        _loaded(bare, Description("cpu", "fp32", "sdpa", "auto")).tag(ARTWORK)
    assert FakeFamily().tagger_model is None
