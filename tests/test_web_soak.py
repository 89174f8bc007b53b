"""Many visitors at once: nobody gets what is another's, one job at a time, quick answers, and nothing left over."""

from __future__ import annotations

import random
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine

from paints_undo.errors import InputError
from paints_undo.pictures.pixels import read_picture
from paints_undo.web.engine import EngineOnUse
from paints_undo.web.studio import Studio

VISITORS = 20


def artwork(number: int) -> np.ndarray:
    return np.full((64, 64, 3), 10 * number, np.uint8)


class Visitor(threading.Thread):
    """One person who opens, draws, edits, draws again, sometimes cancels and deletes, until the time is over."""

    def __init__(self, studio: Studio, number: int, until_s: float) -> None:
        super().__init__(daemon=True)
        self.studio, self.number, self.until_s = studio, number, until_s
        self.secret = f"secret of visitor {number}"
        self.random = random.Random(number)
        self.rounds = 0
        self.waits: list[float] = []  # seconds that a page waited for an answer
        self.wrong: list[str] = []

    def run(self) -> None:
        try:
            while time.monotonic() < self.until_s or self.rounds == 0:
                self.one_round()
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")

    def ask(self, name: str, *arguments, **options):
        began = time.perf_counter()
        try:
            return getattr(self.studio, name)(self.secret, *arguments, **options)
        finally:
            self.waits.append(time.perf_counter() - began)

    def one_round(self) -> None:
        settings = {"width": 64, "height": 64, "sampling_steps": 2, "video_sampling_steps": 1}
        settings |= {"operation_steps": [300 + self.number, 999], "seed": self.number}
        run = self.ask("open", artwork(self.number), settings)
        self.ask("generate_keyframes", run)
        if self.random.random() < 0.2:
            self.ask("cancel", run)
        self.finish(run)
        self.ask("generate_video", run)
        view = self.finish(run)
        if view["state"] != "finished":
            self.wrong.append(f"it ended {view['state']}: {view['message']}")
            return
        self.ask("edit", run, "reroll_keyframe", 999, seed=100 + self.number)
        self.ask("generate_video", run)
        view = self.finish(run)
        for keyframe, seed in zip(view["keyframes"], (self.number, 100 + self.number), strict=True):
            picture = read_picture(keyframe["path"])
            if picture[0, 0, 0] != seed or len(view["frames"]) != 45:
                self.wrong.append(f"keyframe of seed {picture[0, 0, 0]} instead of {seed}")
        if not np.array_equal(read_picture(view["artwork"]), artwork(self.number)):
            self.wrong.append("another one's artwork")
        others = [each for each in self.ask("runs") if each["run"] != run and each["title"]]
        if others:
            self.wrong.append("another one's run")
        self.ask("delete", run)
        self.rounds += 1

    def finish(self, run: str) -> dict:
        while True:
            view = self.ask("view", run)
            if view["job"] is None and view["state"] != "waiting":
                return view
            time.sleep(0.02)


def soak(out: Path, seconds: float) -> list[Visitor]:
    """20 visitors for some seconds; returns them, everything checked."""
    engine = FakeEngine()
    studio, until_s = Studio(EngineOnUse(lambda: engine), out), time.monotonic() + seconds
    visitors = [Visitor(studio, number, until_s) for number in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join(seconds + 120)
        assert not visitor.is_alive()
    assert [visitor.wrong for visitor in visitors] == [[]] * VISITORS
    assert all(visitor.rounds for visitor in visitors) and engine.most_at_work == 1
    waits = sorted(wait for visitor in visitors for wait in visitor.waits)
    assert waits[int(0.95 * len(waits))] < 1, f"95 % of the answers came within {waits[int(0.95 * len(waits))]:.2f} s"
    assert list(out.iterdir()) == []  # every run was deleted, with everything that was made on the way
    with pytest.raises(InputError):
        studio.view(visitors[0].secret, "20260101-000000-0123456789abcdef")
    return visitors


def test_twenty_visitors(tmp_path):
    soak(tmp_path, 1)
