"""Ray as it is: one local cluster for all tests of this file."""

import os
import socket
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import fsspec
import pytest
from batch_pictures import QuickEngine, items, scan

import paints_undo.batch.cluster
from paints_undo.batch.cluster import Actors, OnCluster, check_answers, connected, share_out
from paints_undo.batch.ledger import Leases, Ledger
from paints_undo.batch.scheduling import Here, Schedule
from paints_undo.batch.store import RemoteStore, Store
from paints_undo.batch.tasks import Worker
from paints_undo.errors import CheckpointError, InputError


@pytest.fixture(scope="module")
def ray():
    if find_spec("ray") is None:  # not imported here: what it binds to is decided when it is
        pytest.skip("needs Ray: pip install '.[cluster]'")
    with pytest.MonkeyPatch.context() as patch:
        # where actors find this file
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *sys.path]))
        patch.setattr(paints_undo.batch.cluster, "START_SECONDS", 600)  # tests may have little of the machine
        with connected("local") as running:
            yield running


class Deadly(Worker):
    """A worker that one picture ends, and that refuses another."""

    def do(self, task, on_progress=None):
        if task.item.name == "picture 002.png":
            os._exit(1)
        if task.item.name == "picture 003.png":
            raise InputError("picture 003.png is not to be drawn")
        return super().do(task)


def listening():
    """Where anything on this machine waits for connections: addresses and ports as the kernel writes them."""
    files = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
    rows = [line.split() for file in files if file.exists() for line in file.read_text().splitlines()[1:]]
    return {row[1] for row in rows if row[3] == "0A"}


@pytest.mark.slow
def test_pictures_on_ray_and_one_that_kills_workers(ray, tmp_path):
    some, told = items(tmp_path / "art", 5), []
    remote = RemoteStore(fsspec.filesystem("file", auto_mkdir=True), str(tmp_path / "bucket"))
    pool = OnCluster(ray, partial(make, remote), Actors(2, 0.5, 0))
    schedule = Schedule(Ledger(remote), Leases(None), pool, 2, lambda *words: told.append(words[1:]))
    tally = schedule.work_through(some)
    assert (tally.done, tally.failed) == (3, 2)
    assert (some[2], "failed", "its worker died 2 times while drawing it; it is left alone") in told
    assert (some[3], "failed", "picture 003.png is not to be drawn") in told

    store = Store(tmp_path)
    here = Schedule(Ledger(store), Leases(None), Here(make(store, None).do), 2, ignore)
    assert here.work_through([some[0], some[1], some[4]]).done == 3
    drawn = {name: data for name, data in scan(tmp_path / "bucket").items() if "/segments/" in name}
    assert len(drawn) == 9 and all((tmp_path / name).read_bytes() == data for name, data in drawn.items())


def make(store, actors):
    return (Deadly if actors else Worker)(QuickEngine, store)


def ignore(*words):
    pass


@pytest.mark.slow
def test_workers_that_cannot_start_are_no_pictures_fault(ray):
    with pytest.raises(CheckpointError, match="a worker cannot start on the cluster .*no such library"):
        OnCluster(ray, refuse, Actors(1, 0.5, 0))


def refuse(actors):
    raise RuntimeError("no such library")


@pytest.mark.slow
def test_only_this_machine_reaches_a_local_cluster(ray):
    before = listening()
    ray.shutdown()
    assert not any(place.startswith(("00000000:", "0" * 32 + ":")) for place in before - listening())
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


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
