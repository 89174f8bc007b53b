import numpy as np
import pytest
import torch
from training_pictures import SVG, a_process, compose

from paints_undo.training import dataset, recipe, scenes
from paints_undo.training.dataset import DatasetOptions, PictureSet, build, load
from paints_undo.training.habits import HABIT_SHARE, draw_habits, moments_of
from paints_undo.training.process import LINE_PLANE, compose_batch
from paints_undo.training.sources import VectorPicture


class FakeScene:
    def __init__(self, number, split):
        self.picture = VectorPicture(f"{split}/{number}", "", ("solo",))
        self.number = number

    def process(self, size):
        if self.number == 2:
            raise ValueError("no shape")
        return a_process(size)


class InlinePool:
    def __init__(self, workers):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def submit(self, function, *arguments):
        result = function(*arguments)
        return type("Job", (), {"result": lambda job: result})()


@pytest.fixture
def fast(monkeypatch):
    monkeypatch.setattr(dataset, "fetch", lambda art: None)
    monkeypatch.setattr(dataset, "draw_scene", lambda number, split, art: FakeScene(number, split))
    monkeypatch.setattr(dataset, "ProcessPoolExecutor", InlinePool)
    monkeypatch.setattr(dataset, "SHARD_SIZE", 3)
    monkeypatch.setattr(dataset.torch, "set_num_threads", lambda count: None)


def test_shards_are_built_once_and_load_as_one_tensor(fast, tmp_path, monkeypatch):
    options = DatasetOptions("held_out", 5, 64)
    build(options, tmp_path)
    monkeypatch.setattr(dataset, "draw_scene", lambda *arguments: pytest.fail("was built twice"))
    build(options, tmp_path)
    pictures = load(options, tmp_path)
    assert len(pictures) == 4  # one of five shows nothing to draw
    assert pictures.maps.shape == (4, 12, 64, 64) and pictures.maps.dtype == torch.uint8
    assert pictures.names == ["held_out/0", "held_out/1", "held_out/3", "held_out/4"]
    assert pictures.tags[0] == ("solo",)
    assert not list(tmp_path.rglob("*.part"))


def test_a_missing_shard_is_named(fast, tmp_path):
    build(DatasetOptions("train", 3, 64), tmp_path)
    with pytest.raises(FileNotFoundError, match="000003-000006"):
        load(DatasetOptions("train", 6, 64), tmp_path)


def test_canvases_and_clips_show_the_process():
    process = a_process()
    pictures = PictureSet(torch.from_numpy(process.to_maps())[None], ["a"], [()])
    index = torch.tensor([0])
    canvas = pictures.canvases(index, torch.tensor([400]))[0]
    assert np.array_equal(((canvas + 1) * 127.5).round().byte().permute(1, 2, 0).numpy(), compose(process, 400))
    clip = pictures.clips(index, torch.tensor([600.0]), torch.tensor([0.0]))
    assert clip.shape == (1, 3, 16, 64, 64)
    assert torch.equal(clip[:, :, -1], pictures.finished(index))
    assert torch.equal(clip[:, :, 0], pictures.canvases(index, torch.tensor([600.0])))


def test_senseless_options_are_refused():
    for wrong in ({"split": "test"}, {"count": 0}, {"size": 100}, {"habit_share": 2}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            DatasetOptions(**wrong)


@pytest.fixture
def drawn_scenes(monkeypatch):
    """The real scenes in the real renderer; some made-up objects stand in for the emoji, which are not fetched."""
    pytest.importorskip("skia")
    pytest.importorskip("dicebear")
    names = [f"fluent/cat-{number}" for number in range(60)]
    emoji = {name: VectorPicture(name, SVG, ("cat",)) for name in names}
    monkeypatch.setattr(scenes, "load_emoji", lambda art: emoji)
    monkeypatch.setattr(dataset, "fetch", lambda art: None)
    monkeypatch.setattr(dataset, "ProcessPoolExecutor", InlinePool)
    monkeypatch.setattr(dataset.torch, "set_num_threads", lambda count: None)
    scenes._objects.cache_clear()
    scenes._props.cache_clear()
    yield
    scenes._objects.cache_clear()
    scenes._props.cache_clear()


@pytest.mark.slow
def test_training_sees_each_habit_in_its_share_of_the_pictures(drawn_scenes, tmp_path):
    count, steps = 30, torch.arange(0, 1000, 5)
    habitual, plain = (DatasetOptions("train", count, 32, habit_share=share) for share in (0.4, 0.0))
    seen = load(habitual, build(habitual, tmp_path / "habitual", 1).parent)
    canonical = load(plain, build(plain, tmp_path / "plain", 1).parent)
    shown = {"sketch": 0, "colour": 0, "flip": 0, "hidden": 0}
    for index, (maps, without) in enumerate(zip(seen.maps, canonical.maps, strict=True)):
        canvases = seen.canvases(torch.full_like(steps, index), steps)
        usual = compose_batch(maps[None].repeat(len(steps), 1, 1, 1), steps)
        lineless = maps.clone()
        lineless[LINE_PLANE] = 0
        bare = compose_batch(lineless[None].repeat(len(steps), 1, 1, 1), steps)
        changed = [not torch.equal(a, b) for a, b in zip(canvases, usual, strict=True)]
        flipped = [torch.equal(a, b.flip(-1)) for a, b in zip(canvases, usual, strict=True)]
        hidden = [torch.equal(a, b) for a, b in zip(canvases, bare, strict=True)]
        shown["sketch"] += not torch.equal(maps[6], without[6])
        shown["colour"] += not torch.equal(maps[3:6], without[3:6])
        shown["flip"] += any(c and f for c, f in zip(changed, flipped, strict=True))
        shown["hidden"] += any(c and h for c, h in zip(changed, hidden, strict=True))
        assert sum(changed) <= 2 * 7  # moments of 30 steps each
        assert all(f or h for c, f, h in zip(changed, flipped, hidden, strict=True) if c)
    assert len(seen) > 20 and all(0.15 * count < number < 0.65 * count for number in shown.values()), shown


def test_train_draws_its_pictures_with_habits_and_measures_on_pictures_without(drawn_scenes, tmp_path):
    trained = recipe.draw_pictures("train", 4, 32, tmp_path)
    assert isinstance(trained, PictureSet) and trained.moments is not None
    habits = [draw_habits(name, HABIT_SHARE) for name in trained.names]
    assert HABIT_SHARE > 0 and torch.equal(trained.moments.nan_to_num(-1), moments_of(habits).nan_to_num(-1))
    measured = recipe.draw_pictures("held_out", 4, 32, tmp_path)
    assert isinstance(measured, PictureSet) and measured.moments is not None and measured.moments.isnan().all()
