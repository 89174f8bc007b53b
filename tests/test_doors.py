"""The doors of the web app, each with a real model family behind it; docs/reliability.md says where the others are."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from real_app import RealApp

from paints_undo import examples
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.video import read_video
from paints_undo.run.folder import RunFolder

pytestmark = pytest.mark.slow
GIRL = Path(examples.__file__).parent / "girl.png"
DRAWING: dict[str, Any] = {
    "prompt": "1girl",
    "operation_steps": [400, 999],
    "width": 96,
    "height": 64,
    "sampling_steps": 2,
}


@pytest.fixture(scope="module")
def app(tiny_family: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealApp]:
    running = RealApp(tiny_family, tmp_path_factory.mktemp("doors") / "runs")
    yield running
    running.close()


@pytest.fixture(scope="module")
def run(app: RealApp) -> dict[str, Any]:
    """What the page shows of a run that it drew itself, from the first button to the last."""
    settings = {**DRAWING, "prompt": "", "video_sampling_steps": 2}
    number = app.ask("press", run_id=None, step="prompt", artwork=app.upload(GIRL), settings=settings)["run"]
    for step in ("prompt", "keyframes", "video"):
        if step != "prompt":
            app.ask("press", run_id=number, step=step, artwork=None, settings={})
        view = ended(app, number)
    return view


def ended(app: RealApp, run: str) -> dict[str, Any]:
    for _ in range(1200):
        view = app.ask("view", run_id=run)
        if view["job"] is None and view["state"] != "waiting":
            return view
        time.sleep(0.05)
    raise AssertionError(view)


def test_the_page(app: RealApp, run: dict[str, Any]) -> None:
    artwork = read_picture(GIRL)
    assert run["state"] == "finished" and run["message"]["key"] == "video_ready", run
    assert run["settings"]["prompt"] == app.engine.tag(artwork)
    folder = RunFolder.open(Path(app.out) / Path(run["artwork"]).parent.name)
    options = UndoOptions.from_settings(folder.settings["options"])
    drawn = app.engine.undo(artwork, options)
    assert len(read_video(folder.timelapse_file)) == len(drawn.frames) == 45
    assert app.ask("family")["sentences"][0] == "Model family reference, on cpu in float32"
    assert app.ask("count_tokens", prompt="1girl, solo") == app.engine.count_tokens("1girl, solo")


def test_the_export_panel(app: RealApp, run: dict[str, Any]) -> None:
    app.ask(
        "export",
        run_id=run["run"],
        formats=["gif", "curves"],
        options={"hold_end": "1", "curve": "steps", "longest_side": "160"},
    )
    view = ended(app, run["run"])
    assert view["message"] == {"key": "exports_ready", "values": {"count": 2}}, view
    made = [Path(file["path"]) for file in view["exports"]]
    assert [file.suffix for file in made] == [".gif", ".svg"] and all(file.stat().st_size > 1000 for file in made)


def test_the_three_endpoints(app: RealApp) -> None:
    client, artwork = Client(app.url, verbose=False), read_picture(GIRL)
    assert client.predict(handle_file(str(GIRL)), api_name="/generate_prompt") == app.engine.tag(artwork)
    given: dict[str, Any] = {**DRAWING, "negative_prompt": "", "seed": 3, "guidance_scale": 2.0}
    gallery = client.predict(artwork=handle_file(str(GIRL)), api_name="/generate_keyframes", **given)
    options = KeyframeOptions(**{**given, "operation_steps": (400, 999)})
    drawn = app.engine.draw_keyframes(artwork, options)
    pictures = np.stack([np.asarray(Image.open(each["image"]).convert("RGB")) for each in gallery])
    assert [each["caption"] for each in gallery] == ["Step 400", "Step 999"] and np.array_equal(pictures, drawn)
    filling: dict[str, Any] = {"prompt": "1girl", "seed": 4, "guidance_scale": 3.0, "sampling_steps": 2}
    video, frames = client.predict(fps=8, api_name="/generate_video", **filling)
    whole = app.engine.undo(artwork, UndoOptions(options, SegmentOptions(**filling), fps=8, fit="crop"))
    found = np.stack([np.asarray(Image.open(each["image"]).convert("RGB")) for each in frames])
    assert np.array_equal(found, whole.frames)
    assert len(read_video(Path(video["video"] if isinstance(video, dict) else video))) == len(found)


def test_mcp(tiny_family: Path, tmp_path: Path) -> None:
    """With the extra `mcp`, which holds pydantic back and so is none of the `dev` extra's packages."""
    pytest.importorskip("mcp", reason="needs the extra mcp (pip install -e .[mcp])")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    app = RealApp(tiny_family, tmp_path / "runs", flags=["--mcp"])

    given = f"data:image/png;base64,{base64.b64encode(GIRL.read_bytes()).decode()}"

    async def asked() -> tuple[list[str], str]:
        async with (
            streamablehttp_client(f"{app.url}gradio_api/mcp/") as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            tools = (await session.list_tools()).tools
            (tool,) = (each.name for each in tools if each.name.endswith("generate_prompt"))
            told = await session.call_tool(tool, {"artwork": given})
            return [each.name for each in tools], told.content[0].text

    try:
        names, said = asyncio.run(asked())
        assert len(names) == 3 and said == app.engine.tag(read_picture(GIRL))
    finally:
        app.close()
