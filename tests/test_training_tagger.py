import numpy as np
import pytest
import torch
from training_pictures import a_face

from paints_undo.training.loop import LoopOptions, Training
from paints_undo.training.own_timelapses import TimelapseSet
from paints_undo.training.tagger import (
    TaggerOptions,
    TagNetwork,
    answers,
    as_tagger_input,
    calibrate,
    micro_f1,
    train_tagger,
    vary,
    write_tagger,
)
from paints_undo.training.tags import tag_targets
from wd14_tagger import Tagger

TINY = TaggerOptions(widths=(8, 16), depths=(1, 1), size=32, batch=8)


@pytest.fixture(scope="module")
def data():
    """Faces, and faces with all colours turned around: easy to tell apart."""
    face = a_face(32)
    frames = [torch.from_numpy(picture).permute(2, 0, 1)[None] for picture in (face, 255 - face)]
    return TimelapseSet(frames * 8, [str(i) for i in range(16)], [("solo", "light"), ("solo", "dark hair")] * 8)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    loop = LoopOptions(steps=60, learning_rate=1e-2, warmup_steps=5, averaging=0.5, mixed_precision=False)
    return train_tagger(Training(data, tmp_path_factory.mktemp("run"), TINY, loop))


def test_it_learns_and_the_exported_model_is_a_wd14_model(trained, data, tmp_path):
    write_tagger(tmp_path, trained, data, TINY.size)
    tagger = Tagger(tmp_path / "model.onnx", tmp_path / "selected_tags.csv")
    assert tagger.tags(a_face(32)) == ["solo", "light"]
    assert tagger.tags(255 - a_face(32)) == ["solo", "dark hair"]
    found = tagger.probabilities(a_face(32))
    with torch.no_grad():
        wanted = trained(as_tagger_input(data.finished(torch.tensor([0])))).sigmoid()[0]
    assert np.abs(found - wanted.numpy()).max() < 1e-4
    assert found[0] > 0.9 and found[1:4].max() < 0.1  # general, and no other rating


def test_the_input_is_blue_first_and_goes_to_255():
    picture = torch.stack([torch.full((4, 4), value) for value in (1.0, 0.0, -1.0)])[None]
    assert as_tagger_input(picture)[0, 0, 0].tolist() == [0.0, 127.5, 255.0]


def test_varied_pictures_stay_pictures_on_white():
    pictures = -torch.ones(64, 3, 32, 32)
    varied = vary(pictures, torch.Generator().manual_seed(0))
    assert varied.shape == pictures.shape and varied.min() >= -1 and varied.max() == 1
    assert len({round(float(some.mean()), 4) for some in varied}) > 32
    assert torch.equal(varied, vary(pictures, torch.Generator().manual_seed(0)))


def test_calibration_moves_the_best_threshold_to_the_apps(trained, data):
    network = TagNetwork(7, TINY)
    network.load_state_dict(trained.state_dict())
    with torch.no_grad():
        network.head.bias[4:] -= 1  # too timid
    indices, targets = torch.arange(16), tag_targets(data.tags, ["solo", "dark hair", "light"])
    before = answers(network, data, indices)
    calibrate(network, data, indices, targets)
    after = answers(network, data, indices)
    assert micro_f1(after.sigmoid(), targets) >= micro_f1(before.sigmoid(), targets)
    assert torch.equal(before[:, :4], after[:, :4])


def test_f1_counts_tags_and_not_ratings():
    targets = torch.tensor([[1.0, 0, 0, 0, 1, 1, 0]])
    assert micro_f1(torch.tensor([[0.0, 1, 1, 1, 0.9, 0.1, 0.9]]), targets) == 0.5


def test_senseless_sizes_are_refused():
    with pytest.raises(ValueError, match="equally many"):
        TaggerOptions(widths=(8,), depths=(1, 1))
    with pytest.raises(ValueError, match="multiple of 32"):
        TaggerOptions(size=100)
