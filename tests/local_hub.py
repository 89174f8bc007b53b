"""A model hub on this computer, whose answers can be made to fail."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee" + 34 * "0"
FAULTS = ("cut", "stall", "corrupt", "truncate", "ignore the range", "500", "503", "404", "401", "403")


def git_digest(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class LocalHub:
    """Files by "repository/path"; faults[...] lists what goes wrong next, with each GET (a status: with HEAD, too)."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.got: list[tuple[str, str, int, str]] = []  # method, name, first byte, authorization
        self.closing = threading.Event()
        self.url = ""

    def serve_family(self, folder: Path, repositories: dict[str, str]) -> None:
        """The files below each folder/NAME as those of repositories[NAME]."""
        for name, repository in repositories.items():
            for file in (folder / name).rglob("*"):
                if file.is_file():
                    self.contents[f"{repository}/{file.relative_to(folder / name).as_posix()}"] = file.read_bytes()


@contextmanager
def local_hub() -> Iterator[LocalHub]:
    """A hub that listens until the block ends."""
    hub = LocalHub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer("HEAD")

        def do_GET(self) -> None:
            self.answer("GET")

        def answer(self, method: str) -> None:
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            name = f"{repository}/{rest.partition('/')[2]}"
            first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0])
            hub.got.append((method, name, first, self.headers.get("Authorization", "")))
            faults = hub.faults[name]
            fault = faults.pop(0) if faults and (method == "GET" or faults[0].isdigit()) else ""
            if name not in hub.contents:
                fault = "404"
            if fault.isdigit():
                self.send_response(int(fault))
                if fault == "404":
                    self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send(method, hub.contents[name], 0 if fault == "ignore the range" else first, fault, name)

        def send(self, method: str, whole: bytes, first: int, fault: str, name: str) -> None:
            large = name.endswith((".safetensors", ".onnx", ".big"))
            body = whole[first:]
            if fault == "corrupt":
                body = bytes(len(body) // 2) + body[len(body) // 2 :]
            if fault == "truncate":
                body = body[: len(body) // 2]
            if first >= len(whole) > 0:
                self.send_response(416)
            else:
                self.send_response(206 if first else 200)
            if first:
                self.send_header("Content-Range", f"bytes {first}-{len(whole) - 1}/{len(whole)}")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("ETag", f'"{hashlib.sha256(whole).hexdigest() if large else git_digest(whole)}"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if method == "HEAD":
                return
            if fault in ("cut", "stall"):
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                if fault == "stall":
                    hub.closing.wait(5)
                self.close_connection = True
                return
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()
