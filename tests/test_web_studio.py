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


@pytest.fixture(scope="module")
def still(tmp_path_factory) -> tuple[StudioDesk, str]:
    """A desk with one finished run, for what must not change anything."""
    desk = StudioDesk(tmp_path_factory.mktemp("still"))
    return desk, desk.finished()


def test_three_buttons(desk, tmp_path):
    Image.fromarray(ARTWORK).save(tmp_path / "my cat.png")
    run = desk.open(tmp_path / "my cat.png", {**SMALL, "prompt": ""})
    view = desk.view(run)
    assert view["state"] == "idle" and view["message"] == {"key": "opened", "values": {}} and view["title"] == "my cat"
    assert states(view, "keyframes") == ["missing"] * 3 and states(view, "segments") == ["missing"] * 4
    assert view["frames"] == [] and view["video"] is None and view["job"] is None and view["preview"] is None

    view = desk.done("generate_prompt", run)
    assert view["settings"]["prompt"] == "1girl, solo, 128 wide"
    assert view["message"]["key"] == "prompt_written" and view["state"] == "idle"

    view = desk.done("generate_keyframes", run)
    assert states(view, "keyframes") == ["ready"] * 3 and view["state"] == "idle"
    assert view["message"] == {"key": "keyframes_ready", "values": {"count": 3}}
    assert [(k["step"], read_picture(k["path"])[0, 0, 0]) for k in view["keyframes"]] == [
        (step, 12345 % 256) for step in (400, 800, 999)
    ]

    view = desk.done("generate_video", run)
    assert view["state"] == "finished" and view["message"] == {"key": "video_ready", "values": {"frames": 60}}
    assert states(view, "segments") == ["ready"] * 4 and Path(view["video"]).stat().st_size > 1000
    brightness = [read_picture(path).mean() for path in view["frames"]]
    assert len(brightness) == 60 and brightness[0] > brightness[-1]  # from the white canvas to the artwork
    assert json.loads(json.dumps(view)) == view
    assert [file.name for file in desk.frame_files(run)][::59] == ["00000.png", "00059.png"]
    (listed,) = desk.runs()
    assert listed["seed"] == view["settings"]["seed"]
    assert listed["drawn"] == [keyframe["path"] for keyframe in reversed(view["keyframes"])]
    assert listed["run"] == run and listed["frame_count"] == 60 and Path(listed["thumbnail"]).exists()

    for prompt, settled in (("", "1girl, solo, 128 wide"), ("mine", "mine")):  # the one button
        view = desk.done("generate_all", desk.open(ARTWORK, {**SMALL, "prompt": prompt}))
        assert view["settings"]["prompt"] == settled and view["state"] == "finished"


def test_what_is_drawn_is_not_paid_for_twice(desk):
    run = desk.finished()
    done, began = desk.engine.steps_done, time.perf_counter()
    assert desk.done("generate_keyframes", run)["message"]["key"] == "keyframes_ready"
    assert time.perf_counter() - began < 0.3
    frames = desk.done("generate_video", run)["frames"]
    desk.set_settings(run, prompt="1boy", seed=5)
    desk.set_settings(run, prompt="1girl", seed=12345)
    view = desk.done("generate_video", run)
    assert view["state"] == "finished" and view["frames"] == frames and desk.engine.steps_done == done


@pytest.mark.parametrize(
    ("edit", "keyframes", "segments"),
    [
        (lambda desk, run: desk.reroll_keyframe(run, 800, 7), (800,), [1, 2]),
        (lambda desk, run: desk.add_keyframe(run, 600), (600,), [1, 2]),
        (lambda desk, run: desk.delete_keyframe(run, 800), (), [1]),
        (lambda desk, run: desk.replace_keyframe(run, 800, 255 - ARTWORK), (), [1, 2]),
        (lambda desk, run: desk.redo_segment(run, 3, 77), (), [3]),
        (lambda desk, run: desk.set_settings(run, operation_steps=[400, 900, 999]), (900,), [1, 2]),
        (lambda desk, run: desk.set_settings(run, video_guidance_scale=2.0), (), [0, 1, 2, 3]),
        (lambda desk, run: desk.set_settings(run, prompt="1boy"), (400, 800, 999), [0, 1, 2, 3]),
        (lambda desk, run: desk.set_settings(run, fps=12), (), []),
    ],
)
def test_an_edit_costs_what_it_touches(desk, edit, keyframes, segments):
    run = desk.finished()
    before = desk.version(run)
    edit(desk, run)
    view = desk.view(run)
    assert view["version"] > before and view["state"] == "idle" and view["video"] is None
    assert [k["step"] for k in view["keyframes"] if k["state"] == "missing"] == list(keyframes)
    assert [s["index"] for s in view["segments"] if s["state"] == "missing"] == segments
    assert len(view["frames"]) == 15 * (len(view["segments"]) - len(segments))
    view = desk.done("generate_video", run)
    assert view["state"] == "finished" and len(view["frames"]) == 15 * len(view["segments"])
    assert desk.engine.keyframes_drawn == keyframes and desk.engine.segments_drawn == segments
    drawn = [keyframe for keyframe in view["keyframes"] if not keyframe["own"]]
    assert [read_picture(k["path"])[0, 0, 0] for k in drawn] == [k["seed"] % 256 for k in drawn], "each by its own seed"


