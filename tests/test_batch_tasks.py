"""A worker draws whole pictures, with one engine, into a folder or a remote place alike."""

import dataclasses

import numpy as np
import pytest
from batch_pictures import QuickEngine, items, options

from paints_undo.batch.scheduling import picture_file
from paints_undo.batch.store import open_store
from paints_undo.batch.tasks import Task, Worker, forget_unlike
from paints_undo.errors import CheckpointError, InputError
from paints_undo.run.folder import RunFolder
from paints_undo.run.timeline import Keyframe, Timeline


def test_a_picture_ends_as_the_same_run_folder_wherever_it_goes(tmp_path):
    (item,) = items(tmp_path / "art", 1)
    stores = [open_store(place) for place in (str(tmp_path / "out"), "memory://pictures")]
    for store in stores:
        assert Worker(QuickEngine, store).do(Task(item, picture_file(item))) == {"prompt": "x"}
    folder = tmp_path / "out" / item.folder
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != ".lock"]
    assert len(files) > 6
    for file in files:
        content = stores[1].read(f"{item.folder}/{file.relative_to(folder).as_posix()}")
        assert content == file.read_bytes() if file.suffix == ".npz" else content
    item = dataclasses.replace(item, options=dataclasses.replace(options(prompt=""), tag=True))
    worker = Worker(QuickEngine, open_store(str(tmp_path / "tagged")))
    assert worker.do(Task(item, picture_file(item))) == {"prompt": "1girl, solo, 40 wide"}


def test_an_engine_is_loaded_once_and_faulty_ones_are_no_pictures_fault(tmp_path):
    some, loads = items(tmp_path / "art", 3), []
    worker = Worker(lambda: loads.append(1) or QuickEngine(), open_store(str(tmp_path / "out")))
    for item in some:
        worker.do(Task(item, picture_file(item)))
    assert len(loads) == 1

    def refuse():
        raise InputError("device is 'tpu'")

    with pytest.raises(CheckpointError, match="device is 'tpu'"):
        Worker(refuse, open_store(str(tmp_path / "out"))).do(Task(some[0], picture_file(some[0])))
    with pytest.raises(InputError, match=r"^picture 000.png is not a readable picture"):
        worker.do(Task(some[0], b"no picture"))


def test_half_a_run_of_another_device_is_drawn_anew(tmp_path):
    settings = {"options": {}, "device": "cpu"}
    picture = np.zeros((40, 40, 3), np.uint8)
    RunFolder.create(tmp_path / "run", settings, Timeline((Keyframe(400, 2, 3),), 1), picture)
    forget_unlike(tmp_path / "run", {"options": {"other": 1}, "device": "cpu"})
    assert (tmp_path / "run").exists()
    forget_unlike(tmp_path / "run", {"options": {}, "device": "cuda"})
    assert not (tmp_path / "run").exists()
    forget_unlike(tmp_path / "run", settings)
