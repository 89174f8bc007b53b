"""Downloads from a hub of our own that cuts, stalls, corrupts, truncates and refuses."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants
from local_hub import COMMIT, LocalHub, local_hub

from paints_undo.doctor.published_files import hub_answer
from paints_undo.errors import CheckpointError
from paints_undo.family import downloads as hub_downloads
from paints_undo.family.cache import HubFile, find
from paints_undo.family.downloads import ask, check_disk, download, partial_of, wrong_setting

BIG = HubFile("somebody/models", COMMIT, "unet/model.big", "single_frame/unet/model.big")
SMALL = HubFile("somebody/models", COMMIT, "unet/config.json", "single_frame/unet/config.json")
CONTENT = np.random.default_rng(5).bytes(3_000_000)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A hub with two files, and a client that loses patience early."""
    with local_hub() as hub:
        hub.contents = {f"{BIG.repository}/{BIG.path}": CONTENT, f"{BIG.repository}/{SMALL.path}": b'{"a": 1}'}
        use(hub, monkeypatch)
        yield hub


def use(hub: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    url = partial(huggingface_hub.hf_hub_url, endpoint=hub.url)
    monkeypatch.setattr(hub_downloads, "hf_hub_url", url)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(hub_downloads, "tqdm", partial(hub_downloads.tqdm, disable=True))


def gets(hub: LocalHub) -> list[int]:
    """The first byte that each GET of the large file asked for."""
    return [first for method, name, first, _ in hub.got if method == "GET" and name.endswith(".big")]


def refusal(file: HubFile, cache: Path) -> str:
    with pytest.raises(CheckpointError) as refused:
        download(file, ask(file), cache)
    message = str(refused.value)
    assert str(file) in message and len(message.splitlines()) == 1
    return message


@pytest.mark.parametrize("file", [BIG, SMALL])
def test_a_whole_file_lies_where_the_hub_client_looks(hub: LocalHub, tmp_path: Path, file: HubFile) -> None:
    path = download(file, ask(file), tmp_path)
    assert path.read_bytes() == hub.contents[f"{file.repository}/{file.path}"]
    local = {"cache_dir": tmp_path, "revision": COMMIT, "local_files_only": True}
    assert huggingface_hub.hf_hub_download(file.repository, file.path, **local) == str(path)
    assert not list(tmp_path.rglob("*.partial"))
    hub.got.clear()
    assert download(file, hub_downloads.Remote(COMMIT, path.resolve().name, 0), tmp_path) == path and not hub.got


@pytest.mark.parametrize(
    ("faults", "resumed"),
    [
        (["cut"], 1),
        (["stall"], 1),
        (["truncate"], 1),
        (["cut", "stall", "truncate", "cut"], 4),
        (["cut", "ignore the range"], 1),
        (["cut", "500", "cut"], 3),
    ],
)
def test_a_torn_download_goes_on_where_it_stopped(
    hub: LocalHub, tmp_path: Path, faults: list[str], resumed: int
) -> None:
    remote = ask(BIG)
    hub.faults[f"{BIG.repository}/{BIG.path}"] = list(faults)
    assert download(BIG, remote, tmp_path).read_bytes() == CONTENT
    first, *later = gets(hub)
    assert first == 0 and len(later) == resumed and min(later) >= len(CONTENT) // 2 and later == sorted(later)


def test_a_download_is_resumed_by_the_next_start(hub: LocalHub, tmp_path: Path) -> None:
    remote = ask(BIG)
    begun = partial_of(BIG, remote, tmp_path)
    begun.parent.mkdir(parents=True)
    begun.write_bytes(CONTENT[:1_234_567])
    assert download(BIG, remote, tmp_path).read_bytes() == CONTENT
    assert gets(hub) == [1_234_567]


@pytest.mark.parametrize("left", [CONTENT + b"more", bytes(1000), CONTENT])
def test_whatever_a_crash_left_is_put_right(hub: LocalHub, tmp_path: Path, left: bytes) -> None:
    remote = ask(BIG)
    begun = partial_of(BIG, remote, tmp_path)
    begun.parent.mkdir(parents=True)
    begun.write_bytes(left)
    assert download(BIG, remote, tmp_path).read_bytes() == CONTENT


def test_a_corrupt_download_is_set_aside_and_fetched_once_more(hub: LocalHub, tmp_path: Path) -> None:
    hub.faults[f"{BIG.repository}/{BIG.path}"] = ["corrupt"]
    assert download(BIG, ask(BIG), tmp_path).read_bytes() == CONTENT
    assert gets(hub) == [0, 0] and len(list(tmp_path.rglob("*.damaged"))) == 1


def test_a_hub_that_always_sends_something_else(hub: LocalHub, tmp_path: Path) -> None:
    hub.faults[f"{BIG.repository}/{BIG.path}"] = ["corrupt"] * 9
    message = refusal(BIG, tmp_path)
    assert "came twice with other content than published" in message and "unset HF_ENDPOINT" in message
    assert len(gets(hub)) == 2 and find(BIG, tmp_path) is None


def test_the_published_sha256_counts_whatever_the_hub_says(hub: LocalHub, tmp_path: Path) -> None:
    pinned = HubFile(BIG.repository, COMMIT, BIG.path, BIG.home, sha256=hashlib.sha256(b"other").hexdigest())
    assert f"instead of {pinned.sha256}" in refusal(pinned, tmp_path)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("500", "the server answers with status 500: try again later"),
        ("404", "does not have it (status 404): correct or unset HF_ENDPOINT"),
        ("401", "refuses it (status 401): log in with `hf auth login`, or set HF_TOKEN"),
        ("403", "refuses it (status 403): log in"),
    ],
)
def test_refusals_are_one_sentence_with_the_remedy(hub: LocalHub, tmp_path: Path, status: str, words: str) -> None:
    hub.faults[f"{BIG.repository}/{BIG.path}"] = [status] * 50
    assert words in refusal(BIG, tmp_path)
    hub.faults[f"{BIG.repository}/{BIG.path}"] = ["500", "503"]  # which pass
    assert download(BIG, ask(BIG), tmp_path).read_bytes() == CONTENT


