"""Frames to an H.264 file and back, through ffmpeg."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import numpy as np

from paints_undo import validation
from paints_undo.atomic import explained, written_atomically
from paints_undo.errors import InputError, sentence_of
from paints_undo.options import RANGES
from paints_undo.pictures.ffmpeg import Ffmpeg, encoders, running, unusable
from paints_undo.provenance.embedding import xmp_box
from paints_undo.provenance.records import Record, xmp_packet

_SPECIAL, _ESCAPED = r"([=;#\\\n])", r"\\\1"  # in ffmpeg's metadata files

# BT.709 is what players assume of HD video; saying so in the file keeps small videos from being shown with the
# BT.601 colours of old television. The frames have to say it: encoders and containers take it from them, whatever
# options the output has. full_chroma_int and accurate_rnd keep flat colours from drifting.
_SCALER = "flags=bicubic+accurate_rnd+full_chroma_int"
_TAGS = "setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709"
_TO_VIDEO = f"scale=in_range=pc:out_range=tv:out_color_matrix=bt709:{_SCALER},format=yuv420p,{_TAGS}"
_TO_PIXELS = f"scale=out_range=pc:{_SCALER},format=rgb24"
# CRF 14 is visually lossless for line art; 18, the usual figure, already frays thin strokes.  For drawings, "veryfast"
# is then as small and as near to the pixels as "medium" at 16, in two thirds of the time.
_H264 = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "14", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
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
    path = Path(path).absolute()
    purpose = f"write the video {path}"
    fps, (encoder, container) = (
        validation.whole_number("fps", fps, *map(int, RANGES["fps"])),
        _checked_codec(codec, purpose),
    )
    channels = 4 if codec.endswith("alpha") else 3
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
        command += ["-vf", into, *encoder, "-f", container, "-y", str(temporary)]
        with running(command, purpose, stdin=subprocess.PIPE) as process:
            for number, frame in enumerate(chain([first], frames)):
                _checked_frame(frame, number, (height, width), channels)
                if height % 2 or width % 2:
                    frame = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
                process.feed(np.ascontiguousarray(frame).data)
        _check_playable(temporary, purpose, number + 1, size)
        if record is not None and container == "mp4":
            with explained("write", path), open(temporary, "ab") as file:
                file.write(xmp_box(xmp_packet(record)))


def _check_playable(file: Path, purpose: str, count: int, size: str) -> None:
    """Raises OSError unless a player finds so many frames of this size: what ends well need not have written well."""
    try:
        found = video_frames(file)
    except OSError:
        found = (0, "")
    if found != (count, size):
        raise unusable(purpose, f"wrote no playable video ({found[0]} of {count} frames)")


def video_frames(path: Path) -> tuple[int, str]:
    """How many frames a video file has, and their size, "96x64"; each is decoded. Raises OSError, one sentence."""
    # counted as they are packed: sums over the pixels would take longer than the pixels
    counted = ["-map", "0:v:0", "-c", "copy", "-f", "framecrc", "pipe:1"]
    decoded = ["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "null", "-"]
    command = ["-xerror", "-skip_loop_filter", "all", "-i", str(path), *counted, *decoded]
    count, size = 0, ""
    with running(command, f"read the video {path}", stdout=subprocess.PIPE) as process:
        while line := process.readline():
            count += line.startswith(b"0,")
            if line.startswith(b"#dimensions 0:"):
                size = line.partition(b":")[2].strip().decode("ascii", "replace")
    return count, size


def read_video(path: str | Path) -> np.ndarray:
    """The frames of a video file, uint8 (n, h, w, 3) RGB. Raises InputError when it is missing or no video."""
    return np.stack(list(stream_video(path)))


def stream_video(path: str | Path, filters: str = "") -> Iterator[np.ndarray]:
    """Yield the frames of a video file, uint8 (h, w, 3) RGB, after more filters of ffmpeg. InputError as above."""
    path, some = Path(path).absolute(), False
    if not path.is_file():
        raise InputError("There is no video at {path}; check the path.", path)
    # PPM frames carry their own size, so nothing has to be guessed from ffmpeg's messages.
    chain_of = f"{filters},{_TO_PIXELS}" if filters else _TO_PIXELS
    command = ["-i", str(path), "-map", "0:v:0", "-vf", chain_of, "-fps_mode", "passthrough"]
    command += ["-f", "image2pipe", "-c:v", "ppm", "pipe:1"]
    try:
        with running(command, f"read the video {path}", stdout=subprocess.PIPE) as process:
            while (frame := _ppm_frame(process)) is not None:
                some = True
                yield frame
    except OSError as error:
        raise InputError(sentence_of(error)) from error
    if not some:
        raise InputError("{path} holds no video frames; give a video file.", path)


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


def _ppm_frame(process: Ffmpeg) -> np.ndarray | None:
    header = [process.readline() for _ in range(3)]  # "P6", the size, "255", the largest value
    size = re.fullmatch(rb"(\d{1,6}) (\d{1,6})", header[1].strip())
    if header[0].strip() != b"P6" or not size:
        return None
    width, height = int(size[1]), int(size[2])
    pixels = process.read(width * height * 3)
    if len(pixels) < width * height * 3:
        return None  # ffmpeg stopped in the middle; its exit status says so
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def _checked_codec(codec: str, purpose: str) -> tuple[list[str], str]:
    encoder = CODECS[validation.one_of("codec", codec, tuple(CODECS))][0][1]
    if f" {encoder} " not in encoders(purpose):
        raise InputError(
            "The ffmpeg here cannot encode {codec} (no {encoder}); choose another format or install "
            "imageio-ffmpeg from PyPI, whose ffmpeg can.",
            codec,
            encoder,
        )
    return CODECS[codec]


def _checked_frame(frame: np.ndarray, number: int, size: tuple[int, int] | None, channels: int = 3) -> np.ndarray:
    shape: tuple[int, ...] = getattr(frame, "shape", ())
    if getattr(frame, "dtype", None) != np.uint8 or len(shape) != 3 or shape[-1] != channels or 0 in shape:
        kind = "RGB arrays (height, width, 3)" if channels == 3 else "RGBA arrays (height, width, 4)"
        dtype = getattr(frame, "dtype", type(frame).__name__)
        sentence = "Frame {number} has shape {shape} and type {dtype}; give uint8 {kind}."
        raise InputError(sentence, number, tuple(shape), dtype, kind)
    if size is not None and shape[:2] != size:
        sentence = "Frame {number} is {size} pixels and the first is {first}; give frames of one size."
        raise InputError(sentence, number, f"{shape[1]}x{shape[0]}", f"{size[1]}x{size[0]}")
    return frame
