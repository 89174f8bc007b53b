"""How long the page lets people wait, with the mini family in the running program; prints what it measured."""

from __future__ import annotations

import io
import json
import os
import secrets
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from desk import IN_A_BROWSER, MINUTE
from PIL import Image
from test_web_visitors import DONE, Browser, Soaked

from paints_undo import examples
from paints_undo.execution.lanes import lanes_for

pytestmark = [*IN_A_BROWSER, pytest.mark.soak, pytest.mark.timeout(1200)]

GIRL = Path(examples.__file__).parent / "girl.png"
SETTINGS = {"prompt": "1girl, solo", "size": "picture"}
STARTS, TRIES = 3, 5
SIDE_BY_SIDE = min(2, lanes_for(torch.get_num_threads()))  # a run of one keyframe has two segments


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Soaked]:
    started = Soaked(tmp_path)
    yield started
    started.stop()


class Visitor(Browser):
    """One who asks without pauses, so that what is measured is the program."""

    def __init__(self, program: Soaked) -> None:
        super().__init__(program, 1, until_s=float("inf"), rounds=0, pause_s=0.0)
        png = io.BytesIO()
        Image.open(GIRL).save(png, "PNG")
        self.picture_file = png.getvalue()

    def upload(self) -> str:
        sent = self.timed("upload", "POST", "gradio_api/upload", files={"files": ("girl.png", self.picture_file)})
        return sent.json()[0]

    def press(self, step: str, run: str | None, **settings: Any) -> str:
        artwork = None if run else self.upload()
        return self.ask("press", step=step, run_id=run, artwork=artwork, settings={**SETTINGS, **settings})["run"]

    def until(self, run: str, wanted: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        while not wanted(view := self.ask("view", run_id=run)):
            time.sleep(0.01)
        return view

    def idle(self, run: str) -> dict[str, Any]:
        return self.until(run, lambda view: view["state"] in DONE and view["job"] is None)


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def told(what: str, values: list[float]) -> float:
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else -1
    facts = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    print(json.dumps({what: {name: round(value, 3) for name, value in facts.items()}, "load": round(load, 1)}))
    return statistics.median(values)


def test_the_page_is_ready_three_seconds_after_the_server(browser, tmp_path: Path) -> None:
    answers, ready = [], []
    for start in range(STARTS):
        folder = tmp_path / str(start)
        folder.mkdir()
        began = time.perf_counter()
        program = Soaked(folder)
        answered = time.perf_counter()
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(program.address)
        page.wait_for_selector("[data-ready=true]", state="attached", timeout=MINUTE)
        ready.append(time.perf_counter() - answered)
        answers.append(answered - began)
        context.close()
        program.stop()
    told("process start to the server's first answer, looked for ten times a second", answers)
    assert told("the server's first answer to the page ready", ready) <= 3


def test_what_is_drawn_comes_back_at_once(program: Soaked) -> None:
    visitor = Visitor(program)
    run = visitor.press("keyframes", None)
    visitor.idle(run)

    def again() -> None:
        visitor.press("keyframes", run)
        assert visitor.idle(run)["state"] == "idle"

    def another_seed_and_back() -> None:
        visitor.ask("reroll_keyframe", run_id=run, step=800, seed=12345)
        assert {one["state"] for one in visitor.idle(run)["keyframes"]} == {"ready"}

    def in_another_run() -> None:
        assert {one["state"] for one in visitor.idle(visitor.press("keyframes", None))["keyframes"]} == {"ready"}

    back = []
    for _ in range(TRIES):
        visitor.ask("reroll_keyframe", run_id=run, step=800, seed=secrets.randbelow(12345))
        back.append(seconds(another_seed_and_back))
    limits = [told("Generate Key Frames once more", [seconds(again) for _ in range(TRIES)])]
    limits.append(told("one key frame back to its first seed", back))
    told("a new run of the same picture, upload and folder included", [seconds(in_another_run) for _ in range(TRIES)])
    assert max(limits) <= 0.3


@pytest.mark.parametrize(("step", "stage"), [("keyframes", "keyframes"), ("video", "segments")])
def test_cancel_takes_a_sampling_step_and_a_second(program: Soaked, step: str, stage: str) -> None:
    visitor, waits, steps = Visitor(program), [], []
    for number in range(TRIES):
        long = {"sampling_steps": 100 if step == "keyframes" else 2, "video_sampling_steps": 100}
        settings = {"seed": number, "operation_steps": [500], **long}
        run = visitor.press("keyframes", None, **settings)
        if step == "video":
            visitor.idle(run)
            run = visitor.press("video", run, **settings)

        def sampling(after: int) -> Callable[[dict[str, Any]], bool]:
            def reached(view: dict[str, Any]) -> bool:
                job = view["job"] or {}
                assert view["state"] not in DONE, "it was done before it could be cancelled"
                return job.get("stage") == stage and job["detail"] == "sampling" and job["done"] >= after

            return reached

        first = visitor.until(run, sampling(1))["job"]["done"]
        began = time.perf_counter()
        last = visitor.until(run, sampling(first + 3))["job"]["done"]
        steps.append((time.perf_counter() - began) / (last - first) * (SIDE_BY_SIDE if step == "video" else 1))
        waits.append(seconds(lambda run=run: (visitor.ask("cancel", run_id=run), visitor.idle(run))))
    step_s = told(f"one sampling step, {stage}", steps)
    assert told(f"cancel to idle, {stage}", waits) <= step_s + 1
