"""The three endpoints as functions: one session's key frames become its video, and errors are gradio's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from paints_undo.pictures.pixels import read_picture
from paints_undo.web.endpoints import Endpoints
from paints_undo.web.engine import EngineOnUse
from paints_undo.web.studio import Studio

ME, OTHER = SimpleNamespace(session_hash="one", client=None), SimpleNamespace(session_hash="two", client=None)
VIDEO = {"prompt": "1girl", "seed": 7, "guidance_scale": 7.5, "sampling_steps": 2, "fps": 8}


def last(outputs: Iterator[Any]) -> Any:
    """What a call ends with."""
    *_, result = outputs
    return result


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def endpoints(tmp_path, engine) -> Endpoints:
    return Endpoints(Studio(EngineOnUse(lambda: engine), tmp_path / "runs"))


@pytest.fixture
def drawing(tmp_path, monkeypatch) -> dict:
    picture = np.random.default_rng(0).integers(0, 256, (80, 64, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "art.png")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))  # as if it had been uploaded
    return {
        "artwork": str(tmp_path / "art.png"),
        "prompt": "1girl",
        "negative_prompt": "",
        "operation_steps": [400, 999],
        "seed": 77,
        "width": 128,
        "height": 192,
        "sampling_steps": 2,
        "guidance_scale": 3.0,
    }


def test_the_three_steps(endpoints, drawing, tmp_path):
    assert last(endpoints.generate_prompt(drawing["artwork"], ME)) == "1girl, solo, 64 wide"
    assert list((tmp_path / "runs").iterdir()) == []  # a prompt alone leaves no run behind
    shown, run = last(endpoints.generate_keyframes(**drawing, request=ME))
    assert [caption for _, caption in shown] == ["Step 400", "Step 999"]
    assert [read_picture(path).shape for path, _ in shown] == [(192, 128, 3)] * 2
    video, frames, again = last(endpoints.generate_video(run, **VIDEO, request=ME))
    assert Path(video).is_file() and len(frames) == 45 and again == run
    assert read_picture(frames[0]).shape == (80, 64, 3)


def test_another_video_of_the_same_key_frames(endpoints, drawing, engine):
    _, run = last(endpoints.generate_keyframes(**drawing, request=ME))
    last(endpoints.generate_video(run, **VIDEO, request=ME))
    before = engine.keyframes_drawn
    _, frames, _ = last(endpoints.generate_video(run, **{**VIDEO, "seed": 9}, request=ME))
    assert engine.keyframes_drawn == before and len(engine.segments_drawn) == 6
    assert int(read_picture(frames[-1])[0, 0, 0]) == 9


def test_sessions_are_apart(endpoints, drawing):
    _, run = last(endpoints.generate_keyframes(**drawing, request=ME))
    with pytest.raises(gr.Error, match="this run is not there"):
        last(endpoints.generate_video(run, **VIDEO, request=OTHER))
    with pytest.raises(gr.Error, match="there are no key frames yet"):
        last(endpoints.generate_video(None, **VIDEO, request=ME))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sampling_steps": 0}, "sampling steps is 0"),
        ({"operation_steps": [5] * 2000}, "operation step 5 is given 2000 times"),
        ({"operation_steps": None}, "operation steps are None"),
        ({"prompt": "a" * 1_000_000}, "prompt has 1,000,000 characters"),
        ({"prompt": None}, "prompt is None"),
        ({"width": float("nan")}, "width is nan"),
        ({"artwork": None}, "there is no picture yet"),
        ({"artwork": "/nowhere"}, "this file was not uploaded here"),
    ],
)
def test_bad_values_are_one_sentence(endpoints, drawing, engine, change, said):
    with pytest.raises(gr.Error, match=said) as refused:
        last(endpoints.generate_keyframes(**{**drawing, **change}, request=ME))
    assert not refused.value.print_exception and engine.steps_done == 0


@pytest.mark.parametrize(
    ("error", "said"), [(MemoryError("too little memory"), "too little memory"), (KeyError("x"), "inside the program")]
)
def test_what_goes_wrong_while_drawing(endpoints, drawing, engine, error, said):
    engine.fail_with = error
    with pytest.raises(gr.Error, match=said):
        last(endpoints.generate_keyframes(**drawing, request=ME))


def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not come")


def test_a_closed_call_cancels_its_job_and_leaves_nothing(endpoints, drawing, engine, tmp_path):
    engine.seconds_per_step = 0.05
    call = endpoints.generate_keyframes(**{**drawing, "sampling_steps": 100}, request=ME)
    assert next(call) == next(call) == gr.skip()  # nothing to show yet
    call.close()
    until(lambda: not engine.at_work)
    assert engine.steps_done < 20
    until(lambda: not list((tmp_path / "runs").iterdir()))


def test_a_closed_call_for_a_video_keeps_the_key_frames(endpoints, drawing, engine):
    _, run = last(endpoints.generate_keyframes(**drawing, request=ME))
    engine.seconds_per_step = 0.05
    call = endpoints.generate_video(run, **{**VIDEO, "sampling_steps": 100}, request=ME)
    assert next(call) == next(call) == gr.skip()
    call.close()
    until(lambda: not engine.at_work)
    engine.seconds_per_step, before = 0, engine.keyframes_drawn
    _, frames, _ = last(endpoints.generate_video(run, **VIDEO, request=ME))
    assert len(frames) == 45 and engine.keyframes_drawn == before
