import numpy as np
import pytest
import torch
from training_pictures import a_process

from paints_undo.training import dataset
from paints_undo.training.dataset import DatasetOptions, PictureSet, build, load
from paints_undo.training.process import compose
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
