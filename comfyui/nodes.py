"""The nodes: load a family, tag, draw keyframes, fill segments, join them to a timelapse, or all of it in one.

An IMAGE is a batch of float pictures 0..1, (b, h, w, 3).  Numbers left at 0 mean the family's default.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from .host import find_paints_undo, make_room, place_for_video, progress_callback

find_paints_undo()

from paints_undo import CheckpointError, InputError, PaintsUndo, __version__, validation  # noqa: E402
from paints_undo.family.choice import find_family  # noqa: E402
from paints_undo.options import RANGES  # noqa: E402
from paints_undo.pictures.fit import crop_to  # noqa: E402
from paints_undo.pictures.pixels import read_picture  # noqa: E402
from paints_undo.pictures.tensors import pixels_to_unit, unit_to_pixels  # noqa: E402
from paints_undo.pictures.video import write_video  # noqa: E402
from paints_undo.provenance.records import Record  # noqa: E402
from paints_undo.timelapse import join_timelapse  # noqa: E402

FAMILY = "PAINTS_UNDO_FAMILY"
SEED = ("INT", {"default": 0, "min": 0, "max": 2**32 - 1, "control_after_generate": True})
FAMILY_DEFAULT = "0: the model family's default"


def _number(kind: str, field: str, step: float = 1) -> tuple[str, dict[str, Any]]:
    return kind, {"default": 0, "min": 0, "max": RANGES[field][1], "step": step, "tooltip": FAMILY_DEFAULT}


def _text(default: str, tooltip: str) -> tuple[str, dict[str, Any]]:
    return "STRING", {"default": default, "multiline": True, "tooltip": tooltip}


class Node:
    """What ComfyUI asks of every node of this folder: where it lists it, and what goes in."""

    CATEGORY: ClassVar[str] = "Paints-UNDO"
    TITLE: ClassVar[str]
    REQUIRED: ClassVar[dict[str, Any]]
    OPTIONAL: ClassVar[dict[str, Any]] = {}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": cls.REQUIRED, "optional": cls.OPTIONAL}


class LoadFamily(Node):
    """A model family on a device; its weights are read when a node first needs them."""

    TITLE = "Load Model Family"
    FUNCTION = "load"
    RETURN_TYPES = (FAMILY,)
    RETURN_NAMES = ("family",)
    REQUIRED = {
        "models": (
            "STRING",
            {"default": "auto", "tooltip": "auto, strokes, mini, released, or a model family's folder"},
        ),
        "device": (["auto", "cuda", "mps", "cpu"],),
        "dtype": (["auto", "fp16", "bf16", "fp32"],),
        "noise": (["cpu", "device"], {"tooltip": "cpu: the same pictures on every device"}),
        "vram": ("FLOAT", {"default": 0, "min": 0, "max": 1024, "step": 0.5, "tooltip": "GiB; 0: what is free"}),
    }

    @classmethod
    def IS_CHANGED(cls, models: str, **others: Any) -> str | float:
        """Another value when the name stands for other weights: a download has finished, a folder was replaced."""
        try:
            family = find_family(models)
        except (CheckpointError, InputError):
            return float("nan")  # never equal to itself: asked again at the next run
        return f"{family.name} {family.revision} {sorted(map(str, family.folders.values()))}"

    def load(self, models: str, device: str, dtype: str, noise: str, vram: float) -> tuple[PaintsUndo]:
        choice = {name: value for name, value in (("device", device), ("dtype", dtype)) if value != "auto"}
        return (PaintsUndo.load(models, noise=noise, vram=str(vram) if vram else "auto", **choice),)


class TagArtwork(Node):
    """The tags of an artwork, the prompt of its keyframes."""

    TITLE = "Tag Artwork"
    FUNCTION = "tag"
    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("prompt",)
    REQUIRED = {"family": (FAMILY,), "artwork": ("IMAGE",)}

    def tag(self, family: PaintsUndo, artwork: Tensor) -> tuple[str]:
        return (family.tag(_one_picture(artwork)),)


class DrawKeyframes(Node):
    """Earlier states of an artwork, first to last stroke taken back: as one batch, and as a list of single pictures."""

    TITLE = "Draw Keyframes"
    FUNCTION = "draw"
    RETURN_TYPES = ("IMAGE", "IMAGE", "IMAGE")
    RETURN_NAMES = ("artwork", "keyframes", "keyframe list")
    OUTPUT_IS_LIST = (False, False, True)
    REQUIRED = {
        "family": (FAMILY,),
        "artwork": ("IMAGE",),
        "prompt": _text("", "best as Tag Artwork writes it"),
        "operation_steps": (
            "STRING",
            {"default": "400, 600, 800, 900, 950, 999", "tooltip": "0 is finished, 999 the first stroke"},
        ),
        "seed": SEED,
    }
    OPTIONAL = {
        "negative_prompt": _text("", "empty: the model family's default"),
        "width": _number("INT", "width"),
        "height": _number("INT", "height"),
        "sampling_steps": _number("INT", "sampling_steps"),
        "guidance_scale": _number("FLOAT", "guidance_scale", 0.1),
    }

    @classmethod
    def VALIDATE_INPUTS(cls, operation_steps: str | None) -> bool | str:
        if operation_steps is None:  # it comes from another node, and is looked at when it is there
            return True
        try:
            return bool(_operation_steps(operation_steps))
        except InputError as error:
            return str(error)

    def draw(
        self, family: PaintsUndo, artwork: Tensor, prompt: str, operation_steps: str, seed: int, **others: Any
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        picture, steps = _one_picture(artwork), _operation_steps(operation_steps)
        given = {name: value for name, value in others.items() if value}
        defaults = family.default_options.keyframes
        options = replace(defaults, prompt=prompt, operation_steps=steps, seed=seed, **given)
        make_room()
        keyframes = pixels_to_unit(family.draw_keyframes(picture, options, progress_callback()))
        # what the keyframes are earlier states of
        strokes = family.default_options.in_strokes
        crop = picture if strokes else crop_to(picture, options.width, options.height)
        return pixels_to_unit(crop[None]), keyframes, list(keyframes.split(1))


class FillSegments(Node):
    """The 16 frames from each picture to the next: the artwork, the keyframes however they come, a white canvas."""

    TITLE = "Fill Segments"
    FUNCTION = "fill"
    INPUT_IS_LIST = True
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("segment list",)
    OUTPUT_IS_LIST = (True,)
    REQUIRED = {
        "family": (FAMILY,),
        "artwork": ("IMAGE",),
        "keyframes": ("IMAGE", {"tooltip": "a batch or a list, the finished picture's neighbour first"}),
        "seed": SEED,
    }
    OPTIONAL = {
        "prompt": _text("", "a few words, not the tags; empty: the model family's default"),
        "sampling_steps": _number("INT", "sampling_steps"),
        "guidance_scale": _number("FLOAT", "guidance_scale", 0.1),
        "frame_stride": _number("INT", "frame_stride"),
        "white_canvas": ("BOOLEAN", {"default": True, "tooltip": "go on to a blank canvas"}),
    }

    def fill(
        self, family: list[PaintsUndo], artwork: list[Tensor], keyframes: list[Tensor], seed: list[int], **others: Any
    ) -> tuple[list[Tensor]]:
        engine, chosen = family[0], {name: values[0] for name, values in others.items()}
        with_canvas = chosen.pop("white_canvas", True)
        given = {name: value for name, value in chosen.items() if value}
        options = replace(engine.default_options.segments, seed=seed[0], **given)
        if len(artwork) > 1:
            raise InputError(f"{len(artwork)} artworks are given; fill the segments of one at a time")
        pictures = [_one_picture(artwork[0])]
        pictures += [read_picture(picture) for batch in keyframes for picture in unit_to_pixels(batch)]
        if with_canvas:
            pictures.append(np.full_like(pictures[-1], 255))
        make_room()
        filled = engine.fill_segments(pictures, options, progress_callback())
        return ([pixels_to_unit(frames) for frames in filled],)


class JoinTimelapse(Node):
    """The timelapse of a list of segments, first stroke first: its frames, and an MP4 file in the output folder."""

    TITLE = "Timelapse"
    FUNCTION = "join"
    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    RETURN_TYPES = ("IMAGE", "STRING")
    RETURN_NAMES = ("frames", "file")
    REQUIRED = {
        "segments": ("IMAGE", {"tooltip": "the list of Fill Segments, the one next to the artwork first"}),
        "fps": ("INT", {"default": 4, "min": 1, "max": 60}),
        "filename_prefix": ("STRING", {"default": "paints-undo"}),
    }

    def join(self, segments: list[Tensor], fps: list[int], filename_prefix: list[str]) -> dict[str, Any]:
        pixels = [unit_to_pixels(segment) for segment in segments]
        if len({segment.shape for segment in pixels}) != 1:
            shapes = ", ".join(str(segment.shape) for segment in pixels)
            raise InputError(f"the segments have the shapes {shapes}; give the list of one Fill Segments")
        frames = join_timelapse(np.stack(pixels))
        shown, file = _written(frames, fps[0], filename_prefix[0])
        return {"ui": shown, "result": (pixels_to_unit(frames), file)}


class DrawTimelapse(Node):
    """All in one: the video of an artwork as an MP4 file in the output folder, and its keyframes.

    The family strokes draws it at the artwork's own size, as many seconds long as asked for.
    """

    TITLE = "Draw Timelapse"
    FUNCTION = "draw"
    OUTPUT_NODE = True
    RETURN_TYPES = ("IMAGE", "STRING")
    RETURN_NAMES = ("keyframes", "file")
    REQUIRED = {
        "family": (FAMILY,),
        "artwork": ("IMAGE",),
        "prompt": _text("", "best as Tag Artwork writes it; strokes need none"),
        "seed": SEED,
        "filename_prefix": ("STRING", {"default": "paints-undo"}),
    }
    OPTIONAL = {"seconds": _number("FLOAT", "seconds")}

    def draw(
        self, family: PaintsUndo, artwork: Tensor, prompt: str, seed: int, filename_prefix: str, seconds: float = 0
    ) -> dict[str, Any]:
        picture, defaults = _one_picture(artwork), family.default_options
        options = replace(
            defaults,
            keyframes=replace(defaults.keyframes, prompt=prompt, seed=seed),
            tag=False,
            **{"seconds": seconds} if seconds else {},
        )
        make_room()
        drawn = family.undo(picture, options, on_progress=progress_callback())
        shown, file = _written(drawn.frames, options.fps, filename_prefix)
        return {"ui": shown, "result": (pixels_to_unit(drawn.keyframes), file)}


NODES = (LoadFamily, TagArtwork, DrawKeyframes, FillSegments, JoinTimelapse, DrawTimelapse)
NODE_CLASS_MAPPINGS = {f"PaintsUndo{node.__name__}": node for node in NODES}
NODE_DISPLAY_NAME_MAPPINGS = {f"PaintsUndo{node.__name__}": f"{node.TITLE} (Paints-UNDO)" for node in NODES}


def _one_picture(batch: Tensor) -> np.ndarray:
    """uint8 (H, W, 3) of an IMAGE that holds one picture."""
    if batch.ndim != 4 or len(batch) != 1:
        raise InputError(f"the artwork is an IMAGE of the shape {tuple(batch.shape)}; give one picture, (1, h, w, 3)")
    return read_picture(unit_to_pixels(batch)[0])


def _written(frames: np.ndarray, fps: int, prefix: str) -> tuple[dict[str, Any], str]:
    """What ComfyUI shows of a video of these frames, uint8 (n, h, w, 3), and the MP4 file that it was written to."""
    height, width = frames.shape[1:3]
    file, subfolder = place_for_video(prefix, width, height)
    write_video(frames, file, fps, Record("timelapse", version=__version__))  # says that AI made it
    shown = {"filename": file.name, "subfolder": subfolder, "type": "output"}
    return {"images": [shown], "animated": (True,)}, str(file)


def _operation_steps(text: str) -> tuple[int, ...]:
    words = [word for word in re.split(r"[,;\s]+", text) if word]
    return validation.operation_steps([int(word) if word.isdecimal() else word for word in words])
