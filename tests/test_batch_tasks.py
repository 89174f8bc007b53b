"""A picture drawn as a whole and one drawn in pieces come to the same run folder."""

import dataclasses
import io

import numpy as np
import pytest
from batch_pictures import QuickEngine, items, options

from paints_undo.batch.dataset import packed
from paints_undo.batch.scheduling import picture_file
from paints_undo.batch.store import open_store
from paints_undo.batch.tasks import (
    KEYFRAMES,
    PICTURE,
    SEGMENT,
    TIMELAPSE,
    Task,
    Worker,
    forget_unlike,
    piece_name,
    tasks_after,
)
from paints_undo.errors import CheckpointError, InputError
from paints_undo.run.folder import RunFolder
from paints_undo.run.timeline import Keyframe, Timeline


def in_pieces(worker, item):
    first = Task(item, KEYFRAMES, picture_file(item))
    worker.do(first)
    for task in [*tasks_after(first), Task(item, TIMELAPSE, picture_file(item))]:
        facts = worker.do(task)
    return facts


@pytest.mark.parametrize("place", ["local", "memory://pieces"])
def test_pieces_come_to_the_whole(tmp_path, place):
    (item,) = items(tmp_path / "art", 1)
    whole = Worker(QuickEngine, open_store(str(tmp_path / "whole")))
    assert whole.do(Task(item, PICTURE, picture_file(item))) == {"prompt": "x"}
    store = open_store(str(tmp_path / "pieces") if place == "local" else place)
    assert in_pieces(Worker(QuickEngine, store), item) == {"prompt": "x"}
    kept = {f"{item.folder}/{f}" for f in files_below(tmp_path / "whole" / item.folder) if f != ".lock"}
    for name in kept:
        content = store.read(name)
        assert content is not None, name
        if name.endswith(".npz"):
            assert content == (tmp_path / "whole" / name).read_bytes()
    assert store.sizes(f"batch/pieces/{item.key}") == {}


def files_below(folder):
    return [file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()]


def test_pieces_that_are_there_are_not_drawn_again_and_the_tagger_writes_a_prompt(tmp_path):
    (item,) = items(tmp_path / "art", 1)
    item = dataclasses.replace(item, options=dataclasses.replace(options(prompt=""), tag=True))
    store, engines = open_store(str(tmp_path / "out")), [QuickEngine(), QuickEngine()]
    for engine in engines:
        worker = Worker(lambda engine=engine: engine, store)
        worker.do(Task(item, KEYFRAMES, picture_file(item)))
        worker.do(Task(item, SEGMENT, pair=1))
    assert engines[0].steps_done > 0 == engines[1].steps_done
    assert in_pieces(worker, item) == {"prompt": "1girl, solo, 40 wide"}


def test_an_engine_is_loaded_once_and_faulty_ones_are_no_pictures_fault(tmp_path):
    some, loads = items(tmp_path / "art", 3), []
    worker = Worker(lambda: loads.append(1) or QuickEngine(), open_store(str(tmp_path / "out")))
    for item in some:
        worker.do(Task(item, PICTURE, picture_file(item)))
    assert len(loads) == 1

    def refuse():
        raise InputError("device is 'tpu'")

    with pytest.raises(CheckpointError, match="device is 'tpu'"):
        Worker(refuse, open_store(str(tmp_path / "out"))).do(Task(some[0], PICTURE, picture_file(some[0])))
    with pytest.raises(InputError, match=r"^picture 000.png is not a readable picture"):
        worker.do(Task(some[0], PICTURE, b"no picture"))


def test_half_a_run_of_another_device_is_drawn_anew(tmp_path):
    settings = {"options": {}, "device": "cpu"}
    picture = np.zeros((40, 40, 3), np.uint8)
    RunFolder.create(tmp_path / "run", settings, Timeline((Keyframe(400, 2, 3),), 1), picture)
    forget_unlike(tmp_path / "run", {"options": {"other": 1}, "device": "cpu"})
    assert (tmp_path / "run").exists()
    forget_unlike(tmp_path / "run", {"options": {}, "device": "cuda"})
    assert not (tmp_path / "run").exists()
    forget_unlike(tmp_path / "run", settings)


@pytest.mark.parametrize(
    ("place", "damage"),
    [
        ("local", "torn"),
        ("local", "gone"),
        ("memory://damaged", "emptied"),
        ("memory://damaged", "of another pair"),
        ("memory://damaged", "of another picture"),
        ("memory://damaged", "another npz"),
    ],
)
def test_a_piece_that_is_not_the_one_kept_is_drawn_again(tmp_path, place, damage):
    first, second = items(tmp_path / "art", 2)
    store = open_store(str(tmp_path / "out") if place == "local" else f"{place}/{damage}".replace(" ", "-"))
    worker = Worker(QuickEngine, store)
    for item in (first, second):
        worker.do(Task(item, KEYFRAMES, picture_file(item)))
        for task in tasks_after(Task(item, KEYFRAMES)):
            worker.do(task)

    def kept(name: str) -> bytes:
        assert (content := store.read(name)) is not None
        return content

    name = piece_name(first, SEGMENT, 1)
    whole = kept(name)
    given = {
        "torn": whole[:-100],
        "emptied": b"",
        "of another pair": kept(piece_name(first, SEGMENT, 0)),
        "of another picture": kept(piece_name(second, SEGMENT, 1)),
        "another npz": packed(frames=np.zeros((16, 80, 64, 3), np.uint8)),
    }
    store.write(name, given.get(damage, b""))
    if damage == "gone" and place == "local":
        (tmp_path / "out" / name).unlink()
    with pytest.raises(FileNotFoundError, match="segment-001.npz is gone or damaged; it will be drawn again"):
        worker.do(Task(first, TIMELAPSE, picture_file(first)))
    worker.do(Task(first, SEGMENT, pair=1))
    assert store.read(name) == whole
    with np.load(io.BytesIO(whole)) as arrays:  # the digest after its end is in nobody's way
        assert arrays["frames"].shape[0] == 16
    keyframes = piece_name(first, KEYFRAMES)
    store.write(keyframes, kept(piece_name(second, KEYFRAMES)))
    worker.do(Task(first, KEYFRAMES, picture_file(first)))
    assert worker.do(Task(first, TIMELAPSE, picture_file(first))) == {"prompt": "x"}
