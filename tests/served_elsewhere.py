"""Programs that serve the app, started as processes of their own, for tests of how it starts and of who hosts it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

GRADIO_APP = Path(__file__).parent.parent / "gradio_app.py"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Program:
    """A Python program that serves the app at a port of this computer, at work in a folder.

    variables: of its environment beside ours; None takes one away.
    """

    def __init__(self, folder: Path, command: Sequence[object], port: int, **variables: str | None) -> None:
        self.folder, self.port, self.address = folder, port, f"http://127.0.0.1:{port}/"
        self._command = [sys.executable, *map(str, command)]
        given = {**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1", **variables}
        self._environment = {name: value for name, value in given.items() if value is not None}
        self.start()

    def start(self) -> None:
        """Also once more, after it was stopped."""
        # Tests that run in the background of a shell are deaf to Ctrl+C, and so would be what they start.
        hearing = (lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) if os.name == "posix" else None
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(self._command, cwd=self.folder, env=self._environment, stdout=log,
                                            stderr=log, preexec_fn=hearing)  # fmt: skip

    @property
    def _log(self) -> Path:
        return self.folder / f"served at {self.port}.log"

    def words(self) -> str:
        """What it said since its start."""
        return self._log.read_text("utf-8", "replace")

    def page(self) -> str:
        """The page, as soon as it is there."""
        with httpx.Client(trust_env=False, timeout=10) as client:
            for _ in range(1200):
                try:
                    return client.get(self.address).raise_for_status().text
                except httpx.TransportError:
                    assert self.process.poll() is None, self.words()
                    time.sleep(0.1)
        raise AssertionError(self.words())

    def stop(self, how: int = signal.SIGTERM) -> None:
        self.process.send_signal(how)
        self.process.wait(60)


@contextmanager
def served(command: list[str], folder: Path, port: int, **environment: str) -> Iterator[str]:
    """Run a Python program in a folder; gives the address once the app answers there, and ends the program."""
    program = Program(folder, command, port, **environment)
    try:
        program.page()
        yield program.address
    finally:
        program.stop()
