"""The ffmpeg program that imageio-ffmpeg brings along: found, started and watched; its failures are one sentence."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg

from paints_undo.errors import FileError

VARIABLE = "IMAGEIO_FFMPEG_EXE"  # imageio-ffmpeg takes the program that it names, and asks no further
INSTALL = "pip install --force-reinstall imageio-ffmpeg"
# Seconds without any progress after which it hangs. It is never the whole work that is timed: a long film may take
# hours, and its largest frame on a slow computer ten seconds.
SILENCE = 120.0
LOOKS = 20  # in that time
_listed: dict[str, str] = {}  # program -> what it lists as its encoders
_COUNT = re.compile(r"^[a-z_0-9]+=\s*\S+$")  # a line of -progress


class Ffmpeg:
    """One run of the program. Whoever waits for it longer than SILENCE ends it."""

    def __init__(self, process: subprocess.Popen, messages: Path) -> None:
        self._process, self._messages = process, messages
        self.hangs = False
        self._waiting_since: float | None = None
        self._over = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def feed(self, data: bytes | memoryview) -> None:
        """Gives it bytes to read. Raises FfmpegStopped when it reads no more."""
        assert self._process.stdin
        with self._watched():
            try:
                self._process.stdin.write(data)
            except OSError as error:
                raise FfmpegStopped from error

    def read(self, size: int) -> bytes:
        """This many bytes of what it writes, fewer at the end."""
        assert self._process.stdout
        with self._watched():
            return self._process.stdout.read(size)

    def readline(self) -> bytes:
        """A line of what it writes; nothing at the end."""
        assert self._process.stdout
        with self._watched():
            return self._process.stdout.readline()

    def ended(self) -> int:
        """Its exit status, when it has nothing more to do."""
        seen = None
        while True:
            try:
                status = self._process.wait(SILENCE)
                self._over.set()  # nothing is left to watch
                return status
            except subprocess.TimeoutExpired:
                counted = re.findall(r"^(?:frame|total_size)=.*$", self.said(), re.MULTILINE)[-2:]
                if counted == seen:
                    self._give_up()
                seen = counted

    def said(self) -> str:
        """What it has said so far, with its counts."""
        return self._messages.read_text(encoding="utf-8", errors="replace")

    def last_words(self) -> str:
        """The last line it has said that tells something; nothing where there is none."""
        # Lines begin with the part that speaks, as in "[out#0/mp4 @ 0x55c4]", which tells a user nothing.
        lines = [re.sub(r"^(\[[^\]]*\]\s*)+", "", line.strip()) for line in self.said().splitlines()]
        telling = [line for line in lines if line not in ("", "Conversion failed!") and not _COUNT.match(line)]
        return telling[-1] if telling else ""

    def close(self) -> None:
        """Closes our ends of its pipes. Closing lets a healthy ffmpeg finish, so that waiting for it cannot hang."""
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):  # unsent bytes of a pipe whose reader is gone
                if stream:
                    with self._watched():
                        stream.close()

    def stop(self) -> None:
        """Ends it, and whatever it has started: that would hold our pipes open."""
        if self._process.returncode is None and os.name == "posix":
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()

    def _give_up(self) -> None:
        self.hangs = True
        self.stop()

    def _watch(self) -> None:
        waits, looks = None, 0
        while not self._over.wait(SILENCE / LOOKS):
            before, waits = waits, self._waiting_since
            looks = looks + 1 if waits == before else 0
            # counted, not timed: on a computer that slept nothing hangs
            if waits is not None and looks >= LOOKS:
                self._give_up()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        self._waiting_since = time.monotonic()
        try:
            yield
        finally:
            self._waiting_since = None


class FfmpegStopped(OSError):
    """It closed its end of a pipe; why, only its exit status and its last line say."""


@contextlib.contextmanager
def running(
    arguments: list[str], purpose: str, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL
) -> Iterator[Ffmpeg]:
    """Runs ffmpeg, an Ffmpeg, while the block feeds or drains it.

    Raises OSError, one sentence that begins "Cannot" and the purpose, if it does not start, hangs or fails. An
    exception of the block passes through. Nothing runs on afterwards.
    """
    with tempfile.TemporaryDirectory() as folder:
        # To a file and not to a pipe: nobody reads a pipe here, and a full one would stop ffmpeg.
        messages = Path(folder, "messages")
        with open(messages, "wb") as said:
            process = Ffmpeg(_started(arguments, purpose, stdin, stdout, said), messages)
        try:
            try:
                yield process
            except FfmpegStopped:
                process.close()
                raise _failure(purpose, process, process.ended()) from None
            process.close()
            status = process.ended()
            if status != 0 or process.hangs:
                raise _failure(purpose, process, status)
        finally:
            process.stop()
            process.close()
            process.ended()


def unusable(purpose: str, what: str, first: str = "") -> FileError:
    """One sentence: what this ffmpeg does or does not do, and how to come to another one."""
    # without the path, which is nothing for a visitor of a web page
    chosen = bool(os.environ.get(VARIABLE))
    program = f"ffmpeg ({VARIABLE})" if chosen else "ffmpeg"
    remedy = f"let {VARIABLE} name an ffmpeg program" + (", or unset it" if chosen else f", or install it: {INSTALL}")
    return FileError("Cannot {purpose}: {program} {what}; {remedy}.", purpose, program, what, first + remedy)


def encoders(purpose: str) -> str:
    """What ffmpeg lists as its encoders. Raises OSError, one sentence."""
    program = _program(purpose)
    if program not in _listed:  # a failure is not kept: the next try may find another program in its place
        with running(["-encoders"], purpose, stdout=subprocess.PIPE) as process:
            listed = process.read(2**20).decode("utf-8", "replace")
            if not re.search(r"^ [VAS][A-Z.]{5} \w", listed, re.MULTILINE) and not process.hangs:
                process.close()
                process.ended()
                reason = process.last_words()
                raise unusable(purpose, "does not say what it encodes" + (f" but {reason!r}" if reason else ""))
        _listed[program] = listed
    return _listed[program]


def _program(purpose: str) -> str:
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise unusable(purpose, "does not start (it is not there)") from error


def _started(arguments: list[str], purpose: str, stdin, stdout, said) -> subprocess.Popen:
    command = [_program(purpose), "-hide_banner", "-nostdin", "-loglevel", "error"]
    command += ["-progress", "pipe:2", "-stats_period", "5"]
    try:
        return subprocess.Popen(
            [*command, *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=said,
            start_new_session=True,  # a group of its own, which can be ended as a whole
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # no console window on Windows
        )
    except (OSError, ValueError) as error:  # ValueError: a name that no program can have
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise unusable(purpose, f"does not start ({reason})") from error


def _failure(purpose: str, process: Ffmpeg, status: int) -> FileError:
    if process.hangs:
        return unusable(purpose, f"did nothing for {SILENCE:g} seconds and was ended", "try again, or ")
    if status < 0:
        return FileError(
            "Cannot {purpose}: ffmpeg was ended from outside (signal {signal}); close programs that need "
            "much memory and try again.",
            purpose,
            -status,
        )
    if status == 0:
        return unusable(purpose, "ended before it was done")
    remedy = "check that the file is a video" if purpose.startswith("read") else "check the folder and its free space"
    words = process.last_words() or "it gave no reason"
    return FileError("Cannot {purpose}: ffmpeg says {words!r}; {remedy}.", purpose, words, remedy)
