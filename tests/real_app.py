"""The web app with a real model family, asked over HTTP as the page asks it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import httpx

import gradio_app
from paints_undo.pipeline import PaintsUndo

VISITOR = "a secret of one visitor"


class RealApp:
    """A running app with an engine of these choices, started with these flags, and one session that asks it."""

    def __init__(self, models: str | Path, out: Path, flags: Sequence[str] = (), **choices: Any) -> None:
        self.engine, self.out = PaintsUndo.load(models, "cpu", **choices), out
        self.app = gradio_app.build_app(lambda: self.engine, out)
        settings = gradio_app.launch_settings(gradio_app._arguments(["--out", str(out), *flags]), self.app)
        _, self.url, _ = self.app.launch(prevent_thread_lock=True, quiet=True, **settings)
        self._client = httpx.Client(base_url=self.url, timeout=120)

    def press(self, label: str, *values: Any) -> list[Any]:
        """What the button with this label shows in the end, when the widgets that it reads hold these values."""
        (button,) = (n for n, b in self.app.blocks.items() if isinstance(b, gr.Button) and b.value == label)
        (function,) = (n for n, f in self.app.fns.items() if (button, "click") in f.targets)
        event = {"data": list(values), "fn_index": function, "trigger_id": button, "session_hash": "session"}
        self._client.post("/gradio_api/queue/join", json=event).raise_for_status()
        with self._client.stream("GET", "/gradio_api/queue/data", params={"session_hash": "session"}) as told:
            for line in told.iter_lines():
                news: dict[str, Any] = json.loads(line.removeprefix("data: ")) if line else {"msg": ""}
                if news["msg"] == "process_completed":
                    assert news["success"], news["output"]
                    return news["output"]["data"]
        raise AssertionError("the call did not end")

    def ask(self, what: str, **arguments: Any) -> Any:
        """What the page's own door answers."""
        (number,) = (n for n, b in self.app.blocks.items() if getattr(b, "elem_id", None) == "workbench")
        call = {"do": what, "visitor": VISITOR, "language": "en", "args": arguments}
        body = {"data": call, "fn_name": "ask", "component_id": number, "session_hash": "session"}
        return self._client.post("/gradio_api/component_server", json=body).raise_for_status().json()["result"]

    def upload(self, picture: Path) -> str:
        """A picture as the page uploads it: its path on the server."""
        with picture.open("rb") as file:
            return self._client.post("/gradio_api/upload", files={"files": file}).raise_for_status().json()[0]

    def fetch(self, link: str) -> bytes:
        """What a link of this app leads to."""
        assert link.startswith(self.url), link
        return self._client.get(link).raise_for_status().content

    def close(self) -> None:
        self._client.close()
        self.app.close(verbose=False)
