"""The family without networks behind its doors: what an engine promises, the run that it leaves, and the film."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from paints_undo import strokes_engine
from paints_undo.engine import Engine
from paints_undo.errors import InputError
from paints_undo.options import KeyframeOptions, SegmentOptions, UndoOptions, with_profile, with_settings
from paints_undo.pictures.video import read_video
from paints_undo.pipeline import PaintsUndo
from paints_undo.progress import Progress
from paints_undo.run.course import course_of
from paints_undo.run.folder import RunFolder
from paints_undo.run.replay import earlier_run, replay
from paints_undo.strokes.film import Film, moments, work_of
from paints_undo.strokes.process import Process, plan_process
from paints_undo.strokes_engine import Strokes
from paints_undo.time_left import COSTS
from paints_undo.web.engine import EngineOnUse
from paints_undo.web.studio import Studio

OPTIONS = UndoOptions(
    KeyframeOptions(operation_steps=(200, 700), seed=3), SegmentOptions(), fps=12, tag=False, fit="own", seconds=3
)


def drawing() -> np.ndarray:
    """A face of a kind on a coloured ground, uint8 (195, 160, 3): one side is odd."""
    picture = np.full((195, 160, 3), (190, 215, 230), np.uint8)
    cv2.ellipse(picture, (80, 104), (52, 68), 0, 0, 360, (246, 212, 190), -1, cv2.LINE_AA)
    cv2.ellipse(picture, (80, 104), (52, 68), 0, 0, 360, (60, 40, 50), 3, cv2.LINE_AA)
    cv2.ellipse(picture, (80, 68), (56, 40), 0, 180, 360, (120, 60, 40), -1, cv2.LINE_AA)
    for x in (60, 100):
        cv2.circle(picture, (x, 100), 10, (40, 90, 130), -1, cv2.LINE_AA)
    cv2.line(picture, (64, 140), (96, 140), (160, 60, 70), 3, cv2.LINE_AA)
    return picture


@pytest.fixture(scope="module")
def engine() -> Strokes:
    """One that has planned the drawing, which takes most of the time."""
    return Strokes()


@pytest.fixture(scope="module")
def process(engine: Strokes) -> Process:
    return engine.process_of(drawing(), OPTIONS)


@pytest.fixture(scope="module")
def folder(engine: Strokes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "drawing"
    engine.undo(drawing(), OPTIONS, out)
    return out


def test_it_is_an_engine_and_the_default_where_there_is_no_gpu() -> None:
    engine: Engine = Strokes()
    assert engine.family.name == "strokes" and engine.default_options.in_strokes
    assert PaintsUndo.load("strokes").family == engine.family
    assert type(PaintsUndo.load()) is Strokes


def test_keyframes_are_canvases_of_one_process(engine: Strokes, process: Process) -> None:
    told: list[str] = []
    kept: dict[int, np.ndarray] = {}
    options = KeyframeOptions(operation_steps=(0, 300, 999), seed=3)
    drawn = engine.draw_keyframes(drawing(), options, lambda report: told.append(report.stage), None, kept.__setitem__)
    assert all(np.array_equal(one, process.canvas(1000 - k)) for one, k in zip(drawn, (0, 300, 999), strict=True))
    assert np.array_equal(drawn[0], drawing()) and sorted(kept) == [0, 1, 2] and set(told) == {"keyframes"}


def test_segments_lie_between_the_artwork_canvases_and_white(engine: Strokes) -> None:
    drawn = engine.draw_keyframes(drawing(), KeyframeOptions(operation_steps=(300, 800), seed=3))
    white = np.full_like(drawing(), 255)
    filled = engine.fill_segments([drawing(), *drawn, white])
    assert filled.shape == (3, 16, *drawing().shape)
    ends = [(pair[0], pair[-1]) for pair in filled]
    pictures = [drawing(), *drawn, white]
    assert all(np.array_equal(a, pictures[k]) and np.array_equal(b, pictures[k + 1]) for k, (a, b) in enumerate(ends))
    with pytest.raises(InputError) as refused:
        engine.fill_segments([drawing(), drawing() // 2])
    assert str(refused.value) == (
        "a picture is no canvas of the model family strokes; draw its key frames first, in this program"
    )


def test_families_refuse_each_other_s_sizes(tiny_family: Path) -> None:
    with pytest.raises(InputError) as refused:
        Strokes().undo(drawing(), UndoOptions(tag=False))
    assert str(refused.value) == (
        "the model family strokes draws at the artwork's own size: fit is pad, and must be own"
    )
    with pytest.raises(InputError) as refused:
        PaintsUndo.load(tiny_family, "cpu").process_of(drawing(), OPTIONS)
    assert "fit is own, and must be pad or crop" in str(refused.value)


def test_a_run_has_everything_and_its_video_ends_on_the_artwork(folder: Path) -> None:
    run = RunFolder.open(folder)
    assert run.finished and run.is_complete
    names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    assert names == ["artwork.png", "keyframes", "operations.json.gz", "run.json", "run.log", "timelapse.mp4"]
    video = list(read_video(folder / "timelapse.mp4"))
    assert len(video) == 36 and video[0].shape == (194, 160, 3)
    assert float(np.abs(video[-1].astype(int) - drawing()[:194]).mean()) < 6
    assert (video[0] < 250).any(), "no blank beginning"
    film = run.frames()
    assert film.shape == (36, 194, 160, 3) and np.array_equal(film[-1], drawing()[:194])


def test_what_was_kept_is_read_rather_than_planned_anew(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: object, **named: object) -> Process:
        raise AssertionError("planned anew")

    monkeypatch.setattr(strokes_engine, "plan_process", never)
    (folder / "timelapse.mp4").unlink()
    Strokes().undo(drawing(), OPTIONS, folder)
    assert RunFolder.open(folder).is_complete


@pytest.mark.parametrize("other", ["artwork", "seed", "route", "sketch", "prompt"])
def test_a_process_is_planned_once_for_the_same_choices_alone(other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planned: list[tuple] = []
    monkeypatch.setattr(strokes_engine, "plan_process", lambda *given: planned.append(given) or object())
    engine, sketch = Strokes(), drawing() if other == "sketch" else None
    changes: dict[str, dict[str, Any]] = {
        "seed": {"seed": 4},
        "prompt": {"prompt": "1girl"},
        "route": {"route": "painting"},
    }
    options = with_settings(OPTIONS, changes.get(other, {}))
    first = engine.process_of(drawing(), OPTIONS)
    second = engine.process_of(255 - drawing() if other == "artwork" else drawing(), options, sketch)
    assert first is not second and len(planned) == 2
    assert engine.process_of(drawing(), OPTIONS) is first and len(planned) == 2


def test_a_damaged_file_of_operations_is_made_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = folder / "operations.json.gz"
    good = file.read_bytes()
    file.write_bytes(good[: len(good) // 2])
    assert not RunFolder.open(folder).is_complete
    Strokes().undo(drawing(), OPTIONS, folder)
    assert f"{file} is damaged or was replaced and will be made again" in caplog.text
    assert file.read_bytes() == good, "the same plan, byte for byte"


def test_a_replay_draws_the_same_frames(folder: Path, tmp_path: Path) -> None:
    again = replay(Strokes(), earlier_run(folder), tmp_path / "again")
    before = RunFolder.open(folder).frames()
    assert len(again.frames) == len(before)
    assert all(np.array_equal(one, other) for one, other in zip(again.frames, before, strict=True))


def test_the_film_gives_equal_time_to_equal_work(process: Process) -> None:
    done = moments(process, 10, 24)
    assert len(done) == 240 and done[0] == 0.6 and done[-1] == 1000 and (np.diff(done) >= 0).all()
    held = int((done == 1000).sum())
    assert held == round(10 / 12 * 24)
    spent = np.interp(done[3:-held], np.arange(1001), np.concatenate([[0], np.cumsum(work_of(process))]))
    assert np.diff(spent).std() < 0.02 * np.diff(spent).mean()
    for seconds, fps in ((3, 24), (600, 1), (20, 60)):
        assert len(moments(process, seconds, fps)) == seconds * fps
    small = Film(process, 3, 10, longest_side=48)
    assert small.shape == (30, 48, 38, 3) and small[-1].shape == (48, 38, 3)


def test_a_sketch_of_ones_own_is_what_the_process_goes_by(process: Process) -> None:
    sketch = np.full((194, 160, 3), 255, np.uint8)
    cv2.line(sketch, (10, 10), (150, 180), (30, 30, 30), 5)
    own = plan_process(drawing(), 3, sketch=sketch)
    assert own.plan.sketch and not process.plan.sketch and np.array_equal(own.canvas(1000), drawing())
    along = np.array([stroke.points[:, :2].mean(0) for stroke in own.operations if stroke.title == "sketch a line"])
    assert len(along) and (np.abs(along[:, 0] / 160 - along[:, 1] / 195) < 0.15).all(), "on the diagonal of the sketch"


def test_the_page_draws_in_strokes_and_re_rolls_all_of_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canvases: list[float] = []
    draw = Process.canvas

    def counted(self: Process, done: float) -> np.ndarray:
        canvases.append(done)
        return draw(self, done)

    monkeypatch.setattr(Process, "canvas", counted)
    studio = Studio(EngineOnUse(Strokes), tmp_path)
    visitor = "v" * 20
    run = studio.open(
        visitor, drawing(), {"operation_steps": [200, 700], "seconds": 3, "fps": 12, "fit": "pad", "width": 64}
    )
    studio.generate(visitor, run, "video")
    assert studio.wait(visitor, run, 120)
    view = studio.view(visitor, run)
    assert view["state"] == "finished" and view["segments"] == [] and len(view["frames"]) == 36
    assert len(canvases) == 36 + 2, "each frame of the film once, as it is encoded, and the keyframes"
    assert canvases[:2] == [300, 800], "what is seen on the way grows"
    assert [keyframe["state"] for keyframe in view["keyframes"]] == ["ready", "ready"]
    assert view["settings"]["fit"] == "own" and view["settings"]["width"] == 512
    studio.edit(visitor, run, "reroll_keyframe", 700, seed=99)
    view = studio.view(visitor, run)
    assert {keyframe["seed"] for keyframe in view["keyframes"]} == {99} and view["settings"]["seed"] == 99
    studio.generate(visitor, run, "video")
    assert studio.wait(visitor, run, 120) and studio.view(visitor, run)["state"] == "finished"
    again = RunFolder.open(tmp_path / Path(view["artwork"]).parent.name).process()
    assert again is not None and again.plan.seed == 99


def test_options_say_what_strokes_may_be() -> None:
    for values, sentence in (
        ({"seconds": 2}, "seconds is 2"),
        ({"route": "comic"}, "route is 'comic'; use one of auto"),
    ):
        with pytest.raises(InputError, match=sentence):
            UndoOptions(**values)
    assert with_profile(OPTIONS, "exact") == OPTIONS
    assert UndoOptions.from_settings(OPTIONS.to_settings()) == OPTIONS


def test_no_networks_library_is_loaded(tmp_path: Path) -> None:
    picture = tmp_path / "drawing.png"
    cv2.imwrite(str(picture), drawing()[..., ::-1])
    code = (
        "import sys; from paints_undo.cli import main; "
        "status = main(sys.argv[1:]); "
        "print([name for name in ('torch', 'diffusers', 'transformers') if name in sys.modules])"
        "; sys.exit(status)"
    )
    command = [sys.executable, "-c", code, "run", str(picture), "--out", str(tmp_path), "--quiet", "--seconds", "3"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(tmp_path / "drawing" / "timelapse.mp4"), "[]"]


def test_the_first_strokes_are_seen_before_the_rest_is_planned() -> None:
    seen: list[Progress] = []
    process = Strokes().process_of(drawing(), OPTIONS, on_progress=seen.append)
    assert [(one.detail, one.done) for one in seen] == [("planning", part) for part in range(5)]
    first, third = (seen[part].preview for part in (1, 3))
    assert first is not None and third is not None
    assert 0 < (first() < 250).mean() < (third() < 250).mean()
    shown, begun = first(), process.canvas(26)
    assert shown.shape == begun.shape
    marks = (shown < 250).any(2)
    assert (begun[marks] < 255).any(1).mean() > 0.9, "they are strokes of the process"


def test_whoever_cancels_while_it_is_planned_waits_for_no_plan() -> None:
    class Cancelled(Exception):
        pass

    told = []

    def cancel(progress: Progress) -> None:
        told.append(progress.done)
        if progress.done == 1:
            raise Cancelled

    engine = Strokes()
    with pytest.raises(Cancelled):
        engine.process_of(drawing(), OPTIONS, on_progress=cancel)
    assert told == [0, 1]
    assert len(engine.process_of(drawing(), OPTIONS).operations) == 1000


def test_threads_that_share_a_process_see_its_canvases(process: Process) -> None:
    wanted = [*range(50, 1000, 95), *range(930, 40, -95)]
    expected = {done: process.canvas(done) for done in wanted}
    shared = Process(process.plan, drawing())
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda done: (done, shared.canvas(done)), wanted * 2))
    assert all(np.array_equal(canvas, expected[done]) for done, canvas in found)


def test_a_job_says_how_long_strokes_take() -> None:
    engine, options = Strokes(), Strokes().default_options

    def expected(shape: tuple[int, int, int]) -> float:
        course = course_of(engine, options, shape)
        return sum(COSTS.of("strokes of another machine", part) for part in course.parts)

    assert 2 < expected((448, 384, 3)) < 10 and 8 < expected((1350, 1080, 3)) < 30
