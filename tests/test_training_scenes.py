import numpy as np
import pytest
from training_pictures import SVG, compose

from paints_undo.training import scenes
from paints_undo.training.scenes import draw_scene
from paints_undo.training.sources import VectorPicture, is_held_out

pytest.importorskip("dicebear")
pytest.importorskip("skia")


@pytest.fixture(autouse=True)
def a_few_emoji(monkeypatch, tmp_path):
    """The art packages are not fetched in tests: some made-up objects stand in for the emoji."""
    names = [f"fluent/cat-{number}" for number in range(60)]
    emoji = {name: VectorPicture(name, SVG, (name.split("/")[1], "cat")) for name in names}
    monkeypatch.setattr(scenes, "load_emoji", lambda art: emoji)
    scenes._objects.cache_clear()
    scenes._props.cache_clear()
    yield tmp_path
    scenes._objects.cache_clear()
    scenes._props.cache_clear()


def test_a_number_is_always_the_same_picture(a_few_emoji):
    assert draw_scene(7, "train", a_few_emoji) == draw_scene(7, "train", a_few_emoji)
    assert draw_scene(7, "train", a_few_emoji) != draw_scene(7, "held_out", a_few_emoji)


def test_no_object_of_the_training_set_appears_elsewhere(a_few_emoji):
    train = {tag for n in range(40) for tag in draw_scene(n, "train", a_few_emoji).picture.tags if tag[:4] == "cat-"}
    other = {tag for n in range(40) for tag in draw_scene(n, "held_out", a_few_emoji).picture.tags if tag[:4] == "cat-"}
    assert train and other and not train & other
    assert all(is_held_out(name) for name in other) and not any(is_held_out(name) for name in train)


def test_scenes_differ_in_background_and_subject(a_few_emoji):
    tags = [draw_scene(number, "train", a_few_emoji).picture.tags for number in range(40)]
    for wanted in ("white background", "simple background", "gradient background", "scenery", "no humans", "solo"):
        assert any(wanted in one for one in tags), wanted


def test_a_scene_becomes_a_process(a_few_emoji):
    process = draw_scene(3, "unseen_style", a_few_emoji).process(64)
    assert process.final.shape == (64, 64, 3)
    assert compose(process, 999).mean() > 240 and np.array_equal(compose(process, 0), process.final)
