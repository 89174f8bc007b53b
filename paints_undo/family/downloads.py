"""Files of the model hub over the network: resumed where an earlier attempt stopped, and compared with their digest.

The hub client begins a broken download anew and checks no content; here a partial file stays beside the cache's blobs,
whoever comes next goes on with it, and only a file with the right digest gets its name. HF_ENDPOINT, HF_TOKEN,
HF_HOME, HF_HUB_OFFLINE and HF_HUB_DOWNLOAD_TIMEOUT are the client's own, and hold.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from huggingface_hub import constants, get_hf_file_metadata, get_token, hf_hub_url
from huggingface_hub.errors import OfflineModeIsEnabled
from huggingface_hub.utils import WeakFileLock, build_hf_headers, get_session, hf_raise_for_status, tqdm

from paints_undo.errors import CheckpointError, Sentence
from paints_undo.family.cache import HubFile, digest_of, find, is_digest, place, repository_folder

log = logging.getLogger(__name__)

ATTEMPTS = 5  # in a row that bring no byte
FIRST_WAIT = 1.0  # seconds before the second attempt, doubled before each further one
OFFLINE = "HF_HUB_OFFLINE is set: unset it, or copy the files from a computer that has them with --from FOLDER"


@dataclass(frozen=True)
class Remote:
    """What the server says about a file."""

    commit: str
    digest: str
    size: int


def ask(file: HubFile) -> Remote:
    """What the server says about a file. Raises CheckpointError naming repository, file, folder and remedy."""
    for attempt in range(ATTEMPTS):
        try:
            url = hf_hub_url(file.repository, file.path, revision=file.revision)
            found = get_hf_file_metadata(url, headers=build_hf_headers())
            break
        except Exception as error:  # the hub's, the HTTP client's and the system's errors, depending on where it broke
            if attempt + 1 == ATTEMPTS or not _may_pass(error):
                raise _failed(file, error) from error
            time.sleep(FIRST_WAIT * 2**attempt)
    digest = file.sha256 or found.etag
    if not found.commit_hash or not is_digest(digest) or found.size is None:
        raise CheckpointError(
            "{file} cannot be downloaded: {endpoint} does not answer as a model hub does; correct or "
            "unset HF_ENDPOINT, or check what your proxy does",
            file,
            constants.ENDPOINT,
        )
    return Remote(found.commit_hash, digest, found.size)


def check_disk(needed: int, cache: Path) -> None:
    """Raises CheckpointError where the disk of a cache has less free than `needed` bytes."""
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise CheckpointError(
            "the download needs {needed:.1f} GB in {cache}, but {free:.1f} GB are free there; free some "
            "space, or set HF_HOME to a folder on another disk",
            needed / 1e9,
            cache,
            free / 1e9,
        )


def partial_of(file: HubFile, remote: Remote, cache: Path) -> Path:
    """Where the bytes of a file are while it is not whole."""
    return repository_folder(file, cache) / "blobs" / f"{remote.digest}.partial"


def download(file: HubFile, remote: Remote, cache: Path) -> Path:
    """The path of a file in a cache, fetched unless another process does so meanwhile.

    A file with the wrong digest is set aside and fetched once more.  Raises CheckpointError naming repository, file,
    folder and remedy; what was fetched until then stays for the next attempt.
    """
    partial = partial_of(file, remote, cache)
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        lock = cache / ".locks" / partial.parents[1].name / f"{remote.digest}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with WeakFileLock(lock):
            if found := find(file, cache):  # the process that had the lock was first
                return found
            for _ in range(2):
                _transfer(file, remote, partial)
                digest = digest_of(partial, like=remote.digest)
                if digest == remote.digest:
                    return place(partial, file, cache, remote.commit, digest)
                aside = partial.with_suffix(".damaged")
                os.replace(partial, aside)
                log.warning("%s came with the digest %s and is set aside as %s", file, digest, aside)
    except CheckpointError:
        raise
    except Exception as error:  # as in ask
        raise _failed(file, error) from error
    raise CheckpointError(
        "{file} came twice with other content than published (digest {digest} instead of "
        "{expected}); it is set aside as {aside}; unset HF_ENDPOINT, or try another network",
        file,
        digest,
        remote.digest,
        aside,
    )


def _transfer(file: HubFile, remote: Remote, partial: Path) -> None:
    """Append to a partial file what it lacks, in as many attempts as bring something."""
    fruitless = 0
    while True:
        with partial.open("ab") as stream:
            if stream.tell() > remote.size:
                stream.truncate(0)
                stream.seek(0)
            before = stream.tell()
            if before == remote.size:
                return
            if before:
                log.info("%s goes on at %.1f of %.1f MB", file, before / 1e6, remote.size / 1e6)
            try:
                return _append(file, remote, stream)
            except Exception as error:  # as in ask
                stream.flush()
                fruitless = 0 if stream.tell() > before else fruitless + 1
                if fruitless == ATTEMPTS or not _may_pass(error):
                    raise
                log.info("%s: %s; trying again", file, _first_line(error))
        time.sleep(FIRST_WAIT * 2**fruitless)


def _append(file: HubFile, remote: Remote, stream: IO[bytes]) -> None:
    first = stream.tell()
    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}  # a compressed answer has no place to resume at
    if first:
        headers["Range"] = f"bytes={first}-"
    url = hf_hub_url(file.repository, file.path, revision=remote.commit)
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", url, headers=headers, timeout=timeout) as response:
        hf_raise_for_status(response)
        if first and response.status_code != 206:  # the server begins at the beginning
            stream.truncate(0)
            stream.seek(0)
        with tqdm(total=remote.size, initial=stream.tell(), unit="B", unit_scale=True, desc=file.home) as bar:
            for block in response.iter_raw():
                stream.write(block)
                bar.update(len(block))
    if stream.tell() != remote.size:
        raise OSError(f"the server sent {stream.tell():,} of {remote.size:,} bytes")


def wrong_setting() -> Sentence:
    """What is wrong with the client's own settings, so that no request can be sent; empty where nothing is."""
    token = get_token() or ""
    if not (token.isascii() and token.isprintable() and " " not in token):  # the value itself is nobody's to read
        return Sentence(
            "HF_TOKEN, or the file of `hf auth login`, holds characters that no token has: set it again, or unset it"
        )
    try:
        address = urlsplit(constants.ENDPOINT)
        whole = address.scheme in ("http", "https") and address.hostname and (address.port is None or address.port)
    except ValueError:  # a port that is no number
        whole = False
    if not whole or any(letter.isspace() for letter in constants.ENDPOINT):
        sentence = "HF_ENDPOINT is {endpoint!r}, which is no address: begin it with https://, or unset it"
        return Sentence(sentence, constants.ENDPOINT)
    return Sentence("")


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _may_pass(error: Exception) -> bool:
    """Whether another attempt makes sense."""
    if isinstance(error, OfflineModeIsEnabled) or getattr(error, "errno", None) in (errno.ENOSPC, errno.EACCES):
        return False
    if wrong_setting():
        return False
    status = _status(error)
    return status is None or status in (408, 416, 429) or status >= 500


def _failed(file: HubFile, error: Exception) -> CheckpointError:
    status = _status(error)
    if isinstance(error, OfflineModeIsEnabled):
        reason = OFFLINE
    elif wrong := wrong_setting():
        reason = wrong
    elif status in (401, 403):
        reason = f"the server refuses it (status {status}): log in with `hf auth login`, or set HF_TOKEN"
    elif status == 404:
        reason = f"{constants.ENDPOINT} does not have it (status 404): correct or unset HF_ENDPOINT"
    elif status is not None:
        reason = f"the server answers with status {status}: try again later, or set HF_ENDPOINT to a mirror"
    elif getattr(error, "errno", None) == errno.ENOSPC:
        reason = "the disk is full: free some space, or set HF_HOME to a folder on another disk"
    elif isinstance(error, PermissionError):
        reason = "that folder may not be written to: set HF_HOME to one that may"
    else:
        reason = (
            f"{_first_line(error)}: check the connection and start again, it goes on where it stopped; or set "
            "HF_ENDPOINT to a mirror, or copy the files from another computer with --from FOLDER"
        )
    return CheckpointError("{file} cannot be downloaded to {cache}: {reason}", file, constants.HF_HUB_CACHE, reason)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "").rstrip(". ") or type(error).__name__
