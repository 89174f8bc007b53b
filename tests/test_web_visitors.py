"""Many simulated browsers at once, by HTTP alone: a moment with an engine that pretends, or minutes with networks."""

from __future__ import annotations

import io
import json
import os
import random
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from running_app import RunningApp
from served_elsewhere import GRADIO_APP, Program, free_port

from paints_undo.web.restoring import read_settings

VISITORS = 20
WARM_UP_S, MEASURED_S = 60, 240
LARGEST_GROWTH = 100 * 2**20  # bytes
SETTINGS = {"prompt": "1girl", "size": "picture", "sampling_steps": 2, "video_sampling_steps": 1, "fps": 8}
DONE = ("finished", "idle", "cancelled")


class Soaked(Program):
    """`gradio_app.py` as a user starts it, in folders of its own."""

    def __init__(self, folder: Path) -> None:
        self.uploads, self.out, self.temporary = folder / "uploads", folder / "outputs", folder / "temporary"
        self.temporary.mkdir()
        port = free_port()
        command = [GRADIO_APP, "--models", "mini", "--port", port, "--out", self.out]
        places = {"GRADIO_TEMP_DIR": str(self.uploads), "TMPDIR": str(self.temporary)}
        super().__init__(folder, command, port, OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS"), **places)
        self.page()
        components = httpx.get(f"{self.address}config", timeout=30).json()["components"]
        self.bench = next(c["id"] for c in components if c["props"].get("elem_id") == "workbench")

    def memory(self) -> int:
        """Bytes of main memory in use."""
        return pytest.importorskip("psutil").Process(self.process.pid).memory_info().rss

    def open_files(self) -> int:
        return pytest.importorskip("psutil").Process(self.process.pid).num_fds()

    def files(self) -> list[Path]:
        """Everything on the disk that is neither an upload nor a run."""
        return [file for file in self.temporary.rglob("*") if file.is_file()]


class TimeIsUp(Exception):
    """The visitor goes, whatever is still being drawn."""


class Browser(threading.Thread):
    """One visitor: opens the page, uploads, draws, looks, edits, cancels now and then, deletes.

    until_s: goes then, once so many rounds are done.  pause_s: between two looks.
    """

    def __init__(self, app: Soaked | RunningApp, number: int, until_s: float, rounds: int, pause_s: float) -> None:
        super().__init__(daemon=True)
        self.app, self.number, self.until_s, self.least_rounds, self.pause_s = app, number, until_s, rounds, pause_s
        self.client = httpx.Client(base_url=app.address if isinstance(app, Soaked) else app.url, timeout=120)
        self.visitor, self.session = secrets.token_hex(16), secrets.token_hex(8)
        self.random = random.Random(number)
        self.picture = np.random.default_rng(number).integers(0, 256, (96, 96, 3), dtype=np.uint8)
        self.rounds, self.segments, self.films = 0, 0, 0
        self.waits: dict[str, list[float]] = {}  # seconds, by what was asked for
        self.wrong: list[str] = []

    def run(self) -> None:
        try:
            while self.goes_on():
                self.one_round()
                self.rounds += 1
        except TimeIsUp:
            pass
        except Exception as error:
            self.wrong.append(f"{type(error).__name__}: {error}")
        finally:
            self.client.close()

    def goes_on(self) -> bool:
        return time.monotonic() < self.until_s or self.rounds < self.least_rounds

    def timed(self, what: str, method: str, address: str, there: bool = True, **options: Any) -> httpx.Response:
        """there: whether it has to be there; a live preview is gone when its job ends, and the page hides it."""
        began = time.perf_counter()
        answered = self.client.request(method, address, **options)
        self.waits.setdefault(what, []).append(time.perf_counter() - began)
        if there:
            answered.raise_for_status()
        return answered

    def ask(self, what: str, **args: Any) -> Any:
        call = {"do": what, "visitor": self.visitor, "language": "en", "args": args}
        body = {"session_hash": self.session, "component_id": self.app.bench, "fn_name": "ask", "data": call}
        told = self.timed(what, "POST", "gradio_api/component_server", json=body).json()
        if "error" in told:
            raise AssertionError(f"{what}: {told['error']}")
        return told["result"]

    def fetch(self, path: str) -> bytes:
        return self.timed("file", "GET", f"gradio_api/file={path}").content

    def until_done(self, run: str, leaving: bool = False) -> dict[str, Any]:
        view: Any = None
        while True:
            view = self.ask("view", run_id=run, known=view and view["version"]) or view
            if view["state"] in DONE and view["job"] is None:
                return view
            if view["preview"] and self.random.random() < 0.2:
                self.timed("preview", "GET", f"gradio_api/file={view['preview']}", there=False)
            time.sleep(self.pause_s)
            if not (self.goes_on() or leaving):
                self.ask("cancel", run_id=run)
                self.until_done(run, leaving=True)
                self.ask("delete", run_id=run)
                raise TimeIsUp

    def one_round(self) -> None:
        self.timed("page", "GET", "")
        png = io.BytesIO()
        Image.fromarray(self.picture).save(png, "PNG")
        sent = self.timed("upload", "POST", "gradio_api/upload", files={"files": ("art.png", png.getvalue())}).json()
        seed = 1000 * self.number + self.rounds
        settings = {**SETTINGS, "operation_steps": [300 + self.number], "seed": seed}
        press = {"artwork": sent[0], "settings": settings}
        run = self.ask("press", step="keyframes", run_id=None, **press)["run"]
        if self.random.random() < 0.2:
            self.ask("cancel", run_id=run)
        self.until_done(run)
        self.ask("press", step="video", run_id=run, **press)
        self.check(self.until_done(run), seed)
        self.segments += 2
        self.ask("reroll_keyframe", run_id=run, step=300 + self.number, seed=seed + 1)
        again = self.until_done_with(run, press)
        self.check(again, seed + 1)
        self.segments += 2
        if [each["run"] for each in self.ask("runs")] != [run]:
            self.wrong.append("another one's run in the history")
        self.ask("delete", run_id=run)

    def until_done_with(self, run: str, press: dict[str, Any]) -> dict[str, Any]:
        settings = {name: value for name, value in press["settings"].items() if name != "seed"}
        self.ask("press", step="video", run_id=run, artwork=None, settings=settings)
        return self.until_done(run)

    def check(self, view: dict[str, Any], seed: int) -> None:
        """Everything on show is this visitor's, down to the settings inside its pictures."""
        if view["state"] != "finished" or len(view["frames"]) != 30:
            self.wrong.append(f"it ended {view['state']} with {len(view['frames'])} frames: {view['message']}")
            return
        artwork = np.asarray(Image.open(io.BytesIO(self.fetch(view["artwork"]))).convert("RGB"))
        if not np.array_equal(artwork, self.picture):
            self.wrong.append("another one's artwork")
        for keyframe in view["keyframes"]:
            kept = self.app.out.parent / f"fetched {self.number}.png"
            kept.write_bytes(self.fetch(keyframe["path"]))
            found, run = read_settings(kept)
            inside = {k["step"]: k["seed"] for k in found["settings"]["timeline"]["keyframes"]}
            if keyframe["seed"] != seed or inside.get(keyframe["step"]) != seed:
                self.wrong.append(f"seeds {keyframe['seed']} and {inside} instead of {seed}")
        self.fetch(view["frames"][0])
        self.fetch(view["video"])
        self.films += 1


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Soaked]:
    started = Soaked(tmp_path)
    yield started
    started.stop()