def test_a_locked_keyframe_keeps_its_picture(desk):
    run = desk.finished()
    desk.lock_keyframe(run, 800, True)
    assert desk.view(run)["state"] == "finished" or states(desk.view(run), "segments") == ["ready"] * 4
    path = desk.view(run)["keyframes"][1]["path"]
    desk.set_settings(run, prompt="1boy")
    desk.reroll_all(run, 9)
    view = desk.view(run)
    assert [(k["locked"], k["state"], k["seed"]) for k in view["keyframes"]] == [
        (False, "missing", 9),
        (True, "ready", 12345),
        (False, "missing", 9),
    ]
    with pytest.raises(InputError, match="is locked"):
        desk.reroll_keyframe(run, 800)
    assert desk.done("generate_video", run)["keyframes"][1]["path"] == path
    desk.lock_keyframe(run, 800, False)
    assert desk.view(run)["keyframes"][1]["state"] == "missing"


def test_a_picture_of_ones_own(desk):
    run = desk.finished()
    own = np.random.default_rng(1).integers(0, 256, (200, 100, 3), dtype=np.uint8)
    desk.replace_keyframe(run, 800, own)
    view = desk.view(run)
    assert view["message"] == {
        "key": "keyframe_fitted",
        "values": {"step": 800, "from_width": 100, "from_height": 200, "width": 128, "height": 192},
    }
    assert view["keyframes"][1]["own"] and np.array_equal(read_picture(view["keyframes"][1]["path"]), own)
    assert desk.done("generate_video", run)["state"] == "finished"
    desk.replace_keyframe(run, 999, np.full((192, 128, 3), 9, np.uint8))
    assert desk.view(run)["message"]["key"] == "keyframe_replaced"
    desk.reroll_keyframe(run, 800)  # gives way to a drawn one
    assert not desk.view(run)["keyframes"][1]["own"]


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
    view = desk.done("generate_video", run)
    (whole,) = view["keyframes"]
    assert read_picture(whole["path"]).shape == (256, 512, 3)
    assert desk.runs()[0]["drawn"] == [whole["path"]]
    for path in (*view["frames"], *map(str, desk.frame_files(run))):
        assert read_picture(path).shape == (32, 64, 3)
    branch = desk.branch(run, 500)
    assert read_picture(desk.view(branch)["artwork"]).shape == (256, 512, 3)
    desk.set_settings(run, fit="crop")
    assert states(desk.view(run), "keyframes") == ["missing"], "a cut keyframe is another picture"
    view = desk.done("generate_video", run)
    assert read_picture(view["keyframes"][0]["path"]).shape == (640, 512, 3)
    desk.set_settings(run, fit="pad")
    assert desk.view(run)["keyframes"] == [whole], "what was drawn before is there still"
    assert desk.view(desk.open(wide))["settings"]["fit"] == "pad"


def test_a_picture_of_ones_own_for_a_whole_picture(desk):
    run = desk.open(np.zeros((100, 200, 3), np.uint8), {**SMALL, "size": "family", "fit": "pad"})
    desk.replace_keyframe(run, 800, np.full((256, 512, 3), 7, np.uint8))
    assert desk.view(run)["message"]["key"] == "keyframe_replaced", "the shape in which keyframes are shown"
    desk.replace_keyframe(run, 800, np.full((300, 300, 3), 7, np.uint8))
    said = desk.view(run)["message"]
    assert said["key"] == "keyframe_fitted" and (said["values"]["width"], said["values"]["height"]) == (512, 256)
    assert desk.done("generate_video", run)["state"] == "finished"


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
    assert view["settings"]["sampling_steps"] == 50 and view["settings"]["prompt"] == "1girl"
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
    assert desk.done("generate_video", branch)["state"] == "finished"
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
    view = desk.done("generate_video", run)
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
    shown = again.done("generate_video", other)
    assert {**shown["settings"]} == view["settings"]
    for first, second in zip(view["frames"], shown["frames"], strict=True):
        assert Path(first).read_bytes() == Path(second).read_bytes()