def test_a_hub_that_is_gone_midway(hub: LocalHub, tmp_path: Path) -> None:
    remote = ask(BIG)
    hub.faults[f"{BIG.repository}/{BIG.path}"] = ["cut"] + ["500"] * 99
    with pytest.raises(CheckpointError, match="status 500"):
        download(BIG, remote, tmp_path)
    kept = partial_of(BIG, remote, tmp_path).stat().st_size
    assert kept > 1_000_000
    hub.faults.clear()
    hub.got.clear()
    download(BIG, remote, tmp_path)
    assert gets(hub) == [kept]


def test_no_network(monkeypatch: pytest.MonkeyPatch, hub: LocalHub, tmp_path: Path) -> None:
    monkeypatch.setattr(hub_downloads, "hf_hub_url", partial(huggingface_hub.hf_hub_url, endpoint="http://127.0.0.1:9"))
    with pytest.raises(CheckpointError, match="check the connection and start again, it goes on where it stopped"):
        ask(BIG)


def test_strictly_offline(monkeypatch: pytest.MonkeyPatch, hub: LocalHub, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE is set: unset it, or copy"):
        ask(BIG)
    assert not hub.got


def test_the_token_is_sent(monkeypatch: pytest.MonkeyPatch, hub: LocalHub, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    download(BIG, ask(BIG), tmp_path)
    assert {authorization for *_, authorization in hub.got} == {"Bearer hf_secret"}


def test_a_server_that_is_no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = SimpleNamespace(commit_hash=None, etag="x", size=3)
    monkeypatch.setattr(hub_downloads, "get_hf_file_metadata", lambda url, headers: answer)
    with pytest.raises(CheckpointError, match="does not answer as a model hub does; correct or unset HF_ENDPOINT"):
        ask(BIG)


def test_too_little_room(monkeypatch: pytest.MonkeyPatch, hub: LocalHub, tmp_path: Path) -> None:
    check_disk(1, tmp_path / "not" / "there" / "yet")
    with pytest.raises(CheckpointError, match=r"needs 9000000.0 GB in .*free some space, or set HF_HOME"):
        check_disk(9 * 10**15, tmp_path)
    for error, said in (
        (OSError(28, "No space left on device"), "the disk is full: free some space, or set HF_HOME"),
        (PermissionError(13, "Permission denied"), "may not be written to: set HF_HOME"),
    ):
        monkeypatch.setattr(hub_downloads, "_append", Mock(side_effect=error))
        assert said in refusal(BIG, tmp_path)


def test_those_that_start_together_download_once(hub: LocalHub, tmp_path: Path) -> None:
    """Threads as processes would: the lock is a file, and each opens it by itself."""
    hub.faults[f"{BIG.repository}/{BIG.path}"] = ["cut", "corrupt"]
    remote, found = ask(BIG), []
    threads = [threading.Thread(target=lambda: found.append(download(BIG, remote, tmp_path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(set(found)) == 1 and len(found) == 4 and len(gets(hub)) == 3, "cut, corrupt, whole"
    assert found[0].read_bytes() == CONTENT


@pytest.mark.parametrize("token", ["hf_tökén", "“hf_abc”", "hf_abc\u200b"])
def test_a_token_that_cannot_be_one_is_named_and_not_shown(hub: LocalHub, tmp_path: Path, monkeypatch, token) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    assert refusal(SMALL, tmp_path) == (
        f"{SMALL} cannot be downloaded to {constants.HF_HUB_CACHE}: HF_TOKEN, or the file of `hf auth login`, holds "
        "characters that no token has: set it again, or unset it"
    )
    assert hub.got == []


@pytest.mark.parametrize(
    "endpoint", ["hf-mirror.example", "hf-mirror.example:443/x", "ftp://hf.example", "https://", "http://a b", "//x.y"]
)
def test_an_endpoint_that_is_no_address_is_named(tmp_path: Path, monkeypatch, endpoint) -> None:
    """The client itself, with its own waits: nothing is tried again that cannot go."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(hub_downloads, "hf_hub_url", partial(huggingface_hub.hf_hub_url, endpoint=endpoint))
    assert refusal(SMALL, tmp_path) == (
        f"{SMALL} cannot be downloaded to {constants.HF_HUB_CACHE}: HF_ENDPOINT is {endpoint!r}, which is no address: "
        "begin it with https://, or unset it"
    )
    assert waited == [] and hub_answer() == (
        f"HF_ENDPOINT is {endpoint!r}, which is no address: begin it with https://, or unset it",
        "note",
    )


def test_settings_that_are_right_are_let_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_abcDEF123")
    for endpoint in (
        "https://huggingface.co",
        "http://127.0.0.1:8000",
        "http://[::1]:80/path",
        "HTTPS://mirror.example",
    ):
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        assert wrong_setting() == ""