def visits(
    app: Soaked | RunningApp, seconds: float, visitors: int = VISITORS, rounds: int = 0, pause_s: float = 0.5
) -> list[Browser]:
    """Everything is checked by them, and is gone from the disk in the end; pause_s: the page's own."""
    until_s = time.monotonic() + seconds
    browsers = [Browser(app, number, until_s, rounds, pause_s) for number in range(1, visitors + 1)]
    for browser in browsers:
        browser.start()
    for browser in browsers:
        browser.join(seconds + 120)
        assert not browser.is_alive()
    assert [browser.wrong for browser in browsers] == [[]] * visitors
    assert not app.out.exists() or list(app.out.iterdir()) == [], "every run was deleted"
    return browsers


def figures(browsers: list[Browser]) -> dict[str, Any]:
    """Seconds that pages waited, by what was asked for and over all."""
    waits: dict[str, list[float]] = {}
    for browser in browsers:
        for what, seconds in browser.waits.items():
            waits.setdefault(what, []).extend(seconds)
    waits["all"] = [second for seconds in waits.values() for second in seconds]

    def row(seconds: list[float]) -> dict[str, float]:
        ordered = sorted(seconds)
        shares = {name: round(ordered[int(share * len(ordered))], 3) for name, share in (("p50", 0.5), ("p95", 0.95))}
        return {"requests": len(ordered), **shares, "longest": round(ordered[-1], 3)}

    return {what: row(seconds) for what, seconds in sorted(waits.items())}


def test_several_browsers_for_a_moment(tmp_path: Path) -> None:
    with RunningApp(tmp_path / "runs") as app:
        browsers = visits(app, 1, visitors=6, rounds=1, pause_s=0.05)
        assert app.engine.most_at_work == 1
    assert all(browser.films == 2 * browser.rounds > 0 for browser in browsers)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_twenty_browsers_for_five_minutes(program: Soaked) -> None:
    visits(program, WARM_UP_S)
    time.sleep(2)  # the program closes its ends of the connections
    memory, open_files, files = program.memory(), program.open_files(), program.files()
    uploads = sum(1 for file in program.uploads.rglob("*") if file.is_file())
    browsers = visits(program, MEASURED_S)
    time.sleep(2)
    told = figures(browsers)
    drawn = sum(browser.segments for browser in browsers) * 16 * 128 * 128 * 3  # kept in memory, up to a limit
    growth = program.memory() - memory
    facts = {"films": sum(browser.films for browser in browsers), "growth_mib": growth // 2**20}
    facts |= {"of that results_mib": drawn // 2**20, "open files": [open_files, program.open_files()]}
    print(json.dumps({**facts, "waits": told}, indent=1))
    assert facts["films"] > 0, "films of which everything was checked"
    assert told["all"]["p95"] < 1, "page requests"
    assert growth - drawn < LARGEST_GROWTH
    assert program.open_files() <= open_files + 10
    assert program.files() == files, "no temporary file is left"
    assert sum(1 for file in program.uploads.rglob("*") if file.is_file()) == uploads, "the same picture is kept once"
    assert "Traceback" not in program.words()
