"""Addresses and sentences that do not tell where on the server things are."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from asgi import unread, unsent

from paints_undo.web.run_files import RunFiles, without_folders, without_place

OUT = Path("/srv/somewhere/outputs")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/gradio_api/file=runs/a/run.json", "/gradio_api/file=/srv/somewhere/outputs/a/run.json"),
        ("/prefix/gradio_api/file=runs/a b.png", "/prefix/gradio_api/file=/srv/somewhere/outputs/a b.png"),
        ("/gradio_api/file=runs/../../etc/passwd", "/gradio_api/file=runs/../../etc/passwd"),
        ("/gradio_api/file=/tmp/a.png", "/gradio_api/file=/tmp/a.png"),
        ("/config", "/config"),
    ],
)
def test_only_addresses_of_runs_are_changed(path: str, expected: str) -> None:
    seen: list[str] = []

    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        seen.append(scope["path"])

    asyncio.run(RunFiles(app, OUT)({"type": "http", "path": path}, unread, unsent))
    assert seen == [expected]


def test_paths_are_told_from_the_folder_of_runs_on() -> None:
    view = {"video": f"{OUT}/a/timelapse.mp4", "frames": [f"{OUT}/a/1.jpg"], "n": 3, "title": "srv", "none": None}
    told = {**view, "video": "runs/a/timelapse.mp4", "frames": ["runs/a/1.jpg"]}
    assert without_place(view, OUT) == told


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        (f"Cannot write a in the folder {OUT}/b: disk full.", "Cannot write a in the folder runs/b: disk full."),
        (f"no model family at {Path.home()}/models/x; give one", "no model family at ~/models/x; give one"),
        ("/usr/lib/python3/site-packages/x.py is odd", "x.py is odd"),
        ("C:\\Users\\ann\\a.png is odd", "a.png is odd"),
        ("use 16/9 or and/or, see https://pytorch.org/get/x", "use 16/9 or and/or, see https://pytorch.org/get/x"),
        ("keyframes/0400-1.png is gone", "keyframes/0400-1.png is gone"),
    ],
)  # fmt: skip
def test_sentences_name_files_and_no_folders_of_the_server(sentence: str, told: str) -> None:
    assert without_folders(sentence, OUT) == told
