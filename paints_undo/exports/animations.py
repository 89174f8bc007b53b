"""The timelapse as a picture that moves: GIF, WebP and APNG, for places that take no video."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from paints_undo.exports.options import ExportOptions
from paints_undo.exports.pacing import schedule
from paints_undo.exports.source import Source, packed

# Longer side in pixels, where the person chooses none: larger ones take minutes to write and nobody can post them.
GIF_SIDE, WEBP_SIDE, APNG_SIDE = 640, 1080, 640
LARGEST_GIF = 8_000_000  # bytes: what chats take
SMALLEST_SIDE = 64
GIF_TICK, TICK = 10, 1  # milliseconds: what the formats count in
GIF_FPS = 50  # browsers show a frame that shall stand for one tick ten times as long
COLOURS = 255  # of a GIF; one of the 256 is the transparency of what did not change


def write_gif(source: Source, path: Path, options: ExportOptions) -> None:
    """GIF of at most 8 MB, unless a size is chosen: one palette, made from the artwork and all of the course."""
    options = quick(source, options, GIF_FPS)
    side = options.longest_side or GIF_SIDE
    while True:
        written = _gif(source, options, side)
        if options.longest_side or len(written) <= LARGEST_GIF or side <= SMALLEST_SIDE:
            break
        side = max(SMALLEST_SIDE, int(side * 0.95 * (LARGEST_GIF / len(written)) ** 0.5))
    source.write(path, written, "timelapse")


def write_animation(source: Source, path: Path, options: ExportOptions, *, kind: str, side: int, **saving: Any) -> None:
    """An animation of a kind that Pillow knows; side: where the person chooses none; saving: as it saves that."""
    options = quick(source, options)
    pictures = _pictures(source, options, options.longest_side or side)
    source.write(path, _moving(pictures, kind, milliseconds(source, options, TICK), **saving), "timelapse")


write_webp = partial(write_animation, kind="WEBP", side=WEBP_SIDE, quality=86, method=1)
write_apng = partial(write_animation, kind="PNG", side=APNG_SIDE)  # without any loss


def _gif(source: Source, options: ExportOptions, side: int) -> bytes:
    numbers = [number for number, _ in schedule(source.change, options.pacing, source.fps)]
    some = [numbers[round(place)] for place in np.linspace(0, len(numbers) - 1, 8)]
    moments = list(source.finished_frames(source.sized(side)).chosen(sorted(set(some))))
    # clustered anew after the median cut, which alone wastes colours on white
    strip = Image.fromarray(np.concatenate(moments, axis=1))
    palette = strip.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=2)
    pictures = (
        picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in _pictures(source, options, side)
    )
    return _moving(pictures, "GIF", milliseconds(source, options, GIF_TICK), optimize=False)


def _moving(pictures: Iterator[Image.Image], kind: str, durations: list[int], **saving: Any) -> bytes:
    """The bytes of a file that shows the pictures over and over."""
    first = next(pictures)  # the others are made while they are written
    # Pillow goes twice through the pictures of an APNG
    others = list(pictures) if kind == "PNG" else pictures
    return packed(first, kind, save_all=True, append_images=others, duration=durations, loop=0, **saving)


def quick(source: Source, options: ExportOptions, most: int = 60) -> ExportOptions:
    """The options with frames a second: each drawn frame once, where neither they nor a length are chosen.

    As long as a video, and as smooth, an animation would be many times as large.
    """
    pacing = options.pacing
    if pacing.fps is None and pacing.seconds is not None and options.fps(source) <= most:
        return options
    return replace(options, pacing=replace(pacing, fps=min(options.fps(source), most)))


def milliseconds(source: Source, options: ExportOptions, tick: int) -> list[int]:
    """How long each picture stands, in whole ticks that do not drift."""
    stands = [stand for _, stand in schedule(source.change, options.pacing, source.fps)]
    ends = np.round(np.cumsum([0, *stands]) * 1000 / options.fps(source) / tick).astype(int) * tick
    return [max(tick, int(duration)) for duration in np.diff(ends)]


def _pictures(source: Source, options: ExportOptions, side: int) -> Iterator[Image.Image]:
    for frame, _ in source.played(source.sized(side), options.pacing):
        yield Image.fromarray(frame)
