"""The web app without a browser: its endpoints, controls, errors and what it leaves on disk."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine, FakeFamily
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from running_app import GIRL, RunningApp, until

import gradio_app
from paints_undo.errors import CheckpointError
from paints_undo.options import KeyframeOptions, SegmentOptions
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.video import read_video
from paints_undo.run.folder import RunFolder
from paints_undo.web.history import CARD
from paints_undo.web.hosts import KnownHosts

ARTWORK = str(GIRL)
SMALL = {"width": 256, "height": 320, "sampling_steps": 2}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with RunningApp(tmp_path_factory.mktemp("web") / "runs") as app:
        yield app


@pytest.fixture
def served(running: RunningApp) -> RunningApp:
    """The same app for every test, with an engine that has drawn nothing yet."""
    FakeEngine.__init__(running.engine)
    return running


def draw(client: Client, **changes: Any) -> list[dict[str, Any]]:
    given = {"artwork": handle_file(ARTWORK), "prompt": "1girl", **SMALL, **changes}
    return client.predict(api_name="/generate_keyframes", **given)


def runs_of(app: RunningApp) -> set[str]:
    return {folder.name for folder in app.out.iterdir()} if app.out.exists() else set()


def controls(app: Any) -> dict[str, list[dict[str, Any]]]:
    """The components of the page by label, in the order of the page."""
    by_label: dict[str, list[dict[str, Any]]] = {}
    for component in app.get_config_file()["components"]:
        label = component["props"].get("label") or component["props"].get("value")
        if isinstance(label, str):
            by_label.setdefault(label, []).append(component["props"])
    return by_label


def test_the_page_has_the_original_controls(tmp_path: Path) -> None:
    app = gradio_app.build_app(FakeEngine, tmp_path)
    found = controls(app)
    for heading in ("Step 1: Upload Image and Generate Prompt", "Step 2: Generate Key Frames",
                    "Step 3: Generate All Videos"):  # fmt: skip
        assert any(heading in label for label in found)
    for button in ("Generate Prompt", "Generate Key Frames", "Generate Video"):
        assert found[button][0]["interactive"] is False
    ranges = {
        "Stage 1 Seed": (0, 50000, 1, 12345),
        "Image Width": (256, 1024, 64, 512),
        "Image Height": (256, 1024, 64, 640),
        "Steps": (1, 100, 1, 50),
        "Stage 2 Seed": (0, 50000, 1, 123),
        "Sampling steps": (1, 100, 1, 50),
        "FPS": (1, 30, 1, 4),
    }
    for label, expected in ranges.items():
        props = found[label][0]
        assert (props["minimum"], props["maximum"], props["step"], props["value"]) == expected, label
    first, second = found["CFG Scale"]
    assert (first["minimum"], first["maximum"], first["value"]) == (1, 32, 3.0)
    assert (second["minimum"], second["maximum"], second["value"]) == (1, 15, 7.5)
    on_the_page, of_the_endpoint = found["Operation Steps"]
    assert on_the_page["value"] == "400, 600, 800, 900, 950, 999"
    assert of_the_endpoint["value"] == [400, 600, 800, 900, 950, 999] and len(of_the_endpoint["choices"]) == 1000
    assert found["Negative Prompt"][0]["value"] == KeyframeOptions.negative_prompt
    assert found["Prompt"][0]["value"] == SegmentOptions.prompt
    assert "Do not paste the tags of Step 1" in found["Prompt"][0]["info"]
    assert not tmp_path.joinpath("runs").exists()


def test_a_small_family_brings_its_own_sizes(tmp_path: Path) -> None:
    engine = FakeEngine(family=FakeFamily(keyframe_size=(96, 64), multiple=16))
    width = controls(gradio_app.build_app(lambda: engine, tmp_path))["Image Width"][0]
    assert (width["minimum"], width["maximum"], width["step"], width["value"]) == (16, 192, 16, 96)


def test_exactly_three_endpoints_are_public(tmp_path: Path) -> None:
    app = gradio_app.build_app(FakeEngine, tmp_path)
    endpoints = app.get_api_info()["named_endpoints"]
    assert set(endpoints) == {"/generate_prompt", "/generate_keyframes", "/generate_video"}
    returned = {name: [value["component"] for value in endpoint["returns"]] for name, endpoint in endpoints.items()}
    assert returned["/generate_prompt"] == ["Textbox"]
    assert returned["/generate_keyframes"] == ["Gallery"]
    assert returned["/generate_video"] == ["Video", "Gallery"]
    named = [parameter["parameter_name"] for parameter in endpoints["/generate_video"]["parameters"]]
    assert named == ["prompt", "seed", "guidance_scale", "sampling_steps", "fps"]
    assert all(endpoint["description"] for endpoint in endpoints.values())
    kinds = {p["parameter_name"]: p["type"]["type"] for each in endpoints.values() for p in each["parameters"]}
    whole = {"seed", "width", "height", "sampling_steps", "fps"}
    assert {name for name, kind in kinds.items() if kind == "integer"} == whole and kinds["guidance_scale"] == "number"


def test_the_three_steps_hand_pixels_on_exactly(served: RunningApp) -> None:
    client, before = served.program(), runs_of(served)
    assert client.predict(handle_file(ARTWORK), api_name="/generate_prompt") == "1girl, solo, 512 wide"
    assert runs_of(served) == before, "a prompt leaves no run behind"

    shown = draw(client, operation_steps=[300, 700], seed=77)
    assert [picture["caption"] for picture in shown] == ["Step 300", "Step 700"]
    (name,) = runs_of(served) - before
    kept = {file.name[:4]: read_picture(file) for file in (served.out / name).glob("keyframes/*.png")}
    for picture, step in zip(shown, ("0300", "0700"), strict=True):
        fetched = served.fetch(picture["image"]["url"])
        assert fetched.startswith(b"\x89PNG")
        np.testing.assert_array_equal(read_picture(fetched), kept[step])

    video, frames = client.predict(fps=8, sampling_steps=3, api_name="/generate_video")
    assert read_video(video["path"]).shape[0] == len(frames) == 45
    run = RunFolder.open(served.out / name)
    assert run.finished and run.settings["options"]["fps"] == 8
    assert run.settings["options"]["keyframes"]["seed"] == 77


def test_a_call_tells_how_far_it_is(served: RunningApp) -> None:
    client = served.program()
    draw(client, operation_steps=[500])
    served.engine.seconds_per_step, seen = 0.1, []
    job = client.submit(sampling_steps=6, api_name="/generate_video")
    while not job.done():
        seen += job.status().progress_data or []
        time.sleep(0.02)
    drawing = [unit.progress for unit in seen if (unit.desc or "").startswith("segments: ")]
    assert drawing == sorted(drawing) and len(set(drawing)) > 3 and 0 <= drawing[0] < drawing[-1] <= 1, seen


def test_another_speed_draws_nothing_again_and_another_seed_no_keyframe(served: RunningApp) -> None:
    client = served.program()
    draw(client, operation_steps=[500])
    client.predict(sampling_steps=3, api_name="/generate_video")
    before = served.engine.steps_done
    client.predict(sampling_steps=3, fps=12, api_name="/generate_video")
    assert served.engine.steps_done == before
    _, frames = client.predict(sampling_steps=3, fps=12, seed=9, api_name="/generate_video")
    assert served.engine.steps_done > before and served.engine.keyframes_drawn == (500,)
    assert int(read_picture(frames[-1]["image"]["path"])[0, 0, 0]) == 9


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sampling_steps": 2.7}, "sampling steps is 2.7"),
        ({"sampling_steps": "50"}, "sampling steps is '50'"),
        ({"sampling_steps": None}, "sampling steps is None"),
        ({"width": 10**9}, "width is 1000000000"),
        ({"operation_steps": [400, 400]}, "operation step 400 is given 2 times"),
        ({"operation_steps": None}, "operation steps are None"),
        ({"prompt": "x" * 10**6}, "prompt has 1,000,000 characters"),
    ],
)
def test_impossible_settings_are_refused_by_name(served: RunningApp, changes: dict[str, Any], named: str) -> None:
    before = runs_of(served)
    with pytest.raises(AppError, match=named):
        draw(served.program(), **changes)
    assert served.engine.steps_done == 0 and runs_of(served) == before


@pytest.mark.parametrize(("content", "name"), [(b"no picture", "notes.png"), (b"", "empty.jpg"), (b"<svg/>", "a.svg")])
def test_a_file_that_is_no_picture_is_refused(served: RunningApp, tmp_path: Path, content: bytes, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(AppError) as refused:
        served.program().predict(handle_file(str(file)), api_name="/generate_prompt")
    assert "picture" in str(refused.value) and "/" not in str(refused.value).replace("GIF, BMP", "")


def test_pillow_is_never_asked_to_decode_a_jpeg(
    served: RunningApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "girl.jpg"
    Image.fromarray(read_picture(ARTWORK)).save(file)
    reached = []
    monkeypatch.setattr(Image.core, "jpeg_decoder", lambda *arguments: reached.append(arguments))
    client = served.program()
    assert client.predict(handle_file(str(file)), api_name="/generate_prompt")
    assert draw(client, artwork=handle_file(str(file)))
    assert not reached


def test_what_is_missing_is_asked_for(served: RunningApp) -> None:
    client = served.program()
    with pytest.raises(AppError, match="there is no picture yet"):
        client.predict(None, api_name="/generate_prompt")
    with pytest.raises(AppError, match="there are no key frames yet"):
        client.predict(api_name="/generate_video")


def test_no_request_is_answered_with_500(served: RunningApp) -> None:
    page_call = {"session_hash": "a", "component_id": 99999, "fn_name": "ask", "data": {}}
    asked: list[tuple[str, Any]] = [
        ("component_server", {**page_call, **changes})
        for changes in ({}, {"component_id": -1}, {"fn_name": "postprocess"}, {"data": 7})
    ]
    asked.append(("queue/join", {"data": [], "fn_index": 9999, "session_hash": "a"}))
    for name in ("generate_prompt", "generate_keyframes", "generate_video"):
        for body in ({"data": []}, {"data": [None] * 12}, {"data": "x"}, {}, {"fn_index": 3, "data": []}):
            asked += [(route, body) for route in (f"run/{name}", f"call/{name}", "queue/join")]
    for route, body in asked:
        assert served.client.post(f"/gradio_api/{route}", json=body).status_code < 500, (route, body)
    assert served.client.get("/gradio_api/file=%00").status_code < 500


def test_a_missing_family_is_said_and_can_be_added_without_a_restart(tmp_path: Path) -> None:
    missing = CheckpointError("there is no family; run `python -m paints_undo download`")
    with RunningApp(tmp_path / "runs", engine=missing) as app:
        assert any("python -m paints_undo download" in label for label in controls(app.app))
        client = app.program()
        with pytest.raises(AppError, match="python -m paints_undo download"):
            client.predict(handle_file(ARTWORK), api_name="/generate_prompt")
        assert not app.out.exists(), "no folder before the first run"
        app.engine = FakeEngine()
        assert client.predict(handle_file(ARTWORK), api_name="/generate_prompt").startswith("1girl")


def test_an_unexpected_error_stays_in_the_log(served: RunningApp) -> None:
    served.engine.fail_with = KeyError("/secret/place")
    with pytest.raises(AppError) as failed:
        served.program().predict(handle_file(ARTWORK), api_name="/generate_prompt")
    assert "secret" not in str(failed.value) and "log" in str(failed.value)
    served.engine.fail_with = None
    assert served.program().predict(handle_file(ARTWORK), api_name="/generate_prompt")


def test_each_session_has_runs_of_its_own(served: RunningApp) -> None:
    before = runs_of(served)
    for client in (served.program(), served.program()):
        draw(client, operation_steps=[500])
    cards = [json.loads((served.out / name / CARD).read_text()) for name in runs_of(served) - before]
    assert len({card["owner"] for card in cards}) == 2


A_PROGRAM = """
import sys
from gradio_client import Client, handle_file
client = Client(sys.argv[1], verbose=False, analytics_enabled=False)
client.predict(handle_file(sys.argv[2]), "1girl", "", [300, 700], 1, 256, 320, 100, api_name="/generate_keyframes")
"""


@pytest.mark.parametrize("way", ["cancelled", "killed"])
def test_a_call_that_nobody_waits_for_ends_and_leaves_nothing(served: RunningApp, way: str) -> None:
    before, served.engine.seconds_per_step = runs_of(served), 0.1
    if way == "cancelled":
        given = {"artwork": handle_file(ARTWORK), "prompt": "1girl", **SMALL, "sampling_steps": 100}
        job = served.program().submit(api_name="/generate_keyframes", **given)
        until(lambda: served.engine.at_work == 1)
        job.cancel()
    else:
        program = subprocess.Popen([sys.executable, "-c", A_PROGRAM, served.url, ARTWORK])
        # its second connection, whose end tells that it is gone, comes a little after the call itself
        until(lambda: served.engine.steps_done >= 40)
        program.kill()
        program.wait()
    done = served.engine.steps_done
    until(lambda: served.engine.at_work == 0)
    assert served.engine.steps_done < done + 60
    until(lambda: runs_of(served) == before)
    served.engine.seconds_per_step = 0
    assert len(draw(served.program(), operation_steps=[500])) == 1, "the next call is served"


def test_a_cancelled_video_keeps_its_key_frames(served: RunningApp) -> None:
    client = served.program()
    draw(client, operation_steps=[500])
    served.engine.seconds_per_step = 0.1
    job = client.submit(sampling_steps=100, api_name="/generate_video")
    until(lambda: served.engine.at_work == 1)
    job.cancel()
    until(lambda: served.engine.at_work == 0)
    served.engine.seconds_per_step = 0
    _, frames = client.predict(sampling_steps=2, api_name="/generate_video")
    assert len(frames) == 30 and served.engine.keyframes_drawn == (500,)


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    options = gradio_app._arguments([])
    settings = gradio_app.launch_settings(options)
    assert settings["server_name"] == "127.0.0.1" and settings["share"] is False and settings["auth"] is None
    assert options.models == "auto" and options.out == Path("outputs").absolute()
    opened = gradio_app.launch_settings(gradio_app._arguments(["--listen", "--auth", "ann:a:b", "--port", "8000"]))
    assert opened["server_name"] == "0.0.0.0" and opened["auth"] == ("ann", "a:b") and opened["server_port"] == 8000
    hosts = {guard: options for guard, _, options in opened["app_kwargs"]["middleware"]}[KnownHosts]
    assert hosts["addresses"] and "evil.example" not in hosts["names"]
    for wrong in (["--auth", "ann"], ["--dtype", "int8"], ["--port", "x"]):
        with pytest.raises(SystemExit) as stopped:
            gradio_app._arguments(wrong)
        assert stopped.value.code == 2
    assert gradio_app.main(["--device", "abacus"]) == 2
    assert "abacus" in capsys.readouterr().err
