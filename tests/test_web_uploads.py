"""No request opens a file of this computer that was not uploaded, and pictures are read with room for them."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

import gradio_app
from paints_undo import examples
from paints_undo.errors import InputError, Sentence
from paints_undo.web import uploads
from paints_undo.web.uploads import Room, picture_of, uploaded
from paints_undo.words.languages import LANGUAGES, sentence_in

ARTWORK = Path(examples.__file__).parent / "girl.png"
REFUSED = "this file was not uploaded here; choose it again"


class Server:
    """A running app, asked by hand: what programs, pages and attackers send."""

    def __init__(self, out: Path) -> None:
        self.out, self.engine = out, FakeEngine()
        self.app = gradio_app.build_app(lambda: self.engine, out)
        settings = gradio_app.launch_settings(gradio_app._arguments(["--out", str(out)]))
        _, url, _ = self.app.launch(prevent_thread_lock=True, quiet=True, **settings)
        self.client = httpx.Client(base_url=url, timeout=60)
        components = self.app.get_config_file()["components"]
        self._bench = next(each["id"] for each in components if each["props"].get("elem_id") == "workbench")

    def upload(self, content: bytes, name: str = "a.png") -> str:
        return self.client.post("/gradio_api/upload", files={"files": (name, content)}).json()[0]

    def called(self, endpoint: str, artwork: Any, *values: Any) -> str:
        """The last event of a call with this in the place of the artwork, as sent over the wire."""
        begun = self.client.post(f"/gradio_api/call/{endpoint}", json={"data": [artwork, *values]})
        if begun.status_code != 200:
            return begun.text
        events = self.client.get(f"/gradio_api/call/{endpoint}/{begun.json()['event_id']}").text
        return events.strip().split("\n\n")[-1]

    def run_directly(self, endpoint: str, artwork: Any, *values: Any) -> str:
        return self.client.post(f"/gradio_api/run/{endpoint}", json={"data": [artwork, *values]}).text

    def asked(self, what: str, **arguments: Any) -> dict[str, Any]:
        return self.asked_as({"do": what, "visitor": "a secret of one visitor", "language": "en", "args": arguments})

    def asked_as(self, call: dict[str, Any]) -> dict[str, Any]:
        body = {"data": call, "fn_name": "ask", "component_id": self._bench, "session_hash": "s"}
        return self.client.post("/gradio_api/component_server", json=body).json()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("uploads") / "runs")
    yield running
    running.client.close()
    running.app.close(verbose=False)


SETTINGS = ("1girl", "", [400], 1, 256, 320, 1, 3.0)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory, server: Server) -> list[str]:
    """Files of this computer that are there, are none, or never end; none was uploaded."""
    folder = tmp_path_factory.mktemp("home of somebody")
    private = folder / "private.png"
    private.write_bytes(ARTWORK.read_bytes())
    os.mkfifo(folder / "pipe.png")
    run = server.out / "girl"  # as the command line leaves it beside the app's own
    run.mkdir(parents=True)
    (run / "artwork.png").write_bytes(ARTWORK.read_bytes())
    there = [private, folder / "pipe.png", folder, run / "artwork.png", ARTWORK]
    return [*map(str, there), str(folder / "missing.png"), "/dev/zero", "/dev/stdin", "/etc/passwd", "/proc/self/mem"]


def shapes(path: str) -> list[Any]:
    """The ways in which a program may name a file."""
    return [{"path": path}, {"path": path, "url": path}, {"path": path, "meta": {"_type": "other"}}]


def test_no_endpoint_opens_a_file_that_was_not_uploaded(server: Server, foreign: list[str]) -> None:
    answers = set()
    for path in foreign:
        for named in shapes(path):
            answers.add(server.called("generate_prompt", named))
            answers.add(server.called("generate_keyframes", named, *SETTINGS))
    assert len(answers) == 1 and REFUSED in answers.pop(), "one sentence, whatever is there"
    assert server.engine.steps_done == 0
    assert [each.name for each in server.out.iterdir()] == ["girl"], "and nothing of it became a run"


def test_nor_when_gradio_is_told_that_it_was(server: Server, foreign: list[str]) -> None:
    for path in foreign:
        named = {"path": path, "meta": {"_type": "gradio.FileData"}}
        for answer in (server.called("generate_prompt", named), server.called("generate_keyframes", named, *SETTINGS)):
            assert answer.startswith("event: error"), path
        for endpoint, values in (("generate_prompt", ()), ("generate_keyframes", SETTINGS)):
            assert "1girl, solo" not in server.run_directly(endpoint, named, *values)
    assert server.engine.steps_done == 0 and [each.name for each in server.out.iterdir()] == ["girl"]


def test_nor_does_the_page(server: Server, foreign: list[str]) -> None:
    settings = {"width": 64, "height": 64, "sampling_steps": 1, "operation_steps": [400]}
    run = server.asked("open", artwork=server.upload(ARTWORK.read_bytes()), settings=settings)["result"]
    said = {code: sentence_in(code, Sentence(REFUSED)) for code in LANGUAGES}
    for path in [*foreign, f"{foreign[2]}/../private.png", "\0", "x" * 5000, "https://example.org/a.png", 7, [1], {}]:
        for told in (
            server.asked("open", artwork=path),
            server.asked("press", step="prompt", run_id=None, artwork=path, settings=settings),
            server.asked("replace_keyframe", run_id=run, step=400, picture=path),
            server.asked("restore", path=path),
        ):
            assert told == {"error": REFUSED, "said": said}, path
    assert sorted(each.name for each in server.out.iterdir()) == sorted(["girl", run])


def test_an_uploaded_picture_is_opened_by_every_door(server: Server) -> None:
    named = {"path": server.upload(ARTWORK.read_bytes()), "meta": {"_type": "gradio.FileData"}}
    assert "1girl, solo" in server.called("generate_prompt", named)
    drawn = server.called("generate_keyframes", named, *SETTINGS)
    (shown,) = json.loads(drawn.removeprefix("event: complete\ndata: "))[0]
    assert server.client.get(shown["image"]["url"]).status_code == 200, "what was drawn can be fetched"
    assert "result" in server.asked("open", artwork=named["path"])


def test_a_run_of_the_command_line_is_not_served(server: Server, foreign: list[str]) -> None:
    """Also not by the address that gradio itself would take."""
    run = server.out / "girl"
    for named in (
        "runs/girl/artwork.png",
        f"{run}/artwork.png",
        f"{run.parent}/x/../girl/artwork.png",
        f"/{run}/artwork.png",
    ):
        for route in ("file=", "file/"):
            answer = server.client.get(f"/gradio_api/{route}{named}")
            assert answer.status_code in (403, 404) and "PNG" not in answer.text, named


def test_links_out_of_the_uploads_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "link.png").symlink_to(ARTWORK)
    (tmp_path / "uploads" / "circle.png").symlink_to("circle.png")
    for name in ("link.png", "circle.png", "missing.png", "."):
        with pytest.raises(InputError, match=REFUSED):
            uploaded(str(tmp_path / "uploads" / name))


# Room for pictures


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come")


def test_pictures_beyond_the_room_wait_their_turn() -> None:
    room, held, most = Room(pixels=100, waiting=50, wait_s=20), 0, 0
    guard = threading.Lock()

    def read(pixels: int) -> None:
        nonlocal held, most
        with room.taken(pixels):
            with guard:
                held += min(pixels, 100)
                most = max(most, held)
            time.sleep(0.01)
            with guard:
                held -= min(pixels, 100)

    readers = [threading.Thread(target=read, args=(pixels,)) for pixels in [60, 30, 500, 10, 100, 45] * 4]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert held == 0 and 60 < most <= 100


def test_who_waits_too_long_or_as_one_too_many_is_told() -> None:
    room = Room(pixels=10, waiting=1, wait_s=0.3)
    told: list[str] = []

    def ask() -> None:
        try:
            with room.taken(5):
                told.append("served")
        except InputError as error:
            told.append(str(error))

    with room.taken(10):
        first = threading.Thread(target=ask)
        first.start()
        until(lambda: room._places._value == 0)
        ask()
        assert told == ["other large pictures are being read just now; try again in a minute"], "at once"
        first.join()
        assert told == ["other large pictures are being read just now; try again in a minute"] * 2, "after a while"
    ask()
    assert told[-1] == "served"


def test_a_picture_takes_its_room_and_gives_it_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    room = Room(pixels=100_000)
    monkeypatch.setattr(uploads, "_room", room)
    Image.fromarray(np.zeros((100, 200, 3), np.uint8)).save(tmp_path / "a.png")
    size = (tmp_path / "a.png").stat().st_size
    with picture_of(tmp_path / "a.png") as picture:
        assert picture.shape == (100, 200, 3) and room._free == 100_000 - 20_000 - round(size / 4)
    (tmp_path / "torn.png").write_bytes((tmp_path / "a.png").read_bytes()[:60])
    with pytest.raises(InputError, match="the uploaded file is damaged"), picture_of(tmp_path / "torn.png"):
        pass
    assert room._free == 100_000
