"""The nodes: load a family, tag, draw keyframes, fill segments, join them to a timelapse, or all of it in one.

They are classes of ComfyUI's first interface, which every ComfyUI loads: the third one's are made of a module that
only a running ComfyUI has.  Numbers left at 0 mean the family's default.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from torch import Tensor

from paints_undo import __version__, examples, validation
from paints_undo.errors import CheckpointError, InputError
from paints_undo.family.choice import NAMED
from paints_undo.options import SETTINGS
from paints_undo.pictures.fit import crop_to
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.tensors import pixels_to_unit
from paints_undo.pictures.video import write_video
from paints_undo.provenance.records import Record
from paints_undo.strokes_engine import Strokes
from paints_undo.timelapse import join_timelapse

from . import declared
from .declared import Node
from .host import as_video, make_room, own_families, place_for_video, progress_callback
from .inputs import (
    engine_of,
    family_named,
    in_our_words,
    installed,
    one_picture,
    operation_steps_of,
    pictures_of,
    place_of,
)

if TYPE_CHECKING:
    from paints_undo import PaintsUndo

EXAMPLES = {file.stem: file for file in sorted(Path(examples.__file__).parent.glob("*.png"))}


class LoadFamily(Node):
    """A model family on a device; its weights are read when a node first needs them."""

    TITLE = "Load Model Family"
    FUNCTION = "load"
    RETURN_TYPES = (declared.FAMILY,)
    RETURN_NAMES = ("family",)
    OUTPUT_TOOLTIPS = ("what the other nodes of Paints-UNDO draw with",)
    REQUIRED = {
        "models": (
            ["auto", *NAMED],
            {"default": "auto", "tooltip": "auto: released on a GPU where it is installed, else strokes"},
        ),
        "device": (["auto", "cuda", "mps", "cpu"], {"tooltip": "where networks compute; strokes need no device"}),
        "dtype": (
            ["auto", "fp16", "bf16", "fp32"],
            {"tooltip": "the precision of networks; auto: the best for the device"},
        ),
        "noise": (["cpu", "device"], {"tooltip": "cpu: the same pictures on every device"}),
        "vram": (
            "FLOAT",
            {
                "default": 0,
                "min": 0,
                "max": 1024,
                "step": 0.5,
                "tooltip": "GiB of the GPU's memory that may be used; 0: what is free",
            },
        ),
    }

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        there = installed()
        missing = ", ".join(name for name in NAMED if name not in there)
        told = f"installed: {', '.join(there)}" + (f"; not installed: {missing}" if missing else "")
        listed, how = cls.REQUIRED["models"]
        models = [*listed, *own_families()], how | {"tooltip": f"{how['tooltip']}; {told}"}
        return {"required": cls.REQUIRED | {"models": models}, "optional": cls.OPTIONAL}

    @classmethod
    def VALIDATE_INPUTS(cls, models: str | None) -> bool | str:
        if models is None:  # it comes from another node, and is looked at when it is there
            return True
        try:
            return bool(family_named(models))
        except (CheckpointError, InputError) as error:
            return str(error)

    @classmethod
    def IS_CHANGED(cls, models: str, **others: Any) -> str | float:
        """Another value when the name stands for other weights: a download has finished, a folder was replaced."""
        try:
            family = family_named(models)
        except (CheckpointError, InputError):
            return float("nan")  # never equal to itself: asked again at the next run
        return f"{family.name} {family.revision} {sorted(map(str, family.folders.values()))}"

    def load(self, models: str, device: str, dtype: str, noise: str, vram: float) -> tuple[PaintsUndo]:
        choice: dict[str, Any] = {
            name: value for name, value in (("device", device), ("dtype", dtype)) if value != "auto"
        }
        choice["vram"] = str(vram) if vram else "auto"
        if family_named(models).in_strokes:  # the networks' libraries stay out of it
            return (cast("PaintsUndo", Strokes.load(**choice)),)
        from paints_undo.pipeline import PaintsUndo

        with in_our_words():
            return (PaintsUndo.load(place_of(models), noise=noise, **choice),)


class ExampleArtwork(Node):
    """A picture that comes with Paints-UNDO, to try the nodes with; replace it by Load Image with yours."""

    TITLE = "Example Artwork"
    FUNCTION = "load"
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("artwork",)
    OUTPUT_TOOLTIPS = ("the picture",)
    REQUIRED = {"picture": (list(EXAMPLES), {"default": "girl", "tooltip": "which one"})}

    def load(self, picture: str) -> tuple[Tensor]:
        if picture not in EXAMPLES:
            raise InputError(f"there is no example {picture}; choose {', '.join(EXAMPLES)}")
        return (pixels_to_unit(read_picture(EXAMPLES[picture])[None]),)


class TagArtwork(Node):
    """The tags of an artwork, the prompt of its keyframes."""

    TITLE = "Tag Artwork"
    FUNCTION = "tag"
    RETURN_TYPES = ("STRING",)
    RETURN_NAMES = ("prompt",)
    OUTPUT_TOOLTIPS = ("the tags, for the prompt of Draw Keyframes or Draw Timelapse",)
    REQUIRED = {"family": declared.FROM_LOADER, "artwork": declared.ARTWORK}
    OPTIONAL = {"mask": declared.MASK}

    def tag(self, family: PaintsUndo, artwork: Tensor, mask: Tensor | None = None) -> tuple[str]:
        return (engine_of(family).tag(one_picture(artwork, mask)),)


class DrawKeyframes(Node):
    """Earlier states of an artwork, first to last stroke taken back: as one batch, and as a list of single pictures."""

    TITLE = "Draw Keyframes"
    FUNCTION = "draw"
    RETURN_TYPES = ("IMAGE", "IMAGE", "IMAGE")
    RETURN_NAMES = ("artwork", "keyframes", "keyframe list")
    OUTPUT_IS_LIST = (False, False, True)
    OUTPUT_TOOLTIPS = (
        "the artwork as the keyframes show it, for Fill Segments",
        "the keyframes as one batch",
        "the keyframes one by one, to change single ones before Fill Segments",
    )
    REQUIRED = {
        "family": declared.FROM_LOADER,
        "artwork": declared.ARTWORK,
        "prompt": declared.PROMPT,
        "operation_steps": declared.OPERATION_STEPS,
        "seed": declared.SEED,
    }
    OPTIONAL = {
        "negative_prompt": declared.text_of("negative_prompt"),
        "width": declared.number("width"),
        "height": declared.number("height"),
        "sampling_steps": declared.number("sampling_steps"),
        "guidance_scale": declared.number("guidance_scale", 0.1),
        "mask": declared.MASK,
    }

    @classmethod
    def VALIDATE_INPUTS(cls, operation_steps: str | None) -> bool | str:
        if operation_steps is None:  # it comes from another node, and is looked at when it is there
            return True
        try:
            return bool(operation_steps_of(operation_steps))
        except InputError as error:
            return str(error)

    def draw(
        self,
        family: PaintsUndo,
        artwork: Tensor,
        prompt: str,
        operation_steps: str,
        seed: int,
        mask: Tensor | None = None,
        **others: Any,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        engine, picture, steps = engine_of(family), one_picture(artwork, mask), operation_steps_of(operation_steps)
        given = {name: value for name, value in others.items() if value}
        defaults = engine.default_options.keyframes
        options = replace(defaults, prompt=prompt, operation_steps=steps, seed=seed, **given)
        make_room()
        with in_our_words():
            keyframes = pixels_to_unit(engine.draw_keyframes(picture, options, progress_callback()))
        # what the keyframes are earlier states of
        strokes = engine.default_options.in_strokes
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
    OUTPUT_TOOLTIPS = ("a batch of frames for each pair of neighbours, for Timelapse",)
    REQUIRED = {
        "family": declared.FROM_LOADER,
        "artwork": ("IMAGE", {"tooltip": "the artwork that Draw Keyframes puts out"}),
        "keyframes": ("IMAGE", {"tooltip": "a batch or a list, the finished picture's neighbour first"}),
        "seed": declared.SEED,
    }
    OPTIONAL = {
        "prompt": declared.text_of("video_prompt"),
        "sampling_steps": declared.number("video_sampling_steps"),
        "guidance_scale": declared.number("video_guidance_scale", 0.1),
        "frame_stride": declared.number("frame_stride"),
        "white_canvas": ("BOOLEAN", {"default": True, "tooltip": "go on to a blank canvas"}),
    }

    def fill(
        self, family: list[PaintsUndo], artwork: list[Tensor], keyframes: list[Tensor], seed: list[int], **others: Any
    ) -> tuple[list[Tensor]]:
        engine, chosen = engine_of(family[0]), {name: values[0] for name, values in others.items()}
        with_canvas = chosen.pop("white_canvas", True)
        given = {name: value for name, value in chosen.items() if value}
        options = replace(engine.default_options.segments, seed=seed[0], **given)
        if len(artwork) > 1:
            raise InputError(f"{len(artwork)} artworks are given; fill the segments of one at a time")
        pictures = [one_picture(artwork[0])]
        pictures += [read_picture(picture) for batch in keyframes for picture in pictures_of(batch, "keyframes")]
        if with_canvas:
            pictures.append(np.full_like(pictures[-1], 255))
        make_room()
        with in_our_words():
            filled = engine.fill_segments(pictures, options, progress_callback())
        return ([pixels_to_unit(frames) for frames in filled],)


class JoinTimelapse(Node):
    """The timelapse of a list of segments, first stroke first: its frames, and an MP4 file in the output folder."""

    TITLE = "Timelapse"
    FUNCTION = "join"
    INPUT_IS_LIST = True
    OUTPUT_NODE = True
    RETURN_TYPES = ("IMAGE", "STRING", "VIDEO")
    RETURN_NAMES = ("frames", "file", "video")
    OUTPUT_TOOLTIPS = ("all frames as one batch", declared.FILE_TOOLTIP, declared.VIDEO_TOOLTIP)
    REQUIRED = {
        "segments": ("IMAGE", {"tooltip": "the list of Fill Segments, the one next to the artwork first"}),
        "fps": declared.FPS,
        "filename_prefix": declared.PREFIX,
    }

    def join(self, segments: list[Tensor], fps: list[int], filename_prefix: list[str]) -> dict[str, Any]:
        pixels = [pictures_of(segment, "segments") for segment in segments]
        if len({segment.shape for segment in pixels}) != 1:
            shapes = ", ".join(str(segment.shape) for segment in pixels)
            raise InputError(f"the segments have the shapes {shapes}; give the list of one Fill Segments")
        frames = join_timelapse(np.stack(pixels))
        shown, *film = _written(frames, fps[0], filename_prefix[0])
        return {"ui": shown, "result": (pixels_to_unit(frames), *film)}


class DrawTimelapse(Node):
    """All in one: the video of an artwork as an MP4 file in the output folder, and its keyframes.

    The family strokes draws it at the artwork's own size, as many seconds long as asked for.
    """

    TITLE = "Draw Timelapse"
    FUNCTION = "draw"
    OUTPUT_NODE = True
    RETURN_TYPES = ("IMAGE", "STRING", "VIDEO")
    RETURN_NAMES = ("keyframes", "file", "video")
    OUTPUT_TOOLTIPS = ("the keyframes as one batch", declared.FILE_TOOLTIP, declared.VIDEO_TOOLTIP)
    REQUIRED = {
        "family": declared.FROM_LOADER,
        "artwork": declared.ARTWORK,
        "prompt": declared.PROMPT,
        "seed": declared.SEED,
        "filename_prefix": declared.PREFIX,
    }
    OPTIONAL = {"seconds": declared.number("seconds", 0.5), "mask": declared.MASK}

    def draw(
        self,
        family: PaintsUndo,
        artwork: Tensor,
        prompt: str,
        seed: int,
        filename_prefix: str,
        seconds: float = 0,
        mask: Tensor | None = None,
    ) -> dict[str, Any]:
        engine, picture = engine_of(family), one_picture(artwork, mask)
        defaults = engine.default_options
        options = replace(
            defaults,
            keyframes=replace(defaults.keyframes, prompt=prompt, seed=seed),
            tag=False,
            **{"seconds": seconds} if seconds else {},
        )
        make_room()
        with in_our_words():
            drawn = engine.undo(picture, options, on_progress=progress_callback())
        shown, *film = _written(drawn.frames, options.fps, filename_prefix)
        return {"ui": shown, "result": (pixels_to_unit(drawn.keyframes), *film)}


NODES = (LoadFamily, ExampleArtwork, TagArtwork, DrawKeyframes, FillSegments, JoinTimelapse, DrawTimelapse)
NODE_CLASS_MAPPINGS = {f"PaintsUndo{node.__name__}": node for node in NODES}
NODE_DISPLAY_NAME_MAPPINGS = {f"PaintsUndo{node.__name__}": f"{node.TITLE} (Paints-UNDO)" for node in NODES}


def _written(frames: np.ndarray, fps: int, prefix: str) -> tuple[dict[str, Any], str, Any]:
    """What ComfyUI shows of a video of these frames, uint8 (n, h, w, 3), its new MP4 file, and that as a VIDEO."""
    height, width = frames.shape[1:3]
    fps = SETTINGS["fps"].checked("fps", fps, int)
    file, subfolder = place_for_video(validation.text("filename prefix", prefix), width, height)
    write_video(frames, file, fps, Record("timelapse", version=__version__))  # says that AI made it
    shown = {"filename": file.name, "subfolder": subfolder, "type": "output"}
    return {"images": [shown], "animated": (True,)}, str(file), as_video(file)
