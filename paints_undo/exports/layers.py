"""A picture in layers for Photoshop, Krita and Clip Studio: PSD, OpenRaster, and transparent line art.

Networks draw pictures: a layer is then a keyframe. What is drawn in strokes has layers (see stroke_layers).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import cv2
import numpy as np
from PIL import Image, ImageCms

from paints_undo.atomic import explained
from paints_undo.errors import InputError
from paints_undo.exports.options import ExportOptions
from paints_undo.exports.phases import phases_of
from paints_undo.exports.source import Source, packed
from paints_undo.pictures.fit import Size
from paints_undo.provenance.embedding import embed
from paints_undo.provenance.records import xmp_packet

MOST_BYTES = 4 * 2**30  # of all layers before compression: a PSD or ZIP file cannot be larger
FAINTEST = 16  # of 255: fainter lines are paper and noise
WIDEST = 28  # the longer side divided by this is the widest line
# Of a PSD (Adobe Photoshop File Formats Specification, "Image Resource IDs")
RESOLUTION, THUMBNAIL, ICC_PROFILE, XMP_RESOURCE = 1005, 1036, 1039, 1060
DPI = 300  # what painting programs begin a canvas with; without any they take 72
_THUMBNAIL = 256  # pixels; what OpenRaster allows
_LONGEST_NAME = 250  # characters


@dataclass(frozen=True)
class Layer:
    """pixels: uint8 (h, w, 3), or (h, w, 4) with transparency; left, top: their place, where they are not all."""

    name: str
    pixels: np.ndarray
    visible: bool
    left: int = 0
    top: int = 0


@dataclass(frozen=True)
class Group:
    """Layers in a folder, the lowest first."""

    name: str
    layers: list[Layer]
    visible: bool


Parts = Callable[[Source, ExportOptions], Iterator[Layer | Group]]  # yields them from the lowest to the highest


def layers_of(source: Source, options: ExportOptions) -> Iterator[Layer]:
    """Yield the layers from the lowest to the highest: white canvas, keyframes, their lines, and the artwork.

    Only keyframes and artwork can be seen at first, so that hiding the highest visible layer is one undo.
    """
    size = source.sized(options.longest_side)
    check_room(2 * len(source.keyframes) + 2, size)
    names = [f"{step:04d} {phase.name}" for step, phase in zip(source.steps, phases_of(source)[:-1], strict=True)]
    yield Layer("canvas", np.full((size[1], size[0], 3), 255, np.uint8), True)
    # gone through twice: all of them together may not fit into memory
    for name, frame in zip(names, source.finished_keyframes(size), strict=False):
        yield Layer(name, frame, True)
    for place, frame in enumerate(source.finished_keyframes(size)):
        if place < len(names):
            yield Layer(f"lines of {names[place]}", lines_of(frame), False)
        else:
            yield Layer(options.title or "artwork", frame, True)


def check_room(count: int, size: Size) -> None:
    """Raise InputError where so many layers of this size do not fit into one file."""
    if count * size[0] * size[1] * 4 > MOST_BYTES:
        raise InputError(
            "{count} layers of {width} x {height} pixels do not fit into one file; choose a longest side "
            "of fewer pixels (--longest-side)",
            count,
            *size,
        )


def lines_of(picture: np.ndarray) -> np.ndarray:
    """The lines of a picture uint8 (H, W, 3) on nothing: uint8 (H, W, 4) that darkens whatever is below it."""
    side = 2 * max(1, max(picture.shape) // WIDEST // 2) + 1
    around = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))
    ink = cv2.subtract(around, picture)
    opacity = ink.max(-1)
    opacity = np.where(opacity < FAINTEST, 0, opacity)
    colour = cv2.subtract(around, cv2.divide(ink, cv2.merge([opacity] * 3), scale=255))
    return np.dstack([np.where(opacity[..., None] > 0, colour, 0), opacity]).astype(np.uint8)


def write_psd(source: Source, path: Path, options: ExportOptions, parts_of: Parts = layers_of) -> None:
    """PSD; titles in any script are kept in its Unicode names."""
    from psd_tools import PSDImage  # takes a while to load, and other formats need none of it
    from psd_tools.psd import PSD
    from psd_tools.psd.image_resources import ImageResource

    whole = Image.fromarray(source.picture(source.sized(options.longest_side)))
    # with an alpha channel, or transparency would become a mask on each layer
    document = PSDImage.frompil(whole.convert("RGBA"))
    for part in parts_of(source, options):
        folder: Any = document
        if isinstance(part, Group):
            folder = document.create_group(name="group")
            folder.name = part.name[:_LONGEST_NAME]
        for layer in part.layers if isinstance(part, Group) else [part]:
            image = Image.fromarray(layer.pixels).convert("RGBA")
            # made under a name of the old encoding, which every reader has, and then given its own
            made = folder.create_pixel_layer(image, "layer", layer.top, layer.left)
            made.name = layer.name[:_LONGEST_NAME]
            made.visible = layer.visible
        if isinstance(part, Group):
            folder.visible = part.visible
    about = {**_looks(whole), XMP_RESOURCE: xmp_packet(source.described("layers"))}
    for key, data in about.items():
        document.image_resources[key] = ImageResource(key=key, data=data)
    written = io.BytesIO()
    document.save(written)
    written.seek(0)
    record = PSD.read(written)
    # what programs show that know no layers: the picture itself, and no channel of its own for an alpha of 255
    record.header.channels = 3
    record.image_data.set_data([channel.tobytes() for channel in whole.split()], record.header)
    with explained("write", path), path.open("wb") as file:
        record.write(file)


def _looks(picture: Image.Image) -> dict[int, bytes]:
    """The resources of a PSD that say how the picture is shown: its colours, its size on paper, and small."""
    small = picture.copy()
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    jpeg, row = packed(small, "JPEG", quality=85), (small.width * 24 + 31) // 32 * 4  # bytes: padded to four
    about_small = struct.pack(">6I2H", 1, *small.size, row, row * small.height, len(jpeg), 24, 1)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    per_inch = struct.pack(">I2HI2H", DPI << 16, 1, 1, DPI << 16, 1, 1)
    return {RESOLUTION: per_inch, THUMBNAIL: about_small + jpeg, ICC_PROFILE: profile}


def write_ora(source: Source, path: Path, options: ExportOptions, parts_of: Parts = layers_of) -> None:
    """OpenRaster (openraster.org, baseline): a ZIP with the layers as PNG files and their order in stack.xml."""
    size = source.sized(options.longest_side)
    image = ElementTree.Element("image", version="0.0.3", w=str(size[0]), h=str(size[1]), xres=str(DPI), yres=str(DPI))
    stack, number = ElementTree.SubElement(image, "stack"), 0
    with source.archive(path, "layers") as archive:
        archive.writestr("mimetype", "image/openraster")  # first and not compressed, as the format wants it
        for part in parts_of(source, options):
            folder = stack
            if isinstance(part, Group):
                folder = ElementTree.Element("stack", _about(part))
                stack.insert(0, folder)
            for layer in part.layers if isinstance(part, Group) else [part]:
                file = f"data/layer{number:03d}.png"
                archive.writestr(file, png(layer.pixels))
                about = {**_about(layer), "src": file, "x": str(layer.left), "y": str(layer.top)}
                folder.insert(0, ElementTree.Element("layer", about))  # the highest layer comes first in the file
                number += 1
        whole = source.picture(size)
        archive.writestr("mergedimage.png", embed(png(whole), source.described("layers")))
        small = Image.fromarray(whole)
        small.thumbnail((_THUMBNAIL, _THUMBNAIL))
        archive.writestr("Thumbnails/thumbnail.png", png(np.asarray(small)))
        archive.writestr("stack.xml", ElementTree.tostring(image, "utf-8", xml_declaration=True))


def _about(part: Layer | Group) -> dict[str, str]:
    """The attributes that layers and groups have in stack.xml."""
    shown = "visible" if part.visible else "hidden"
    return {"name": part.name, "opacity": "1.0", "visibility": shown, "composite-op": "svg:src-over"}


def write_line_art(source: Source, path: Path, options: ExportOptions) -> None:
    """ZIP of PNG files: the lines of each keyframe on a transparent ground."""
    record = source.described("line art")
    with source.archive(path, "line art") as archive:
        frames = source.finished_keyframes(source.sized(options.longest_side))
        for step, phase, frame in zip(source.steps, phases_of(source), frames, strict=False):
            name = f"{step:04d}-{phase.name.replace(' ', '-')}.png"
            archive.writestr(name, embed(png(lines_of(frame)), record))


def png(pixels: np.ndarray) -> bytes:
    """A layer's PNG file, written quickly."""
    return packed(pixels, "PNG", compress_level=3)