# Jobs


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sampling_steps": 0}, "sampling steps is 0; use a whole number from 1 to 100"),
        ({"video_sampling_steps": "50"}, "video sampling steps is '50'"),
        ({"operation_steps": [5] * 2000}, "operation step 5 is given 2000 times"),
        ({"operation_steps": list(range(1000))}, "there are 1000 keyframes; use at most 32"),
        ({"prompt": "a" * 1_000_000}, "prompt has 1,000,000 characters"),
        ({"magic": 1}, "there is no setting 'magic'"),
        ({"width": 500}, "width is 500"),
        ({"width": 4096, "height": 4096}, "width is 4096; use at most 1024"),
        ({"size": "huge"}, "size is 'huge'"),
        ({"timeline": {"keyframes": []}}, "this timeline is not of this version"),
    ],
)
def test_impossible_settings(still, changes, said):
    desk, run = still
    before = desk.view(run)
    with pytest.raises(InputError, match=said):
        desk.set_settings(run, **changes)
    with pytest.raises(InputError):
        desk.open(ARTWORK, changes)
    assert desk.view(run) == before
    assert desk.engine.keyframes_drawn == () and len(desk.runs()) == 1


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda desk, run: desk.add_keyframe(run, 400), "there is a keyframe at operation step 400 already"),
        (lambda desk, run: desk.add_keyframe(run, 1000), "operation step is 1000"),
        (lambda desk, run: desk.add_keyframe(run, "x"), "operation step is 'x'"),
        (lambda desk, run: desk.delete_keyframe(run, 5), "there is no keyframe at operation step 5"),
        (lambda desk, run: desk.reroll_keyframe(run, 400, -5), "seed is -5"),
        (lambda desk, run: desk.redo_segment(run, 9), "segment is 9; use a whole number from 0 to 3"),
        (lambda desk, run: desk.redo_segment(run, None), "segment is None"),
        (lambda desk, run: desk.lock_keyframe(run, 400, "no"), "locked is 'no'"),
        (lambda desk, run: desk.replace_keyframe(run, 400, None), "there is no picture yet"),
        (lambda desk, run: desk.replace_keyframe(run, 400, "/etc/hostname"), "was not uploaded here"),
        (lambda desk, run: desk.replace_keyframe(run, 400, np.zeros((9, 900, 3), np.uint8)), "too"),
        (lambda desk, run: desk.recipe(run, ["draft"]), "there is no recipe"),
        (lambda desk, run: desk.operations(run), "no video yet"),  # networks have none
        (lambda desk, run: desk.canvases(run, 5), "no video yet"),
        (lambda desk, run: desk.open("/nowhere/a.png"), "was not uploaded here"),
        (lambda desk, run: desk.open(ARTWORK, "settings"), "settings are"),
    ],
)
def test_impossible_edits(still, edit, said):
    desk, run = still
    before = desk.view(run)
    with pytest.raises(InputError, match=said):
        edit(desk, run)
    assert desk.view(run) == before and len(desk.runs()) == 1


def test_what_is_at_stake_is_counted_and_nothing_changed(desk):
    run = desk.finished(operation_steps=[400, 900])
    before = desk.view(run)
    assert desk.at_stake(run, "coarse_sketches") == {"keyframes": 1, "segments": 3}
    for settings, keyframes, segments in (
        ({"operation_steps": [400, 600, 900]}, 0, 1),
        ({"operation_steps": [400]}, 1, 2),
        ({"seed": 7}, 2, 3),
        ({"size": "family"}, 2, 3),
        ({"prompt": "another"}, 2, 3),
        ({"video_seed": 7}, 0, 3),
        ({"fps": 12, "mark": True}, 0, 0),
        (dict(before["settings"]), 0, 0),
    ):
        assert desk.at_stake(run, settings=settings) == {"keyframes": keyframes, "segments": segments}, settings
    assert desk.view(run) == before
    desk.lock_keyframe(run, 400, True)
    assert desk.at_stake(run, settings={"seed": 7})["keyframes"] == 1
    with pytest.raises(InputError, match="there is no recipe"):
        desk.at_stake(run, "magic")
    with pytest.raises(InputError, match="not there"):
        desk.studio.at_stake(OTHER, run, "draft")


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


def test_what_is_undone_is_drawn_already(desk):
    run = desk.finished()
    video = Path(desk.view(run)["video"]).read_bytes()
    desk.edit(run, "lock_keyframe", 800, locked=True)
    assert desk.view(run)["state"] == "finished", "a lock changes no picture"
    desk.take_back(run)
    desk.edit(run, "delete_keyframe", 800)
    assert desk.view(run)["state"] == "idle" and desk.view(run)["undoable"] == 1
    desk.take_back(run)
    view = desk.view(run)
    assert view["state"] == "finished" and Path(view["video"]).read_bytes() == video, "the video is that of then"
    assert states(view, "keyframes") == ["ready"] * 3 and states(view, "segments") == ["ready"] * 4
    desk.take_back(run, again=True)
    view = desk.done("generate_video", run)
    assert len(view["keyframes"]) == 2
    desk.take_back(run)
    view = desk.view(run)
    assert view["state"] == "idle", "the video has been made anew since"
    assert states(view, "keyframes") == ["ready"] * 3 and states(view, "segments") == ["ready"] * 4
