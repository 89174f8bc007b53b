"""The studio: runs, edits and work of visitors, through the methods that the page calls."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine
from PIL import Image

from paints_undo.errors import CheckpointError, InputError
from paints_undo.images import read_picture
from paints_undo.web.engine import Engine
from paints_undo.web.studio import Studio

ME, OTHER = "visitor-one-secret", "visitor-two-secret"
SMALL = {"sampling_steps": 3, "video_sampling_steps": 3, "operation_steps": [400, 800, 999], "prompt": "1girl"}
SMALL |= {"width": 128, "height": 192}
ARTWORK = np.random.default_rng(0).integers(0, 256, (160, 128, 3), dtype=np.uint8)


class Desk:
    """A studio with its fake engine, and one visitor at it."""

    def __init__(self, out: Path, visitor: str = ME, engine: FakeEngine | None = None) -> None:
        self.engine = engine or FakeEngine()
        self.out = out
        self.studio = Studio(Engine(lambda: self.engine), out)
        self.visitor = visitor

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments, **options: getattr(self.studio, name)(self.visitor, *arguments, **options)

    def new(self, **settings: Any) -> str:
        return self.studio.open(self.visitor, ARTWORK, {**SMALL, **settings})

    def done(self, name: str, run: str) -> dict[str, Any]:
        """Start a job, wait for it, and return the view."""
        getattr(self, name)(run)
        assert self.wait(run, 30)
        return self.view(run)

    def finished(self, **settings: Any) -> str:
        run = self.new(**settings)
        assert self.done("generate_video", run)["state"] == "finished"
        self.engine.keyframes_drawn, self.engine.segments_drawn = (), []
        return run


@pytest.fixture
def desk(tmp_path) -> Desk:
    return Desk(tmp_path / "runs")


@pytest.fixture(scope="module")
def still(tmp_path_factory) -> tuple[Desk, str]:
    """A desk with one finished run, for what must not change anything."""
    desk = Desk(tmp_path_factory.mktemp("still"))
    return desk, desk.finished()


def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come")


def states(view: dict[str, Any], kind: str) -> list[str]:
    return [piece["state"] for piece in view[kind]]


# The way through


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


def test_what_is_drawn_is_not_paid_for_twice(desk):
    run = desk.finished()
    done, began = desk.engine.steps_done, time.perf_counter()
    assert desk.done("generate_keyframes", run)["message"]["key"] == "keyframes_ready"
    assert time.perf_counter() - began < 0.3
    assert desk.done("generate_video", run)["state"] == "finished"
    assert desk.engine.steps_done == done


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


def test_an_edit_taken_back_costs_nothing(desk):
    run = desk.finished()
    frames = desk.view(run)["frames"]
    desk.set_settings(run, prompt="1boy", seed=5)
    desk.set_settings(run, prompt="1girl", seed=12345)
    view = desk.done("generate_video", run)
    assert view["frames"] == frames and desk.engine.keyframes_drawn == () and desk.engine.segments_drawn == []


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


def test_recipes(desk):
    run = desk.new()
    assert desk.recipe(run, "coarse_sketches") == [run]
    assert [k["step"] for k in desk.view(run)["keyframes"]] == [900, 925, 950, 975]
    desk.recipe(run, "draft")
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
        copied = shutil.copy(path, tmp_path / "dropped")
        found = desk.restore(copied)
        assert (found["run"], found["piece"]) == (run, piece)
        assert found["settings"]["negative_prompt"] == "low; = quality \\ 絵"
        assert desk.studio.restore(OTHER, copied)["run"] is None
    assert desk.restore(view["video"])["settings"] == view["settings"]
    again = Desk(tmp_path / "elsewhere", OTHER)
    other = again.open(view["artwork"], again.restore(view["video"])["settings"])
    shown = again.done("generate_video", other)
    assert {**shown["settings"]} == view["settings"]
    for first, second in zip(view["frames"], shown["frames"], strict=True):
        assert Path(first).read_bytes() == Path(second).read_bytes()


# Jobs


def test_cancel_and_continue(tmp_path):
    desk = Desk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    run = desk.new(sampling_steps=2, video_sampling_steps=50)
    desk.generate_video(run)
    until(lambda: "drawing" in states(desk.view(run), "segments"))
    view = desk.view(run)
    assert view["state"] == "running" and view["job"]["stage"] == "segments" and Path(view["preview"]).exists()
    assert read_picture(view["preview"]).shape == (80, 64, 3)
    desk.cancel(run)
    began = time.perf_counter()
    assert desk.wait(run, 5) and time.perf_counter() - began < 1
    view = desk.view(run)
    assert (view["state"], view["message"]["key"]) == ("cancelled", "cancelled")
    assert states(view, "keyframes") == ["ready"] * 3 and view["preview"] is None
    kept = states(view, "segments").count("ready")
    desk.set_settings(run, fps=7)
    desk.engine.segments_drawn = []
    desk.engine.seconds_per_step = 0
    assert desk.done("generate_video", run)["state"] == "finished"
    assert len(desk.engine.segments_drawn) == 4 - kept
    assert desk.engine.keyframes_drawn == (400, 800, 999)


def test_pause_and_resume(tmp_path):
    desk = Desk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    run, second = desk.new(sampling_steps=20), desk.new(sampling_steps=1)
    desk.generate_keyframes(run)
    until(lambda: desk.engine.steps_done > 3)
    desk.pause(run)
    time.sleep(0.05)
    done = desk.engine.steps_done
    time.sleep(0.05)
    assert desk.engine.steps_done == done and desk.view(run)["state"] == "paused"
    desk.done("generate_keyframes", second)  # the paused one makes way
    assert desk.wait(run, 5)
    view = desk.view(run)
    assert view["state"] == "paused" and view["message"]["key"] == "paused" and view["job"] is None
    assert [each["run"] for each in desk.unfinished()] == [run]
    desk.resume(run)
    assert desk.wait(run, 30) and states(desk.view(run), "keyframes") == ["ready"] * 3
    assert desk.unfinished() == []


def test_a_restart_finds_unfinished_runs(tmp_path):
    desk = Desk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    run = desk.new(sampling_steps=1, video_sampling_steps=30)
    desk.generate_video(run)
    until(lambda: states(desk.view(run), "segments").count("ready") > 0)
    frozen = tmp_path.with_name("after the crash")
    shutil.copytree(tmp_path, frozen)  # the disk as a killed program would leave it
    desk.cancel(run)
    assert desk.wait(run, 5)

    after = Desk(frozen)
    view = after.view(run)
    assert (view["state"], view["message"]["key"], view["job"]) == ("paused", "unfinished", None)
    assert [each["run"] for each in after.unfinished()] == [run] and after.studio.unfinished(OTHER) == []
    kept = {s["index"]: s for s in view["segments"] if s["state"] == "ready"}
    files = {file: file.read_bytes() for file in frozen.rglob("*.npz")}
    assert after.engine.steps_done == 0  # offered, not started
    after.resume(run)
    assert after.wait(run, 30) and after.view(run)["state"] == "finished"
    assert after.engine.keyframes_drawn == ()
    assert sorted(after.engine.segments_drawn) == sorted({0, 1, 2, 3} - kept.keys())
    assert all(file.read_bytes() == content for file, content in files.items())


def test_visitors_do_not_see_each_other(desk):
    run = desk.finished()
    assert desk.studio.runs(OTHER) == []
    for ask in (
        lambda: desk.studio.view(OTHER, run),
        lambda: desk.studio.delete(OTHER, run),
        lambda: desk.studio.cancel(OTHER, run),
        lambda: desk.studio.generate_video(OTHER, run),
        lambda: desk.studio.view(ME, "../" + run),
        lambda: desk.studio.view(ME, None),
    ):
        with pytest.raises(InputError, match="this run is not there"):
            ask()
    for nobody in ("", None, 5, "x" * 500):
        with pytest.raises(InputError, match="this page has no secret"):
            desk.studio.view(nobody, run)
    assert ME not in "".join(file.read_text() for file in desk.out.rglob("*.json"))


# Bad input: one sentence, nothing lost, nothing computed


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sampling_steps": 0}, "sampling steps is 0; use a whole number from 1 to 100"),
        ({"sampling_steps": 101}, "sampling steps is 101"),
        ({"sampling_steps": 2.7}, "sampling steps is 2.7"),
        ({"sampling_steps": math.nan}, "sampling steps is nan"),
        ({"sampling_steps": None}, "sampling steps is None"),
        ({"video_sampling_steps": "50"}, "video sampling steps is '50'"),
        ({"operation_steps": [5] * 2000}, "operation step 5 is given 2000 times"),
        ({"operation_steps": list(range(1000))}, "there are 1000 keyframes; use at most 32"),
        ({"operation_steps": []}, "operation steps are empty"),
        ({"operation_steps": [400, 400]}, "operation step 400 is given 2 times"),
        ({"prompt": "a" * 1_000_000}, "prompt has 1,000,000 characters"),
        ({"seed": -1}, "seed is -1"),
        ({"fps": 0}, "fps is 0"),
        ({"long_prompt": "yes"}, "long prompt is 'yes'"),
        ({"magic": 1}, "there is no setting 'magic'"),
        ({"width": 500}, "width is 500"),
        ({"size": "huge"}, "size is 'huge'"),
        ({"timeline": {"keyframes": []}}, "this timeline is not of this version"),
        ({"timeline": 7}, "this timeline is not of this version"),
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
        (lambda desk, run: desk.replace_keyframe(run, 400, "/etc/hostname"), "is not a picture|not a readable|cannot"),
        (lambda desk, run: desk.replace_keyframe(run, 400, np.zeros((9, 900, 3), np.uint8)), "too"),
        (lambda desk, run: desk.recipe(run, ["draft"]), "there is no recipe"),
        (lambda desk, run: desk.open("/nowhere/a.png"), "cannot be read"),
        (lambda desk, run: desk.open(ARTWORK, "settings"), "settings are"),
    ],
)
def test_impossible_edits(still, edit, said):
    desk, run = still
    before = desk.view(run)
    with pytest.raises(InputError, match=said):
        edit(desk, run)
    assert desk.view(run) == before and len(desk.runs()) == 1


def test_fewer_than_one_keyframe(desk):
    run = desk.new(operation_steps=[500])
    with pytest.raises(InputError, match="the last keyframe cannot be deleted"):
        desk.delete_keyframe(run, 500)


def test_nothing_is_edited_under_a_job(tmp_path):
    desk = Desk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    run = desk.new(sampling_steps=50)
    desk.generate_keyframes(run)
    second_tab = Desk(tmp_path, engine=desk.engine)
    second_tab.studio = desk.studio
    for ask in (
        lambda: second_tab.redo_segment(run, 1),
        lambda: second_tab.reroll_keyframe(run, 400),
        lambda: second_tab.set_settings(run, fps=3),
        lambda: second_tab.replace_keyframe(run, 400, ARTWORK),
        lambda: second_tab.generate_video(run),
        lambda: second_tab.delete(run),
    ):
        with pytest.raises(InputError, match="this picture is being drawn"):
            ask()
    second_tab.cancel(run)
    assert desk.wait(run, 5) and desk.view(run)["state"] == "cancelled"


def test_a_folder_deleted_under_the_app(tmp_path):
    desk = Desk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    run, other = desk.new(sampling_steps=50), desk.new(sampling_steps=1)
    desk.generate_keyframes(run)
    until(lambda: desk.engine.steps_done > 2)
    (tmp_path / run).rename(tmp_path.with_name("gone"))
    done = desk.engine.steps_done
    view = desk.done("generate_keyframes", other)
    assert states(view, "keyframes") == ["ready"] * 3 and desk.engine.steps_done <= done + 2 + 3
    with pytest.raises(InputError, match="this run is not there"):
        desk.view(run)
    assert [each["run"] for each in desk.runs()] == [other] and not (tmp_path / run).exists()


@pytest.mark.parametrize(
    ("error", "key", "sentence"),
    [
        (MemoryError("too little memory; make the pictures smaller"), "failed", "too little memory"),
        (ValueError("a fault"), "internal_error", None),
    ],
)
def test_a_failure_says_so_and_the_next_job_works(tmp_path, error, key, sentence):
    desk = Desk(tmp_path, engine=FakeEngine(fail_with=error))
    run = desk.new()
    view = desk.done("generate_keyframes", run)
    assert (view["state"], view["message"]["key"]) == ("failed", key)
    assert sentence is None or sentence in view["message"]["values"]["sentence"]
    desk.engine.fail_with = None
    assert states(desk.done("generate_keyframes", run), "keyframes") == ["ready"] * 3


def test_other_weights_do_not_mix(desk):
    run = desk.finished()
    desk.engine.settings_of = lambda options: {"options": {}, "models": {"name": "other", "revision": ""}}
    with pytest.raises(InputError, match="this run was made with the model family fake, and this program works with"):
        desk.generate_video(run)


def test_without_weights(tmp_path):
    def missing():
        raise CheckpointError("there are no weights; download them")

    studio = Studio(Engine(missing), tmp_path)
    with pytest.raises(CheckpointError, match="there are no weights"):
        studio.open(ME, ARTWORK)
    assert studio.runs(ME) == []


def test_one_visitor_cannot_fill_the_queue(tmp_path):
    desk = Desk(tmp_path, engine=FakeEngine(seconds_per_step=0.01))
    runs = [desk.new(sampling_steps=100) for _ in range(17)]
    for run in runs[:16]:
        desk.generate_keyframes(run)
    assert desk.view(runs[3])["job"]["ahead"] == 3 and desk.view(runs[3])["state"] == "waiting"
    with pytest.raises(InputError, match="16 of your pictures"):
        desk.generate_keyframes(runs[16])
    for run in reversed(runs[:16]):
        desk.cancel(run)
    assert all(desk.wait(run, 5) for run in runs)


# Figures


def test_a_view_is_quick(desk):
    run = desk.finished(operation_steps=[400, 600, 800, 900, 950, 999])
    assert len(desk.view(run)["frames"]) == 105
    began = time.perf_counter()
    for _ in range(20):
        desk.view(run)
    assert (time.perf_counter() - began) / 20 < 0.020
