"""The doors of the web app, each with a real model family behind it; docs/reliability.md says where the others are."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import handle_file
from PIL import Image
from running_app import GIRL, RunningApp, real_app, until

from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.video import read_video
from paints_undo.run.folder import RunFolder

pytestmark = pytest.mark.slow
DRAWING: dict[str, Any] = {
    "prompt": "1girl",
    "operation_steps": [400, 999],
    "width": 96,
    "height": 64,
    "sampling_steps": 2,
}


@pytest.fixture(scope="module")
def app(tiny_family: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with real_app(tiny_family, tmp_path_factory.mktemp("doors") / "runs") as running:
        yield running


@pytest.fixture(scope="module")
def run(app: RunningApp) -> dict[str, Any]:
    """What the page shows of a run that it drew itself, from the first button to the last."""
    settings = {**DRAWING, "prompt": "", "video_sampling_steps": 2}
    begun = app.ask("press", run_id=None, step="prompt", artwork=app.upload(), settings=settings)
    number = begun["result"]["run"]
    for step in ("prompt", "keyframes", "video"):
        if step != "prompt":
            app.ask("press", run_id=number, step=step, artwork=None, settings={})
        view = app.ended(number)
    return view


def test_the_page(app: RunningApp, run: dict[str, Any]) -> None:
    artwork = read_picture(GIRL)
    assert run["state"] == "finished" and run["message"]["key"] == "video_ready", run
    assert run["settings"]["prompt"] == app.engine.tag(artwork)
    folder = RunFolder.open(Path(app.out) / Path(run["artwork"]).parent.name)
    options = UndoOptions.from_settings(folder.settings["options"])
    drawn = app.engine.undo(artwork, options)
    assert len(read_video(folder.timelapse_file)) == len(drawn.frames) == 45
    assert app.ask("family")["result"]["sentences"][0] == "Model family reference, on cpu in float32"
    assert app.ask("count_tokens", prompt="1girl, solo")["result"] == app.engine.count_tokens("1girl, solo")


def test_the_export_panel(app: RunningApp, run: dict[str, Any]) -> None:
    app.ask(
        "export",
        run_id=run["run"],
        formats=["gif", "curves"],
        options={"hold_end": "1", "curve": "steps", "longest_side": "160"},
    )
    view = app.ended(run["run"])
    assert view["message"] == {"key": "exports_ready", "values": {"count": 2}}, view
    made = [Path(file["path"]) for file in view["exports"]]
    assert [file.suffix for file in made] == [".gif", ".svg"] and all(file.stat().st_size > 1000 for file in made)


def test_the_three_endpoints(app: RunningApp) -> None:
    client, artwork = app.program(), read_picture(GIRL)
    assert client.predict(handle_file(str(GIRL)), api_name="/generate_prompt") == app.engine.tag(artwork)
    given: dict[str, Any] = {**DRAWING, "negative_prompt": "", "seed": 3, "guidance_scale": 2.0}
    gallery = client.predict(artwork=handle_file(str(GIRL)), api_name="/generate_keyframes", **given)
    options = KeyframeOptions(**{**given, "operation_steps": (400, 999)})
    drawn = app.engine.draw_keyframes(artwork, options)
    pictures = np.stack([np.asarray(Image.open(each["image"]["path"]).convert("RGB")) for each in gallery])
    assert [each["caption"] for each in gallery] == ["Step 400", "Step 999"] and np.array_equal(pictures, drawn)
    filling: dict[str, Any] = {"prompt": "1girl", "seed": 4, "guidance_scale": 3.0, "sampling_steps": 2}
    video, frames = client.predict(fps=8, api_name="/generate_video", **filling)
    whole = app.engine.undo(artwork, UndoOptions(options, SegmentOptions(**filling), fps=8, fit="crop"))
    found = np.stack([np.asarray(Image.open(each["image"]["path"]).convert("RGB")) for each in frames])
    assert np.array_equal(found, whole.frames)
    assert len(read_video(Path(video["path"]))) == len(found)


def test_mcp(tmp_path: Path) -> None:
    """Two clients at once, each with runs of its own, through all four tools; in strokes, which need no networks."""
    pytest.importorskip("mcp", reason="needs the extra mcp (pip install -e .[mcp])")
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    app = real_app("strokes", tmp_path / "runs", "--mcp")
    given = f"data:image/png;base64,{base64.b64encode(GIRL.read_bytes()).decode()}"
    heard: dict[int, list[float]] = {1: [], 2: []}

    @asynccontextmanager
    async def client() -> AsyncIterator[Any]:
        async with (
            streamable_http_client(f"{app.url}gradio_api/mcp/") as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            yield session

    async def called(session: Any, tool: str, **arguments: Any) -> Any:
        answer = await session.call_tool(tool, arguments)
        assert not answer.isError, answer.content
        return answer.structuredContent

    async def worked(number: int) -> dict[str, Any]:
        async with client() as session:

            async def hear(share: float, total: float | None, doing: str | None) -> None:
                assert total == 1 and doing
                heard[number].append(share)

            told = await called(session, "write_tags", artwork=given)
            settings = {"run": told["run"], "seed": number, "seconds": 2 + number, "operation_steps": [300, 900]}
            answer = await session.call_tool("make_timelapse", settings, progress_callback=hear)
            assert not answer.isError and answer.content[1].type == "resource_link", answer.content
            made = answer.structuredContent
            assert made["run"] == told["run"]
            files = await called(session, "export_timelapse", run=made["run"], formats=["gif", "psd"])
            again = await called(session, "draw_keyframes", run=made["run"], operation_steps=[300, 600])
            return {**made, **told, "again": again["keyframes"], **files}

    async def refused() -> list[str]:
        async with client() as session:
            folder = one["video"].split("runs/")[1].split("/")[0]  # what a link shows is no key
            calls: list[tuple[str, dict[str, Any]]] = [
                ("make_timelapse", {}),
                ("make_timelapse", {"artwork": given, "seed": "x"}),
                ("write_tags", {"artwork": "http://127.0.0.1:1/girl.png"}),
                ("write_tags", {"artwork": "data:image/png;base64,?"}),
                ("write_tags", {"artwork": str(GIRL)}),
                ("draw_keyframes", {"run": folder}),
                ("draw_keyframes", {"artwork": given, "speed": 3}),
                ("export_timelapse", {"run": one["run"]}),
                ("undo", {}),
            ]
            answers = [await session.call_tool(tool, arguments) for tool, arguments in calls]
            assert all(answer.isError for answer in answers)
            return [answer.content[0].text for answer in answers]

    async def gone() -> None:
        begun = asyncio.Event()

        async def hear(*progress: Any) -> None:
            begun.set()

        async with client() as session:
            given_up = asyncio.create_task(
                session.call_tool("make_timelapse", {"artwork": given, "seconds": 60}, progress_callback=hear)
            )
            await asyncio.wait_for(begun.wait(), 60)
        given_up.cancel()

    async def asked() -> Any:
        async with client() as session:
            return {tool.name: tool.inputSchema["properties"] for tool in (await session.list_tools()).tools}

    async def both() -> list[dict[str, Any]]:
        return list(await asyncio.gather(worked(1), worked(2)))

    try:
        one, two = asyncio.run(both())
        assert one["run"] != two["run"] and one["video"] != two["video"] and one["tags"] == two["tags"]
        assert all(shares == sorted(set(shares)) and 0 <= shares[0] < shares[-1] <= 1 for shares in heard.values())
        films = [app.fetch(made["video"]) for made in (one, two)]
        for place, film in enumerate(films):
            (tmp_path / f"{place}.mp4").write_bytes(film)
        lengths = [len(read_video(tmp_path / f"{place}.mp4")) for place in (0, 1)]
        assert lengths[0] < lengths[1], "each film has the length that its own caller asked for"
        for made in (one, two):
            assert [each["operation_step"] for each in made["again"]] == [300, 600]
            drawn = [app.fetch(made[name][0]["picture"]) for name in ("keyframes", "again")]
            pixels = [np.asarray(Image.open(BytesIO(file))) for file in drawn]
            assert pixels[0].std() > 0 and np.array_equal(pixels[0], pixels[1]), "what is there is not drawn again"
            assert {Path(name).suffix for name in made["files"]} == {".gif", ".psd"}
            assert all(len(app.fetch(link)) > 1000 for link in made["files"].values())
        said = asyncio.run(refused())
        assert not any("\n" in sentence or "Traceback" in sentence for sentence in said)
        expected = ["no picture: give artwork", "seed is 'x'", "no picture came from http://127.0.0.1:1/girl.png"]
        expected += ["no base64", "not uploaded here", "the key of no run here", "no argument 'speed'"]
        expected += ["no format is given", "no tool 'undo'"]
        assert all(part in sentence for part, sentence in zip(expected, said, strict=True)), said
        asyncio.run(gone())
        card = max((tmp_path / "runs").glob("*/app.json"))
        until(lambda: json.loads(card.read_bytes())["state"] == "cancelled")
        tools = asyncio.run(asked())
        assert list(tools) == ["make_timelapse", "write_tags", "draw_keyframes", "export_timelapse"]
        kinds = {name: schema["type"] for name, schema in tools["make_timelapse"].items()}
        assert kinds["seed"] == kinds["fps"] == "integer" and kinds["operation_steps"] == "array"
    finally:
        app.close()
