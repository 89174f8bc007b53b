"""What has to be there before the server starts: a port, and a folder of its own for uploads."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import errno
import os
import shutil
import socket
import tempfile
from pathlib import Path

from filelock import FileLock, Timeout
from gradio import routes, screen_recording_utils
from gradio.http_server import INITIAL_PORT_VALUE, TRY_NUM_PORTS

from paints_undo.errors import InputError

_UPLOADS = "paints-undo-"
_LOCK = ".lock"


def own_upload_folder() -> Path:
    """The folder for uploads, which gradio takes from GRADIO_TEMP_DIR: the one given there, else one of this process.

    That one is private and goes with the process; what one that was killed has left goes now. Raises InputError where
    it cannot be written to.
    """
    given = os.environ.get("GRADIO_TEMP_DIR")
    place: str | Path = given or "the temporary folder"
    try:
        if not given:
            place = temporary = Path(tempfile.gettempdir()).resolve()
            os.environ["GRADIO_TEMP_DIR"] = str(_private(temporary))
        folder = Path(os.environ["GRADIO_TEMP_DIR"])
        folder.mkdir(parents=True, exist_ok=True)
        for module in (routes, screen_recording_utils):  # which read it when they were imported
            module.DEFAULT_TEMP_DIR = str(folder)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(
            f"uploads cannot be kept in {place} ({reason}): set TMPDIR or GRADIO_TEMP_DIR to a folder of your own"
        ) from error


def _private(temporary: Path) -> Path:
    """A new folder for this process alone; those whose processes have ended are removed."""
    for left in temporary.glob(f"{_UPLOADS}*/{_LOCK}"):
        with contextlib.suppress(OSError, Timeout):
            if not hasattr(os, "getuid") or left.parent.lstat().st_uid == os.getuid():
                with FileLock(left, timeout=0):
                    shutil.rmtree(left.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_UPLOADS, dir=temporary))
    lock = FileLock(folder / _LOCK, timeout=0)
    lock.acquire()
    atexit.register(_remove, lock, folder, os.getpid())
    return folder


def _remove(lock: FileLock, folder: Path, owner: int) -> None:
    if os.getpid() == owner:  # not a child of it
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def port_number(text: str) -> int:
    """The number of a port, for the command line."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is no port: give a number from 1 to 65535, or leave it out")
    return int(text)


def check_port(host: str, port: int) -> None:
    """Raises InputError where a server cannot listen there."""
    with socket.socket() as probe:
        if os.name == "posix":  # where it lets ports be used again at once, and does not let two use one
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise InputError(f"port {port} is taken; choose another one with --port") from error
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"port {port} cannot be used ({reason}); choose one from 1024 on with --port") from error


def check_any_port(host: str) -> None:
    """Raises InputError where a server can listen at none of the ports that gradio tries by itself."""
    last = INITIAL_PORT_VALUE + TRY_NUM_PORTS - 1
    for port in range(INITIAL_PORT_VALUE, last + 1):
        with contextlib.suppress(InputError):
            return check_port(host, port)
    raise InputError(f"all ports from {INITIAL_PORT_VALUE} to {last} are taken; choose another one with --port")
