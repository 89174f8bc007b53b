"""Frames to an H.264 file and back, through the ffmpeg program that imageio-ffmpeg brings along."""

from __future__ import annotations

import operator
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import chain
from pathlib import Path
from typing import IO

import imageio_ffmpeg
import numpy as np

from paints_undo.atomic import explained, written_atomically
from paints_undo.errors import InputError
from paints_undo.provenance.embedding import xmp_box
from paints_undo.provenance.records import Record, xmp_packet

FPS_RANGE = (1, 60)
_SPECIAL, _ESCAPED = r"([=;#\\\n])", r"\\\1"  # in ffmpeg's metadata files

# BT.709 is what players assume of HD video; saying so in the file keeps small videos from being shown with the
# BT.601 colours of old television. full_chroma_int and accurate_rnd keep flat colours from drifting.
_SCALER = "flags=bicubic+accurate_rnd+full_chroma_int"
_TO_VIDEO = f"scale=in_range=pc:out_range=tv:out_color_matrix=bt709:{_SCALER},format=yuv420p"
_TO_PIXELS = f"scale=out_range=pc:{_SCALER},format=rgb24"
_COLOUR_TAGS = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
# CRF 16 is visually lossless for line art; 18, the usual figure, already frays thin strokes.
_H264 = ["-c:v", "libx264", "-preset", "medium", "-crf", "16", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
_AV1 = ["-c:v", "libsvtav1", "-preset", "9", "-crf", "24", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
_VP9 = ["-c:v", "libvpx-vp9", "-crf", "24", "-b:v", "0", "-deadline", "realtime", "-cpu-used", "6", "-row-mt", "1"]
CODECS = {  # name -> what encodes it, container
    "h264": (_H264, "mp4"),
    "av1": (_AV1, "mp4"),
    "vp9": ([*_VP9, "-pix_fmt", "yuv420p"], "webm"),
    "vp9-alpha": ([*_VP9, "-pix_fmt", "yuva420p", "-auto-alt-ref", "0"], "webm"),
}


def write_video(
    frames: Iterable[np.ndarray], path: str | Path, fps: int, record: Record | None = None, codec: str = "h264"
) -> None:
    """Writes ``frames`` to ``path`` as MP4: H.264, yuv420p, BT.709, playable while it still downloads.

    ``codec`` "av1" gives AV1 in MP4 instead, "vp9" VP9 in WebM, and "vp9-alpha" the same with transparency, from RGBA
    frames (h, w, 4).

    ``frames`` is an array uint8 (n, h, w, 3) or any iterable of uint8 RGB (h, w, 3) of one size; it is consumed one
    frame at a time. An odd width or height is made even by repeating the last column or row, because 4:2:0 video has
    one colour sample for two pixels. ``fps`` is 1 to 60 frames a second. ``record`` is kept in the file's user data,
    with its statement as the description, and once more as XMP. The file appears when it is complete.

    Raises InputError for a bad fps, no frames, frames of mixed sizes, or a codec that this ffmpeg lacks; OSError (one
    sentence) when the file cannot be written. An exception from the iterable passes through. In each case
    nothing is left at ``path``.
    """
    fps, (encoder, container) = _checked_fps(fps), _checked_codec(codec)
    channels = 4 if codec.endswith("alpha") else 3
    path = Path(path).absolute()
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise InputError("There are no frames to write; a video needs at least one.")
    height, width = _checked_frame(first, 0, None, channels).shape[:2]
    size = f"{width + width % 2}x{height + height % 2}"
    with written_atomically(path) as temporary, _tags(record) as tags:
        pixels = "rgba" if channels == 4 else "rgb24"
        command = ["-f", "rawvideo", "-pix_fmt", pixels, "-s", size, "-r", str(fps), "-i", "pipe:0", "-an"]
        command += ["-f", "ffmetadata", "-i", str(tags), "-map", "0:v", "-map_metadata", "1"]
        into = _TO_VIDEO.replace("yuv420p", "yuva420p") if channels == 4 else _TO_VIDEO
        command += ["-vf", into, *encoder, *_COLOUR_TAGS, "-f", container, "-y", str(temporary)]
        with _ffmpeg(command, f"write the video {path}", stdin=subprocess.PIPE) as process:
            for number, frame in enumerate(chain([first], frames)):
                _checked_frame(frame, number, (height, width), channels)
                even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
                process.stdin.write(even.tobytes())
        if record is not None and container == "mp4":
            with explained("write", path), open(temporary, "ab") as file:
                file.write(xmp_box(xmp_packet(record)))


def read_video(path: str | Path) -> np.ndarray:
    """The frames of a video file, uint8 (n, h, w, 3) RGB. Raises InputError when it is missing or no video."""
    path = Path(path).absolute()
    if not path.is_file():
        raise InputError(f"There is no video at {path}; check the path.")
    # PPM frames carry their own size, so nothing has to be guessed from ffmpeg's messages.
    command = ["-i", str(path), "-map", "0:v:0", "-vf", _TO_PIXELS, "-fps_mode", "passthrough"]
    command += ["-f", "image2pipe", "-c:v", "ppm", "pipe:1"]
    try:
        with _ffmpeg(command, f"read the video {path}", stdout=subprocess.PIPE) as process:
            frames = list(_ppm_frames(process.stdout))
    except OSError as error:
        raise InputError(str(error)) from error
    if not frames:
        raise InputError(f"{path} holds no video frames; give a video file.")
    return np.stack(frames)


@contextmanager
def _ffmpeg(command: list[str], purpose: str, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) -> Iterator:
    """Runs ffmpeg while the block feeds or drains it; raises OSError with its last line if it fails."""
    # Errors go to a file and not to a pipe: nobody reads a pipe here, and a full one would stop ffmpeg.
    with tempfile.TemporaryFile() as messages:
        try:
            process = subprocess.Popen(
                [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error", *command],
                stdin=stdin,
                stdout=stdout,
                stderr=messages,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # no console window on Windows
            )
        except (OSError, RuntimeError) as error:  # RuntimeError: imageio-ffmpeg finds none
            reason = getattr(error, "strerror", None) or "it is not there"
            raise OSError(
                f"Cannot {purpose}: ffmpeg does not start ({reason.lower()}); install the package imageio-ffmpeg again."
            ) from error
        try:
            try:
                yield process
                if process.stdin:
                    process.stdin.close()
            except OSError as error:
                # Most likely ffmpeg gave up and closed its end; then its own last line says why. Closing our end first
                # lets a healthy ffmpeg finish, so that waiting for it cannot hang.
                _close_quietly(process)
                if process.wait() == 0:
                    raise
                raise _ffmpeg_failure(purpose, messages, process.returncode) from error
            if process.wait() != 0:
                raise _ffmpeg_failure(purpose, messages, process.returncode)
        finally:
            process.kill()
            process.wait()
            _close_quietly(process)


@contextmanager
def _tags(record: Record | None) -> Iterator[Path]:
    """A file that tells ffmpeg the tags: a command line may not be long enough for them."""
    tags = {"comment": record.to_json(), "description": record.statement} if record else {}
    escaped = [f"{name}={re.sub(_SPECIAL, _ESCAPED, text)}\n" for name, text in tags.items()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "tags.txt")
        # newline="": the text reaches the video as it is
        with open(file, "w", encoding="utf-8", newline="") as written:
            written.writelines([";FFMETADATA1\n", *escaped])
        yield file


def _close_quietly(process: subprocess.Popen) -> None:
    for stream in (process.stdin, process.stdout):
        try:
            if stream:
                stream.close()
        except OSError:  # unsent bytes of a pipe whose reader is gone
            continue


def _ffmpeg_failure(purpose: str, messages: IO[bytes], status: int) -> OSError:
    if status < 0:
        return OSError(
            f"Cannot {purpose}: ffmpeg was ended from outside (signal {-status}); "
            "close programs that need much memory and try again."
        )
    messages.seek(0)
    said = messages.read().decode("utf-8", "replace")
    # Lines begin with the part that speaks, as in "[out#0/mp4 @ 0x55c4]", which tells a user nothing.
    lines = [re.sub(r"^(\[[^\]]*\]\s*)+", "", line.strip()) for line in said.splitlines()]
    telling = [line for line in lines if line not in ("", "Conversion failed!")] or ["it gave no reason"]
    remedy = "check that the file is a video" if purpose.startswith("read") else "check the folder and its free space"
    return OSError(f"Cannot {purpose}: ffmpeg says {telling[-1]!r}; {remedy}.")


def _ppm_frames(stream: IO[bytes]) -> Iterator[np.ndarray]:
    while stream.readline():  # "P6"
        width, height = (int(number) for number in stream.readline().split())
        stream.readline()  # "255", the largest value
        pixels = stream.read(width * height * 3)
        if len(pixels) < width * height * 3:
            return  # ffmpeg stopped in the middle; its exit status says so
        yield np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def _checked_fps(fps: int) -> int:
    low, high = FPS_RANGE
    try:
        number = operator.index(fps)
    except TypeError:
        number = None
    if number is None or isinstance(fps, bool) or not low <= number <= high:
        raise InputError(f"fps is {fps!r}; give a whole number from {low} to {high}.")
    return number


def _checked_codec(codec: str) -> tuple[list[str], str]:
    if codec not in CODECS:
        raise InputError(f"codec is {codec!r}; use one of {', '.join(CODECS)}.")
    encoder = CODECS[codec][0][1]
    if f" {encoder} " not in _encoders():
        raise InputError(
            f"The ffmpeg of imageio-ffmpeg here cannot encode {codec} (no {encoder}); choose another format or "
            "install imageio-ffmpeg from PyPI, whose ffmpeg can."
        )
    return CODECS[codec]


@cache
def _encoders() -> str:
    """What ffmpeg lists as its encoders."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-encoders"]
    hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # no console window on Windows
    return subprocess.run(command, capture_output=True, text=True, creationflags=hidden).stdout


def _checked_frame(frame: np.ndarray, number: int, size: tuple[int, int] | None, channels: int = 3) -> np.ndarray:
    shape: tuple[int, ...] = getattr(frame, "shape", ())
    if getattr(frame, "dtype", None) != np.uint8 or len(shape) != 3 or shape[-1] != channels or 0 in shape:
        kind = "RGB arrays (height, width, 3)" if channels == 3 else "RGBA arrays (height, width, 4)"
        raise InputError(
            f"Frame {number} has shape {tuple(shape)} and type {getattr(frame, 'dtype', type(frame).__name__)}; "
            f"give uint8 {kind}."
        )
    if size is not None and shape[:2] != size:
        raise InputError(
            f"Frame {number} is {shape[1]}x{shape[0]} pixels and the first is {size[1]}x{size[0]}; "
            "give frames of one size."
        )
    return frame
