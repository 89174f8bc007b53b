"""The timelapse as a video: H.264 and AV1 in MP4, VP9 in WebM, also with a transparent canvas; and as PNG files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import schedule
from paints_undo.exports.source import Source
from paints_undo.pictures.pixels import encode_png
from paints_undo.pictures.video import write_video
from paints_undo.provenance.embedding import embed

MOST_PIXELS = 4096 * 2304  # of a video frame: what level 5.2 of H.264 allows, and what players decode
LONGEST_SIDE = 4096
BOARD = 232  # grey level around the artwork in films for places on the web


def write_film(source: Source, path: Path, options: ExportOptions, *, codec: str) -> None:
    """A video in one of the codecs that video.write_video knows."""
    frames = in_time(source.played(video_size(source, options), options.pacing), options, source)
    write_video(frames, path, options.fps(source), source.described("timelapse"), codec=codec)


write_h264 = partial(write_film, codec="h264")  # MP4, which everything plays
write_av1 = partial(write_film, codec="av1")  # MP4, a fraction of the size
write_webm = partial(write_film, codec="vp9")


@dataclass(frozen=True)
class Post:
    """A film as a place on the web shows it: the whole artwork in a frame of this size, as long as people look."""

    width: int
    height: int
    seconds: float


POSTS = {"instagram": Post(1080, 1350, 15), "reel": Post(1080, 1920, 30), "youtube": Post(1920, 1080, 60)}


def write_post(source: Source, path: Path, options: ExportOptions, *, place: str) -> None:
    """H.264 for one of POSTS; the artwork as large as it fits, on the grey of a drawing board."""
    post, pacing = POSTS[place], options.pacing
    options = replace(options, pacing=replace(pacing, seconds=pacing.seconds or post.seconds))
    width, height = source.size
    scale = min(post.width / width, post.height / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (post.width - size[0]) // 2, (post.height - size[1]) // 2
    board = np.full((post.height, post.width, 3), BOARD, np.uint8)

    def laid(frame: np.ndarray) -> np.ndarray:
        board[top : top + size[1], left : left + size[0]] = frame
        return board

    frames = map(laid, in_time(source.played(size, options.pacing), options, source))
    write_video(frames, path, options.fps(source), source.described("timelapse"))


def write_transparent_webm(source: Source, path: Path, options: ExportOptions) -> None:
    """WebM with VP9 and transparency: ink on nothing, until the artwork covers it."""
    size = video_size(source, options)
    shown = schedule(source.change, options.pacing, source.fps)
    frames = source.finished_frames(size)

    def layers() -> Iterator[tuple[np.ndarray, int]]:
        pictures = frames.chosen([number for number, _ in shown])
        for picture, (number, stands) in zip(pictures, shown, strict=True):
            source.tick()
            opacity = on_transparency(picture, frames.reached(number))[..., 3]
            yield np.dstack([picture, opacity]), stands

    # the canvas is taken away afterwards: what two pictures have in common they have on white
    shown_in_time = (without_canvas(*np.split(both, [3], -1)) for both in in_time(layers(), options, source))
    write_video(shown_in_time, path, options.fps(source), source.described("video"), codec="vp9-alpha")


def write_png_frames(source: Source, path: Path, options: ExportOptions) -> None:
    """ZIP of PNG files, one for each different frame, with the time each stands in frames.json."""
    record, timing = source.described("frame"), []
    with source.archive(path, "frame") as archive:
        for number, (frame, stands) in enumerate(source.played(source.sized(options.longest_side), options.pacing)):
            name = f"{number:05d}.png"
            archive.writestr(name, embed(encode_png(frame), record))
            timing.append({"file": name, "video_frames": stands})
        archive.writestr("frames.json", json.dumps({"fps": options.fps(source), "frames": timing}, indent=1))


def video_size(source: Source, options: ExportOptions) -> tuple[int, int]:
    """The artwork's size, or as near to it as players can show."""
    longest = min(options.longest_side or LONGEST_SIDE, LONGEST_SIDE)
    width, height = source.size
    fitting = int(max(width, height) * (MOST_PIXELS / (width * height)) ** 0.5)
    return source.sized(min(longest, fitting))


def on_transparency(picture: np.ndarray, covered: np.ndarray | None = None) -> np.ndarray:
    """A picture uint8 (H, W, 3) as uint8 (H, W, 4) that gives it back on white, as transparent as that can be.

    covered: float32 (H, W), the least opacity of each pixel, 0..1.
    """
    ink = 255 - picture
    opacity = ink.max(-1)
    if covered is not None:
        opacity = np.maximum(opacity, np.ceil(covered * 255).astype(np.uint8))
    return without_canvas(picture, opacity)


def without_canvas(picture: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """A picture uint8 (H, W, 3) on white as uint8 (H, W, 4) with this opacity, uint8 (H, W) or (H, W, 1)."""
    # in OpenCV's saturating 8-bit arithmetic, ten times as quick as in floats
    colour = 255 - cv2.divide(255 - picture, cv2.merge([opacity] * 3), scale=255)
    return np.dstack([colour, opacity])


def in_time(pictures: Iterable[tuple[np.ndarray, int]], options: ExportOptions, source: Source) -> Iterator[np.ndarray]:
    """Yield the video frames of pairs (picture, how many video frames it stands).

    Where nobody chose how many there are a second, a picture goes over to the next one while it stands, except in the
    hold at the start; else it would be seen that fewer pictures were drawn. Each is shown as it is, too.
    """
    still = round(options.pacing.hold_start * options.fps(source))  # video frames at the beginning
    pairs = iter(pictures)
    picture, stands = next(pairs)
    for following, stands_then in pairs:
        still = still if options.pacing.fps is None else stands
        for place in range(stands):
            share = (place - still) / (stands - still) if place > still else 0
            yield cv2.addWeighted(following, share, picture, 1 - share, 0) if share else picture
        picture, stands, still = following, stands_then, 0
    yield from (picture for _ in range(stands))
