"""One folder belongs to one holder at a time, and to nobody once its holder is gone."""

import errno

import pytest

from paints_undo.errors import InputError
from paints_undo.run import locks
from paints_undo.run.locks import LOCK, FolderLock


def test_one_holder_at_a_time(tmp_path):
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    with first.held() as alone, first.held():  # the same may again
        assert alone
        with pytest.raises(InputError, match="another process; wait until it is done"), second.held():
            raise AssertionError("two at once")
    with second.held() as alone:
        assert alone
    assert [each.name for each in tmp_path.iterdir()] == [LOCK]


def test_a_folder_that_is_gone_or_forbidden_is_one_sentence(tmp_path, monkeypatch):
    gone = FolderLock(tmp_path / "gone")
    with pytest.raises(OSError, match="Cannot write .lock in the folder .*gone: no such file"), gone.held():
        raise AssertionError("held nothing")
    assert not (tmp_path / "gone").exists()

    def fail(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(locks.FileLock, "acquire", fail)
    with pytest.raises(OSError, match="choose a folder you may write to"), FolderLock(tmp_path).held():
        raise AssertionError("held nothing")


@pytest.mark.parametrize("error", [OSError(errno.ENOLCK, "No locks"), NotImplementedError("no flock")])
def test_without_locks_there_is_a_warning(tmp_path, monkeypatch, caplog, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(locks.FileLock, "acquire", fail)
    with FolderLock(tmp_path).held() as alone:
        assert not alone
    assert "is on a drive without locks" in caplog.text
