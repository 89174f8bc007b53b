"""A reverse proxy as small as one can be, which serves a program below a path, as nginx does."""

from __future__ import annotations

import asyncio
import contextlib
import threading


class SmallProxy:
    """Serves what is at a port of this computer below /paints; everything else is not found.

    strips: whether the path goes on without /paints. host: what becomes of the header Host, by default nothing.
    """

    def __init__(self, port: int, strips: bool = True, host: str | None = None, scheme: str = "http") -> None:
        self._port, self._strips, self._host, self._scheme = port, strips, host, scheme
        self.strayed: list[str] = []  # requests to other paths
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        begun = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop)
        self._server = begun.result(10)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            line, *headers = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
            method, path, version = line.split(" ")
            if not path.startswith("/paints/"):
                self.strayed.append(path)
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                path = path.removeprefix("/paints") if self._strips else path
                there, back = await asyncio.open_connection("127.0.0.1", self._port)
                head = "\r\n".join([f"{method} {path} {version}", *self._passed_on(headers)])
                back.write(f"{head}\r\n\r\n".encode("latin-1"))
                ahead = asyncio.ensure_future(_pour(reader, back))
                await _pour(there, writer)
                ahead.cancel()
                back.close()
        writer.close()

    def _passed_on(self, headers: list[str]) -> list[str]:
        named = dict(line.split(": ", 1) for line in headers)
        named = {name.lower(): value for name, value in named.items()}
        asked = named["host"]
        named |= {"host": self._host or asked, "connection": "close", "x-forwarded-host": asked}
        named |= {"x-forwarded-proto": self._scheme, "x-forwarded-for": "203.0.113.5"}
        return [f"{name}: {value}" for name, value in named.items()]

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
