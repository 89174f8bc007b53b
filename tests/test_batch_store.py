"""A folder and a remote place behave alike."""

import pickle

import fsspec
import pytest

from paints_undo.batch.store import RemoteStore, Store, open_store
from paints_undo.errors import InputError


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    if request.param == "local":
        yield open_store(str(tmp_path / "out"))
        return
    files = fsspec.filesystem("memory")
    yield open_store("memory://out/results")
    files.rm("/out", recursive=True)


def test_files_are_written_read_and_listed(store):
    assert store.read("a/b.txt") is None and store.sizes("a") == {}
    store.write("a/b.txt", b"one")
    store.write("a/b.txt", b"other")
    store.write("a/deeper/c.txt", b"")
    assert store.read("a/b.txt") == b"other" and store.sizes("a") == {"b.txt": 5}


def test_lines_are_added_file_by_file(store):
    for name, line in [("l/1", b"a\n"), ("l/1", b"b\n"), ("l/2", b"c\n")]:
        store.append(name, line)
    assert store.read("l/1") == b"a\nb\n" and store.read("l/2") == b"c\n"


def test_a_working_copy_ends_in_its_place(store):
    with store.working_copy("run") as folder:
        (folder / "keyframes").mkdir(parents=True)
        (folder / "keyframes" / "1.png").write_bytes(b"picture")
    assert store.read("run/keyframes/1.png") == b"picture"


def test_a_remote_place_sees_nothing_of_a_failure():
    store = open_store("memory://out/failed")
    assert isinstance(store, RemoteStore) and store.folder is None
    with pytest.raises(ZeroDivisionError), store.working_copy("run") as folder:
        folder.mkdir()
        (folder / "half").write_bytes(b"")
        raise ZeroDivisionError
    assert store.sizes("run") == {}


def test_a_bucket_that_is_not_there_is_not_made(monkeypatch):
    files = fsspec.filesystem("memory")
    monkeypatch.setattr(fsspec.core, "url_to_fs", lambda place: (files, place.removeprefix("s3://")))
    files.makedirs("drawings", exist_ok=True)
    open_store("s3://drawings/june").write("a", b"1")
    assert files.cat_file("drawings/june/a") == b"1"
    with pytest.raises(InputError, match="there is no bucket drawinsg for the results"):
        open_store("s3://drawinsg/june")
    assert not files.exists("drawinsg")


def test_a_store_travels(store):
    store.write("a", b"1")
    assert pickle.loads(pickle.dumps(store)).read("a") == b"1"


def test_places_that_are_none(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        open_store(str(tmp_path / "file"))
    with pytest.raises(InputError, match="results cannot go to nowhere://x"):
        open_store("nowhere://x")
    assert isinstance(open_store(f"file://{tmp_path}/x"), Store)
