"""The studio: runs and edits of visitors, through the methods that the page calls."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from studio_desk import ARTWORK, OTHER, SMALL, StudioDesk, states

from paints_undo.errors import InputError
from paints_undo.pictures.pixels import read_picture


@pytest.fixture
def desk(tmp_path, monkeypatch) -> StudioDesk:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))  # as if what lies there had been uploaded
    return StudioDesk(tmp_path / "runs")


def test_three_buttons(desk, tmp_path):
    Image.fromarray(ARTWORK).save(tmp_path / "my cat.png")
    run = desk.open(tmp_path / "my cat.png", {**SMALL, "prompt": ""})
    view = desk.view(run)
    assert view["state"] == "idle" and view["message"] == {"key": "opened", "values": {}} and view["title"] == "my cat"
    assert states(view, "keyframes") == ["missing"] * 3 and states(view, "segments") == ["missing"] * 4
    assert view["frames"] == [] and view["video"] is None and view["job"] is None and view["preview"] is None

    view = desk.done("prompt", run)
    assert view["settings"]["prompt"] == "1girl, solo, 128 wide"
    assert view["message"]["key"] == "prompt_written" and view["state"] == "idle"

    view = desk.done("keyframes", run)
    with pytest.raises(InputError, match="this run has no video yet"):
        desk.frame_files(run)
    assert states(view, "keyframes") == ["ready"] * 3 and view["state"] == "idle"
    assert view["message"] == {"key": "keyframes_ready", "values": {"count": 3}}
    assert [(k["step"], read_picture(k["path"])[0, 0, 0]) for k in view["keyframes"]] == [
        (step, 12345 % 256) for step in (400, 800, 999)
    ]

    view = desk.done("video", run)
    assert view["state"] == "finished" and view["message"] == {"key": "video_ready", "values": {"frames": 60}}
    assert states(view, "segments") == ["ready"] * 4 and Path(view["video"]).stat().st_size > 1000
    brightness = [read_picture(path).mean() for path in view["frames"]]
    assert len(brightness) == 60 and brightness[0] > brightness[-1]  # from the white canvas to the artwork
    assert json.loads(json.dumps(view)) == view
    frames = desk.frame_files(run)
    assert [file.name for file in frames][::59] == ["00000.png", "00059.png"]
    written = frames[0].stat().st_mtime_ns
    assert desk.frame_files(run)[0].stat().st_mtime_ns == written
    (listed,) = desk.runs()
    assert listed["seed"] == view["settings"]["seed"]
    assert listed["drawn"] == [keyframe["path"] for keyframe in reversed(view["keyframes"])]
    assert listed["run"] == run and listed["frame_count"] == 60 and Path(listed["thumbnail"]).exists()

    for prompt, settled in (("", "1girl, solo, 128 wide"), ("mine", "mine")):  # the one button
        view = desk.done("all", desk.open(ARTWORK, {**SMALL, "prompt": prompt}))
        assert view["settings"]["prompt"] == settled and view["state"] == "finished"


def test_what_is_drawn_is_not_paid_for_twice(desk):
    run = desk.finished()
    done, began = desk.engine.steps_done, time.perf_counter()
    assert desk.done("keyframes", run)["message"]["key"] == "keyframes_ready"
    assert time.perf_counter() - began < 0.3
    frames = desk.done("video", run)["frames"]
    desk.set_settings(run, prompt="1boy", seed=5)
    desk.set_settings(run, prompt="1girl", seed=12345)
    view = desk.done("video", run)
    assert view["state"] == "finished" and view["frames"] == frames and desk.engine.steps_done == done


# Size, recipes, branches, history


@pytest.mark.parametrize(
    ("settings", "shape", "size"),
    [
        ({}, (640, 512), (512, 640)),
        ({}, (500, 1000), (832, 384)),
        ({"size": "family"}, (500, 1000), (512, 640)),
        ({"width": 256, "height": 320}, (500, 1000), (256, 320)),
    ],
)
def test_size_from_the_pictures_shape(desk, settings, shape, size):
    run = desk.open(np.zeros((*shape, 3), np.uint8), settings)
    found = desk.view(run)["settings"]
    assert (found["width"], found["height"]) == size


def test_the_whole_picture_or_the_original_cut(desk):
    wide = np.random.default_rng(1).integers(0, 256, (100, 200, 3), np.uint8)
    run = desk.open(wide, {**SMALL, "size": "family", "fit": "pad", "operation_steps": [500]})
    view = desk.done("video", run)
    (whole,) = view["keyframes"]
    assert read_picture(whole["path"]).shape == (256, 512, 3)
    assert desk.runs()[0]["drawn"] == [whole["path"]]
    for path in (*view["frames"], *map(str, desk.frame_files(run))):
        assert read_picture(path).shape == (32, 64, 3)
    branch = desk.branch(run, 500)
    assert read_picture(desk.view(branch)["artwork"]).shape == (256, 512, 3)
    desk.set_settings(run, fit="crop")
    assert states(desk.view(run), "keyframes") == ["missing"], "a cut keyframe is another picture"
    view = desk.done("video", run)
    assert read_picture(view["keyframes"][0]["path"]).shape == (640, 512, 3)
    desk.set_settings(run, fit="pad")
    assert desk.view(run)["keyframes"] == [whole], "what was drawn before is there still"
    assert desk.view(desk.open(wide))["settings"]["fit"] == "pad"


def test_recipes(desk):
    run = desk.new()
    assert desk.recipe(run, "coarse_sketches") == [run]
    assert [k["step"] for k in desk.view(run)["keyframes"]] == [900, 925, 950, 975]
    for key in ("recipe_applied", "recipe_changes_nothing"):
        desk.recipe(run, "draft")
        assert desk.view(run)["message"] == {"key": key, "values": {"name": "draft"}}
    settings = desk.view(run)["settings"]
    assert settings["sampling_steps"] == settings["video_sampling_steps"] == 12
    desk.recipe(run, "defaults")
    view = desk.view(run)
    assert [k["step"] for k in view["keyframes"]] == [400, 600, 800, 900, 950, 999]
    assert view["settings"]["sampling_steps"] == 50
    assert (view["settings"]["prompt"], view["settings"]["width"]) == ("1girl", 128), "these stay"
    assert view["message"] == {"key": "recipe_applied", "values": {"name": "defaults"}}
    runs = desk.recipe(run, "many")
    assert [desk.view(each)["settings"]["seed"] for each in runs] == [12345, 12346, 12347, 12348]
    assert [desk.view(each)["parent"] for each in runs] == [None, run, run, run]
    with pytest.raises(InputError, match="there is no recipe 'magic'"):
        desk.recipe(run, "magic")


def test_branch_duplicate_delete(desk):
    run = desk.finished()
    branch = desk.branch(run, 800, seed=5)
    view = desk.view(branch)
    assert view["parent"] == run and view["settings"]["seed"] == 5
    picture = read_picture(desk.view(run)["keyframes"][1]["path"])
    assert np.array_equal(read_picture(view["artwork"]), picture)
    assert desk.done("video", branch)["state"] == "finished"
    copy = desk.duplicate(run)
    assert desk.view(copy)["frames"] and desk.view(copy)["state"] == "finished"
    desk.delete(run)
    with pytest.raises(InputError, match="this run is not there"):
        desk.view(run)
    assert [each["run"] for each in desk.runs()] == [copy, branch]
    assert sorted(path.name for path in desk.out.iterdir()) == sorted([branch, copy])
    desk.reroll_keyframe(copy, 400)
    with pytest.raises(InputError, match="the keyframe at operation step 400 is not drawn yet"):
        desk.branch(copy, 400)


def test_everything_comes_back_from_its_files(desk, tmp_path):
    run = desk.finished(negative_prompt="low; = quality \\ 絵", seed=77)
    desk.reroll_keyframe(run, 800, 5)
    view = desk.done("video", run)
    frames = desk.frame_files(run)
    for path, piece in (
        (view["video"], "timelapse"),
        (view["artwork"], "artwork"),
        (view["keyframes"][1]["path"], "keyframe"),
        (frames[0], "frame"),
        (desk.out / run / "run.json", "run"),
    ):
        copied = shutil.copy(path, tmp_path / "dropped")  # a name that says nothing
        found, seen = desk.restore(copied), desk.look_into(copied)
        assert (seen["picture"], seen["piece"], seen["run"]) == (Path(path).suffix == ".png", piece, run)
        assert desk.studio.look_into(OTHER, copied)["run"] is None
        assert (found["run"], found["piece"]) == (run, piece)
        assert found["settings"]["negative_prompt"] == "low; = quality \\ 絵"
        assert desk.studio.restore(OTHER, copied)["run"] is None
    assert desk.restore(view["video"])["settings"] == view["settings"]
    again = StudioDesk(tmp_path / "elsewhere", OTHER)
    other = again.open(view["artwork"], again.restore(view["video"])["settings"])
    shown = again.done("video", other)
    assert {**shown["settings"]} == view["settings"]
    for first, second in zip(view["frames"], shown["frames"], strict=True):
        assert Path(first).read_bytes() == Path(second).read_bytes()


def test_a_file_is_taken_for_what_is_in_it(desk, tmp_path):
    for name in ("a.png", "a.jpg", "a.webp", "a.gif"):
        Image.fromarray(ARTWORK).save(tmp_path / name)
        assert desk.look_into(tmp_path / name) == {"picture": True}
    Image.fromarray(ARTWORK[:1, :1]).save(tmp_path / "one.png")
    for name, content, said in (
        ("cut", (tmp_path / "a.png").read_bytes()[:3000], "is damaged or incomplete"),
        ("one", (tmp_path / "one.png").read_bytes(), r"is too small \(1 x 1 pixels"),
        ("pdf", b"%PDF-1.7 and more", "is a PDF, which is not read"),
        ("text", b"hello", "is not a readable picture"),
        ("empty", b"", "is empty"),
        ("json", b'{"format": 1}', "settings in this file are"),
        ("video", b"\0\0\0\x18ftypisom" + bytes(40), "holds no settings"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=said):
            desk.look_into(tmp_path / name)
