"""No request opens a file of this computer that was not uploaded, and pictures are read with room for them."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from running_app import GIRL, RunningApp, until

from paints_undo.errors import InputError, Sentence
from paints_undo.web import uploads
from paints_undo.web.uploads import Room, picture_of, uploaded
from paints_undo.words.languages import LANGUAGES, sentence_in

REFUSED = "this file was not uploaded here; choose it again"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApp]:
    with RunningApp(tmp_path_factory.mktemp("uploads") / "runs") as running:
        yield running


SETTINGS = ("1girl", "", [400], 1, 256, 320, 1, 3.0)


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory, server: RunningApp) -> list[str]:
    """Files of this computer that are there, are none, or never end; none was uploaded."""
    folder = tmp_path_factory.mktemp("home of somebody")
    private = folder / "private.png"
    private.write_bytes(GIRL.read_bytes())
    os.mkfifo(folder / "pipe.png")
    run = server.out / "girl"  # as the command line leaves it beside the app's own
    run.mkdir(parents=True)
    (run / "artwork.png").write_bytes(GIRL.read_bytes())
    there = [private, folder / "pipe.png", folder, run / "artwork.png", GIRL]
    return [*map(str, there), str(folder / "missing.png"), "/dev/zero", "/dev/stdin", "/etc/passwd", "/proc/self/mem"]


def named_as(path: str) -> list[Any]:
    """The ways in which a program may name a file; the last one says that it was uploaded."""
    kinds: list[dict[str, Any]] = [
        {},
        {"url": path},
        {"meta": {"_type": "other"}},
        {"meta": {"_type": "gradio.FileData"}},
    ]
    return [{"path": path, **more} for more in kinds]


def test_no_endpoint_opens_a_file_that_was_not_uploaded(server: RunningApp, foreign: list[str]) -> None:
    answers = set()
    for path in foreign:
        *unsaid, said = named_as(path)
        for endpoint, values in (("generate_prompt", ()), ("generate_keyframes", SETTINGS)):
            answers |= {server.called(endpoint, named, *values) for named in unsaid}
            assert server.called(endpoint, said, *values).startswith("event: error"), path
            direct = server.client.post(f"/gradio_api/run/{endpoint}", json={"data": [said, *values]})
            assert "1girl, solo" not in direct.text
    assert len(answers) == 1 and REFUSED in answers.pop(), "one sentence, whatever is there"
    assert server.engine.steps_done == 0
    assert [each.name for each in server.out.iterdir()] == ["girl"], "and nothing of it became a run"


def test_nor_does_the_page(server: RunningApp, foreign: list[str]) -> None:
    settings = {"width": 64, "height": 64, "sampling_steps": 1, "operation_steps": [400]}
    run = server.ask("open", artwork=server.upload(), settings=settings)["result"]
    said = {code: sentence_in(code, Sentence(REFUSED)) for code in LANGUAGES}
    for path in [*foreign, f"{foreign[2]}/../private.png", "\0", "x" * 5000, "https://example.org/a.png", 7, [1], {}]:
        for told in (
            server.ask("open", artwork=path),
            server.ask("press", step="prompt", run_id=None, artwork=path, settings=settings),
            server.ask("replace_keyframe", run_id=run, step=400, picture=path),
            server.ask("look_into", path=path),
        ):
            assert told == {"error": REFUSED, "said": said}, path
    assert sorted(each.name for each in server.out.iterdir()) == sorted(["girl", run])


def test_an_uploaded_picture_is_opened_by_every_door(server: RunningApp) -> None:
    named = server.named()
    assert "1girl, solo" in server.called("generate_prompt", named)
    drawn = server.called("generate_keyframes", named, *SETTINGS)
    (shown,) = json.loads(drawn.removeprefix("event: complete\ndata: "))[0]
    assert server.client.get(shown["image"]["url"]).status_code == 200, "what was drawn can be fetched"
    assert "result" in server.ask("open", artwork=named["path"])


def test_a_run_of_the_command_line_is_not_served(server: RunningApp, foreign: list[str]) -> None:
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
    (tmp_path / "uploads" / "link.png").symlink_to(GIRL)
    (tmp_path / "uploads" / "circle.png").symlink_to("circle.png")
    for name in ("link.png", "circle.png", "missing.png", "."):
        with pytest.raises(InputError, match=REFUSED):
            uploaded(str(tmp_path / "uploads" / name))


# Room for pictures


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
        until(lambda: len(room._line) == 1)
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
