"""Programs that serve the app, started as processes of their own, for tests of the places that host it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def served(command: list[str], folder: Path, port: int, **environment: str) -> Iterator[str]:
    """Run a Python program in a folder; gives the address once the app answers there, and ends the program."""
    variables = {**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1", **environment}
    log, address = folder / "served.log", f"http://127.0.0.1:{port}/"
    with log.open("w") as said:
        process = subprocess.Popen([sys.executable, *command], cwd=folder, env=variables, stdout=said, stderr=said)
    try:
        for _ in range(1200):
            assert process.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(address, timeout=10).close()
                break
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                time.sleep(0.2)
        else:
            raise AssertionError(f"nothing answered at {address}: {log.read_text()}")
        yield address
    finally:
        process.terminate()
        process.wait(30)
