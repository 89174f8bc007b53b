"""The pictures that training reads: openly licensed art, scenes of it, shards, and own time-lapses."""

import colorsys
import contextlib
import functools
import hashlib
import io
import json
import random
import re
import tarfile
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from training_pictures import SVG, a_process, a_set, compose

from paints_undo.errors import InputError
from paints_undo.pictures.pixels import encode_png
from paints_undo.pictures.video import write_video
from paints_undo.training import dataset, scenes, sources
from paints_undo.training.characters import (
    HAIR_COLOURS,
    STYLE_SHARES,
    UNSEEN_STYLES,
    draw_character,
    random_colour,
)
from paints_undo.training.dataset import draw_pictures
from paints_undo.training.own_timelapses import load_timelapses
from paints_undo.training.process import LINE_PLANE, Habits, compose_batch, draw_habits
from paints_undo.training.scenes import draw_scene
from paints_undo.training.segment_clips import draw_frames
from paints_undo.training.sources import VectorPicture, archive_of, fetch, is_held_out, load_emoji, svg_document
from paints_undo.training.vector_art import process_from_svg


def pack(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, value in members.items():
            data = json.dumps(value).encode()
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def art(tmp_path, monkeypatch):
    """A folder with tiny packages of the same form as the real ones."""
    icons = {"fox": {"body": "<g/>"}, "fox-dark": {"body": "<g/>"}, "stop-sign": {"body": "<g/>"}}
    fox = {"label": "fox", "hexcode": "1F98A", "subgroup": 3, "tags": ["animal", "face"]}
    members = {
        "icons.json": {"width": 32, "icons": icons},
        "chars.json": {"1f98a": "fox"},
        "meta/groups.json": {"subgroups": {"3": "animal-mammal"}},
        "en/data.json": [fox, {**fox, "label": "stop sign", "hexcode": "1F6D1"}],
    }
    monkeypatch.setattr(sources, "ART_FOLDER", tmp_path)
    load_emoji.cache_clear()
    packages = {package: pack(archive_of(package), members) for package in sources.PACKAGES}
    monkeypatch.setattr(sources, "PACKAGES", packages)
    yield
    load_emoji.cache_clear()


def test_emoji_get_their_tags_and_signs_are_left_out(art):
    emoji = load_emoji()
    assert set(emoji) == {"fluent/fox", "noto/fox"}
    assert emoji["fluent/fox"].tags == ("fox", "animal mammal", "animal", "face")
    assert 'viewBox="0 0 32 16"' in emoji["noto/fox"].svg and "xmlns:xlink" in svg_document("0 0 1 1", "<g/>")


def test_present_packages_are_not_fetched_again_and_another_one_is_refused(art, monkeypatch):
    monkeypatch.setattr(sources.subprocess, "run", lambda *a, **k: pytest.fail("npm was called"))
    fetch()
    archive_of("@iconify-json/noto@1.2.9").write_bytes(b"something else")
    with pytest.raises(RuntimeError, match="delete the file"):
        fetch()


def characters(count, shares=STYLE_SHARES):
    pytest.importorskip("dicebear")
    return [draw_character(f"test {number}", shares) for number in range(count)]


def test_every_style_appears_with_hair_and_face_tags_the_same_for_the_same_seed():
    drawn = characters(60)
    assert drawn[:5] == characters(5)
    assert {one.name.split("/")[0] for one in drawn} == set(STYLE_SHARES)
    tags = {tag for one in drawn for tag in one.tags}
    assert {"1girl", "1boy", "solo", "long hair", "short hair", "smile", "glasses"} <= tags
    assert len(tags & set(HAIR_COLOURS)) > 6
    assert all(one.tags[0] in ("1girl", "1boy") and len(set(one.tags)) == len(one.tags) for one in drawn)
    for one in drawn:
        shades = [hue_of(code) for code in set(re.findall(r"#([0-9a-fA-F]{6})\b", one.svg))]
        if "blue hair" in one.tags:
            assert any(200 <= hue <= 240 for hue in shades), one.name
        if "pink hair" in one.tags:
            assert any(320 <= hue <= 350 for hue in shades), one.name
    assert not set(UNSEEN_STYLES) & set(STYLE_SHARES)
    assert {one.name.split("/")[0] for one in characters(10, UNSEEN_STYLES)} == set(UNSEEN_STYLES)
    assert re.fullmatch("#[0-9a-f]{6}", random_colour(random.Random(0), (0.5, 0.6), (0.5, 0.6)))


def hue_of(code):
    return 360 * colorsys.rgb_to_hls(*(int(code[i : i + 2], 16) / 255 for i in (0, 2, 4)))[0]


@pytest.fixture
def a_few_emoji(monkeypatch):
    """The real scenes in the real renderer; some made-up objects stand in for the emoji, which are not fetched."""
    pytest.importorskip("dicebear")
    pytest.importorskip("skia")
    names = [f"fluent/cat-{number}" for number in range(60)]
    emoji = {name: VectorPicture(name, SVG, (name.split("/")[1], "cat")) for name in names}
    monkeypatch.setattr(scenes, "load_emoji", lambda: emoji)
    monkeypatch.setattr(dataset, "fetch", lambda: None)
    for cached in (scenes._objects, scenes._props):
        cached.cache_clear()
    yield
    for cached in (scenes._objects, scenes._props):
        cached.cache_clear()


def test_a_number_is_always_the_same_picture_and_splits_never_meet(a_few_emoji):
    train, other = ([draw_scene(number, split) for number in range(40)] for split in ("train", "held_out"))
    assert train[7] == draw_scene(7, "train") and train[7] != other[7]
    shown = [{tag for one, _ in some for tag in one.tags if tag[:4] == "cat-"} for some in (train, other)]
    assert all(shown) and not shown[0] & shown[1]
    assert all(is_held_out(name) for name in shown[1]) and not any(is_held_out(name) for name in shown[0])
    assert 0.04 < sum(is_held_out(f"name-{number}") for number in range(4000)) / 4000 < 0.06
    tags = [one.tags for one, _ in train]
    for wanted in ("white background", "simple background", "gradient background", "scenery", "no humans", "solo"):
        assert any(wanted in one for one in tags), wanted
    picture, light = draw_scene(3, "unseen_style")
    process = process_from_svg(picture.svg, 64, light)
    assert process.final.shape == (64, 64, 3)
    assert compose(process, 999).mean() > 240 and np.array_equal(compose(process, 0), process.final)


class InlinePool(contextlib.nullcontext):
    """Shards are drawn in this process."""

    def submit(self, function, *arguments):
        return SimpleNamespace(result=functools.partial(function, *arguments))


@pytest.fixture
def inline(monkeypatch):
    monkeypatch.setattr(dataset, "ProcessPoolExecutor", lambda: contextlib.nullcontext(InlinePool()))
    monkeypatch.setattr(dataset.torch, "set_num_threads", lambda count: None)


def test_shards_are_built_once_and_load_as_one_tensor(inline, tmp_path, monkeypatch):
    def drawn(svg, size, light):
        if svg == "2":
            raise ValueError("no shape")
        return a_process(size)

    monkeypatch.setattr(dataset, "fetch", lambda: None)
    monkeypatch.setattr(dataset, "draw_scene", lambda n, split: (VectorPicture(f"{split}/{n}", str(n), ("solo",)), 0))
    monkeypatch.setattr(dataset, "process_from_svg", drawn)
    monkeypatch.setattr(dataset, "draw_habits", functools.partial(draw_habits, share=1.0))
    monkeypatch.setattr(dataset, "SHARD_SIZE", 3)
    once = draw_pictures("held_out", 5, 64, tmp_path)
    monkeypatch.setattr(dataset, "fetch", lambda: pytest.fail("was built twice"))
    pictures = draw_pictures("held_out", 5, 64, tmp_path)
    assert pictures.maps.shape == (4, 12, 64, 64) and torch.equal(pictures.maps, once.maps)
    assert pictures.names == [f"held_out/{number}" for number in (0, 1, 3, 4)]  # one shows nothing to draw
    assert pictures.tags[0] == ("solo",) and pictures.moments.isnan().all()  # measured without habits


def test_canvases_and_clips_show_the_process():
    pictures, index = a_set(1), torch.tensor([0])
    canvas = pictures.canvases(index, torch.tensor([400]))[0]
    assert np.array_equal(((canvas + 1) * 127.5).round().byte().permute(1, 2, 0).numpy(), compose(a_process(), 400))
    clip = draw_frames(pictures, index, torch.tensor([600.0]), torch.tensor([0.0]))
    assert clip.shape == (1, 3, 16, 64, 64)
    assert torch.equal(clip[:, :, -1], pictures.finished(index))
    assert torch.equal(clip[:, :, 0], pictures.canvases(index, torch.tensor([600.0])))


def test_training_sees_each_habit_in_its_share_of_the_pictures(a_few_emoji, inline, tmp_path, monkeypatch):
    count, steps = 30, torch.arange(0, 1000, 15)
    monkeypatch.setattr(dataset, "draw_habits", functools.partial(draw_habits, share=0.4))
    seen = draw_pictures("train", count, 32, tmp_path / "habitual")
    monkeypatch.setattr(dataset, "draw_habits", lambda name: Habits())
    canonical = draw_pictures("train", count, 32, tmp_path / "plain")
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
        assert sum(changed) <= 2 * 2  # moments of 30 steps each
        assert all(f or h for c, f, h in zip(changed, flipped, hidden, strict=True) if c)
    assert len(seen) > 20 and all(0.15 * count < number < 0.65 * count for number in shown.values()), shown


def frames(count):
    process = a_process()
    return np.stack([compose(process, step) for step in np.linspace(999, 0, count).astype(int)])


def test_videos_and_folders_of_pictures_become_operation_steps(tmp_path, caplog):
    write_video(frames(20), tmp_path / "face.mp4", 5)
    (tmp_path / "face.txt").write_text("1girl, smile")
    (tmp_path / "drawing").mkdir()
    for number, frame in enumerate(frames(9)):
        wide = cv2.copyMakeBorder(frame, 0, 0, 20, 20, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        (tmp_path / "drawing" / f"{number:03}.png").write_bytes(encode_png(wide))
    write_video(frames(3), tmp_path / "short.mp4", 5)
    (tmp_path / "broken.mp4").write_bytes(b"this is no video")
    data = load_timelapses(tmp_path, 32)
    assert data.names == ["drawing", "face"] and data.tags == [(), ("1girl", "smile")]
    assert "short.mp4" in caplog.text and "broken.mp4" in caplog.text  # what is left out is named
    assert [some.shape for some in data.frames] == [(9, 3, 32, 32), (20, 3, 32, 32)]
    for index in torch.tensor([[0], [1]]):
        clip = draw_frames(data, index, torch.tensor([999.0]), torch.tensor([0.0]))[0]
        assert clip.shape == (3, 16, 32, 32) and clip[:, 0].mean() > 0.85 > clip[:, -1].mean()
        assert torch.equal(data.finished(index)[0], clip[:, -1])


def test_a_folder_without_timelapses_is_one_clear_error(tmp_path):
    with pytest.raises(InputError, match="no usable time-lapse"):
        load_timelapses(tmp_path, 32)
    write_video(frames(3), tmp_path / "short.mp4", 5)
    with pytest.raises(InputError, match="3 frames"):
        load_timelapses(tmp_path, 32)
    with pytest.raises(InputError, match="no folder"):
        load_timelapses(tmp_path / "nowhere", 32)
