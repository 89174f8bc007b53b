"""Ray as it is: one local cluster for all tests of this file."""

import os
import socket
import sys

import fsspec
import pytest
from batch_pictures import QuickEngine, items, scan

import paints_undo.batch.cluster
from paints_undo.batch.cluster import Actors, OnCluster, check_answers, connected, share_out
from paints_undo.batch.leases import Leases
from paints_undo.batch.ledger import Ledger
from paints_undo.batch.scheduling import Schedule
from paints_undo.batch.store import LocalStore, RemoteStore
from paints_undo.batch.tasks import KEYFRAMES, PICTURE, Worker
from paints_undo.errors import CheckpointError, InputError


@pytest.fixture(scope="module")
def ray():
    library = pytest.importorskip("ray", reason="needs Ray: pip install '.[cluster]'")
    with connected("local") as running:
        # workers need not find this folder: what they are sent is sent as a whole
        library.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield running


class Deadly(Worker):
    """A worker that some pictures end."""

    def do(self, task, on_progress=None):
        if task.item.name == "picture 002.png":
            os._exit(1)
        if task.item.name == "picture 003.png":
            raise InputError("picture 003.png is not to be drawn")
        return super().do(task)


def work(ray, store, some, first, kind=Worker):
    """(how it went, what was said)"""
    sys.path.insert(0, os.path.dirname(__file__))
    told, pool = [], OnCluster(ray, lambda actors: kind(QuickEngine, store), Actors(2, 0.5, 0))
    try:
        schedule = Schedule(Ledger(store), Leases(None), pool, first, 2, lambda *words: told.append(words[1:]))
        return schedule.work_through(some), told
    finally:
        for actor in pool._idle:
            ray.kill(actor)


@pytest.mark.slow
def test_pictures_and_segments_on_ray(ray, tmp_path):
    some = items(tmp_path / "art", 3)
    for name, first in (("whole", PICTURE), ("pieces", KEYFRAMES)):
        tally, _ = work(ray, LocalStore(tmp_path / name), some, first)
        assert tally.done == 3
    keyframes = [file for file in scan(tmp_path / "whole") if "/segments/" in file]
    assert len(keyframes) == 9
    for file in keyframes:
        assert (tmp_path / "whole" / file).read_bytes() == (tmp_path / "pieces" / file).read_bytes()


@pytest.mark.slow
def test_a_picture_that_kills_workers_is_left_alone_and_results_go_anywhere(ray, tmp_path):
    some = items(tmp_path / "art", 5)
    remote = RemoteStore(fsspec.filesystem("file", auto_mkdir=True), str(tmp_path / "bucket"))
    tally, told = work(ray, remote, some, PICTURE, Deadly)
    assert (tally.done, tally.failed) == (3, 2)
    assert (some[2], "failed", "its worker died 2 times while drawing it; it is left alone") in told
    assert (some[3], "failed", "picture 003.png is not to be drawn") in told
    done = {item.folder for item in (some[0], some[1], some[4])}
    assert {file.split("/")[0] for file in scan(tmp_path / "bucket") if file.endswith("timelapse.mp4")} == done


@pytest.mark.slow
def test_workers_that_cannot_start_are_no_pictures_fault(ray, tmp_path):
    def refuse(actors):
        raise RuntimeError("no such library")

    with pytest.raises(CheckpointError, match="a worker cannot start on the cluster"):
        OnCluster(ray, refuse, Actors(1, 0.5, 0))


@pytest.mark.slow
def test_only_this_machine_reaches_a_local_cluster(ray):
    assert ray.util.get_node_ip_address() == "127.0.0.1"
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert not ray._private.worker._global_node.webui_url


def test_actors_are_shared_out():
    assert share_out({"CPU": 16, "GPU": 4}, None, None, None) == Actors(4, 4, 1)
    assert share_out({"CPU": 16, "GPU": 4}, None, 1, 0.5) == Actors(8, 1, 0.5)
    assert share_out({"CPU": 2}, None, None, None) == Actors(1, 2, 0)
    assert share_out({"CPU": 2}, 2, 0.5, None) == Actors(2, 0.5, 0)
    assert share_out({"CPU": 64}, None, None, None) == Actors(16, 4, 0)
    assert share_out({"CPU": 2, "GPU": 1}, None, None, 0.5) == Actors(2, 1, 0.5)
    assert Actors(1, 0.5, 0).threads == 1 and Actors(1, 4, 0).threads == 4
    for asked in ((3, 1, 0), (1, 1, 1), (0, 1, 0), (None, 8, None)):
        with pytest.raises(InputError, match="do not fit the cluster's 2 CPUs and 0 GPUs"):
            share_out({"CPU": 2}, *asked)


def test_addresses_where_nobody_answers():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        check_answers(f"127.0.0.1:{listener.getsockname()[1]}")
        port = listener.getsockname()[1]
    for address in (f"127.0.0.1:{port}", f"ray://127.0.0.1:{port}", "127.0.0.1:99999"):
        with pytest.raises(InputError, match="no Ray cluster answers"):
            check_answers(address)
    for address in ("somewhere", "", "host:", ":10"):
        with pytest.raises(InputError, match="use local, auto or HOST:PORT"):
            check_answers(address)
    check_answers("auto")


def test_without_ray(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match="pip install"), connected("local"):
        pass
    assert paints_undo.batch.cluster.OBJECT_STORE < 2**30
