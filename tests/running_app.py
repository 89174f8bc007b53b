"""The web app on a port of its own, and those who ask it over HTTP: browsers, programs, and whoever sends by hand."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
import httpx
import pytest
from fake_engine import FakeEngine
from gradio_client import Client

import gradio_app
from paints_undo import examples
from paints_undo.engine import Engine
from paints_undo.pipeline import PaintsUndo
from paints_undo.web.jobs import end_all

GIRL = Path(examples.__file__).parent / "girl.png"
VISITOR = "a secret of one visitor"
EVIL = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
QUICK = {"width": 64, "height": 64, "sampling_steps": 1, "video_sampling_steps": 1, "operation_steps": [400, 999]}
App = TypeVar("App", bound="RunningApp")


class RunningApp:
    """The app as the command line starts it with these flags.

    engine: one that pretends, where none is given; an exception is raised instead of it.
    """

    def __init__(self, out: Path, *flags: str, engine: Engine | Exception | None = None) -> None:
        given: Engine | Exception = engine or FakeEngine()
        self.engine: Any = given  # a test knows which one it is
        self.out = out
        self.app = gradio_app.build_app(self._load, out)
        settings = gradio_app.launch_settings(gradio_app._arguments(["--out", str(out), *flags]), self.app)
        settings["share"] = False  # the guards for a shared link, and no tunnel
        _, self.url, _ = self.app.launch(prevent_thread_lock=True, quiet=True, **settings)
        self.client = httpx.Client(base_url=self.url, timeout=120)
        self.bench = next(n for n, block in self.app.blocks.items() if getattr(block, "elem_id", None) == "workbench")

    def _load(self) -> Engine:
        if isinstance(self.engine, Exception):
            raise self.engine
        return self.engine

    def __enter__(self: App) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.client.close()
        end_all(within_s=30)  # or the next test waits for it
        self.app.close(verbose=False)

    def program(self, **options: Any) -> Client:
        """A program with a session of its own; it is told of files, and fetches none, which takes it seconds."""
        return Client(self.url, verbose=False, analytics_enabled=False, download_files=False, **options)

    def ask(self, what: str, visitor: str = VISITOR, **arguments: Any) -> dict[str, Any]:
        """What the page's own door answers."""
        call = {"do": what, "visitor": visitor, "language": "en", "args": arguments}
        body = {"data": call, "fn_name": "ask", "component_id": self.bench, "session_hash": "s"}
        return self.client.post("/gradio_api/component_server", json=body).json()

    def upload(self, content: Path | bytes = GIRL, name: str = "a.png") -> str:
        """A file as the page uploads it: its path on the server."""
        sent = content.read_bytes() if isinstance(content, Path) else content
        return self.client.post("/gradio_api/upload", files={"files": (name, sent)}).raise_for_status().json()[0]

    def named(self, path: str | None = None) -> dict[str, Any]:
        """How a program names an uploaded file; without a path, of one that it uploads now."""
        return {"path": path or self.upload(), "meta": {"_type": "gradio.FileData"}}

    def called(self, endpoint: str, *values: Any) -> str:
        """The last event of a call with these values, as sent over the wire."""
        begun = self.client.post(f"/gradio_api/call/{endpoint}", json={"data": values})
        if begun.status_code != 200:
            return begun.text
        events = self.client.get(f"/gradio_api/call/{endpoint}/{begun.json()['event_id']}").text
        return events.strip().split("\n\n")[-1]

    def press(self, label: str, *values: Any) -> list[Any]:
        """What the button with this label shows in the end, when the widgets that it reads hold these values."""
        (button,) = (n for n, b in self.app.blocks.items() if isinstance(b, gr.Button) and b.value == label)
        (function,) = (n for n, f in self.app.fns.items() if (button, "click") in f.targets)
        event = {"data": list(values), "fn_index": function, "trigger_id": button, "session_hash": "session"}
        self.client.post("/gradio_api/queue/join", json=event).raise_for_status()
        with self.client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "session"}) as told:
            for line in told.iter_lines():
                news: dict[str, Any] = json.loads(line.removeprefix("data: ")) if line else {"msg": ""}
                if news["msg"] == "process_completed":
                    assert news["success"], news["output"]
                    return news["output"]["data"]
        raise AssertionError("the call did not end")

    def ended(self, run: str, visitor: str = VISITOR) -> dict[str, Any]:
        """The view of a run when its job is done."""
        view: dict[str, Any] = {}

        def is_done() -> bool:
            view.update(self.ask("view", visitor, run_id=run)["result"])
            return view["job"] is None and view["state"] != "waiting"

        until(is_done)
        return view

    def finished_run(self, visitor: str = VISITOR) -> dict[str, Any]:
        """The view of a run that the page made with one button."""
        pressed = {"step": "video", "artwork": self.upload(), "settings": QUICK}
        return self.ended(self.ask("press", visitor, run_id=None, **pressed)["result"]["run"], visitor)

    def fetch(self, link: str) -> bytes:
        """What a link of this app leads to."""
        assert link.startswith(self.url), link
        return self.client.get(link).raise_for_status().content


def real_app(models: str | Path, out: Path, *flags: str, **choices: Any) -> RunningApp:
    """The app with a real family of these choices."""
    return RunningApp(out, *flags, engine=PaintsUndo.load(models, "cpu", **choices))


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition; a test fails when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail("it did not come")
        time.sleep(0.01)
