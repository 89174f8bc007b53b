"""An edit changes the record, says what it did, marks exactly what is to be drawn again, and can be taken back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from studio_desk import ARTWORK, OTHER, SMALL, StudioDesk, states

from paints_undo.errors import InputError
from paints_undo.pictures.pixels import read_picture
from paints_undo.run.edits import LARGEST_RANDOM_SEED
from paints_undo.run.timeline import Keyframe, Timeline
from paints_undo.web import edits
from paints_undo.web.history import CARD


@pytest.fixture
def desk(tmp_path: Path) -> StudioDesk:
    return StudioDesk(tmp_path / "runs")


@pytest.fixture(scope="module")
def still(tmp_path_factory) -> tuple[StudioDesk, str]:
    """A desk with one finished run, for what must not change anything."""
    desk = StudioDesk(tmp_path_factory.mktemp("still"))
    return desk, desk.finished()


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
    view = desk.done("video", run)
    assert view["state"] == "finished" and len(view["frames"]) == 15 * len(view["segments"])
    assert desk.engine.keyframes_drawn == keyframes and desk.engine.segments_drawn == segments
    drawn = [keyframe for keyframe in view["keyframes"] if not keyframe["own"]]
    assert [read_picture(k["path"])[0, 0, 0] for k in drawn] == [k["seed"] % 256 for k in drawn], "each by its own seed"


def test_random_seeds_are_told_and_kept(desk):
    run = desk.new()
    for edit, seed_of in (
        (lambda: desk.reroll_keyframe(run, 400), lambda view: view["keyframes"][0]["seed"]),
        (lambda: desk.reroll_all(run), lambda view: view["settings"]["seed"]),
        (lambda: desk.redo_segment(run, 2), lambda view: view["segments"][2]["seed"]),
    ):
        edit()
        view = desk.view(run)
        assert seed_of(view) == view["message"]["values"]["seed"] <= LARGEST_RANDOM_SEED
    assert StudioDesk(desk.out).view(run)["settings"] == view["settings"], "a program that starts later finds the same"


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
    for refused in (lambda: desk.reroll_keyframe(run, 800), lambda: desk.replace_keyframe(run, 800, ARTWORK)):
        with pytest.raises(InputError, match="is locked; unlock it first"):
            refused()
    assert desk.done("video", run)["keyframes"][1]["path"] == path
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
    assert desk.done("video", run)["state"] == "finished"
    desk.replace_keyframe(run, 999, np.full((192, 128, 3), 9, np.uint8))
    assert desk.view(run)["message"]["key"] == "keyframe_replaced"
    desk.reroll_keyframe(run, 800)  # gives way to a drawn one
    assert not desk.view(run)["keyframes"][1]["own"]


def test_a_picture_of_ones_own_for_a_whole_picture(desk):
    run = desk.open(np.zeros((100, 200, 3), np.uint8), {**SMALL, "size": "family", "fit": "pad"})
    desk.replace_keyframe(run, 800, np.full((256, 512, 3), 7, np.uint8))
    assert desk.view(run)["message"]["key"] == "keyframe_replaced", "the shape in which keyframes are shown"
    desk.replace_keyframe(run, 800, np.full((300, 300, 3), 7, np.uint8))
    said = desk.view(run)["message"]
    assert said["key"] == "keyframe_fitted" and (said["values"]["width"], said["values"]["height"]) == (512, 256)
    assert desk.done("video", run)["state"] == "finished"


def test_another_artwork_takes_over_no_picture():
    own = Timeline((Keyframe(400, 2, 3, own="ab" * 32, locked=True, drawn_with="ab"),), 1)
    (plain,) = edits.without_own_pictures(own).keyframes
    assert plain.redrawable and not plain.locked


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
    view = desk.done("video", run)
    assert len(view["keyframes"]) == 2
    desk.take_back(run)
    view = desk.view(run)
    assert view["state"] == "idle", "the video has been made anew since"
    assert states(view, "keyframes") == ["ready"] * 3 and states(view, "segments") == ["ready"] * 4


def test_edits_are_taken_back_and_done_again(desk, monkeypatch):
    run = desk.new()
    states_of_run = [desk.view(run)["settings"]]
    for edit in (lambda: desk.reroll_keyframe(run, 800, seed=7), lambda: desk.delete_keyframe(run, 400)):
        edit()
        states_of_run.append(desk.view(run)["settings"])
    for again, way in ((False, states_of_run[1::-1]), (True, states_of_run[1:])):
        for settings in way:
            desk.take_back(run, again=again)
            assert desk.view(run)["settings"] == settings
        assert desk.view(run)["message"]["key"] == ("redone" if again else "undone")
        with pytest.raises(InputError, match="nothing to undo"):
            desk.take_back(run, again=again)
    desk.take_back(run)
    desk.reroll_keyframe(run, 800, seed=8)  # another way: what was undone is no more
    with pytest.raises(InputError, match="nothing to undo"):
        desk.take_back(run, again=True)
    kept = json.loads((desk.out / run / CARD).read_text())
    assert len(kept["done"]) == 2 and kept["undone"] == []
    monkeypatch.setattr(edits, "MOST_KEPT", 3)
    for seed in range(6):
        desk.reroll_keyframe(run, 800, seed=seed)
    assert desk.view(run)["undoable"] == 3
