"""What ComfyUI is told of the nodes: what every node says of itself, and the inputs that several nodes have."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from paints_undo.options import RANGES

FAMILY = "PAINTS_UNDO_FAMILY"

# inputs that several nodes have
FROM_LOADER = (FAMILY, {"tooltip": "the output of Load Model Family"})
ARTWORK = ("IMAGE", {"tooltip": "one finished picture"})
MASK = ("MASK", {"tooltip": "the mask of the node that loads the artwork: what is transparent becomes white"})
SEED = (
    "INT",
    {
        "default": 0,
        "min": 0,
        "max": 2**32 - 1,
        "control_after_generate": True,
        "tooltip": "the same seed and inputs give the same pictures",
    },
)
PREFIX = (
    "STRING",
    {"default": "paints-undo", "tooltip": "how the file's name in ComfyUI's output folder begins; a folder/ may lead"},
)
FILE_TOOLTIP = "the path of the MP4 file"
VIDEO_TOOLTIP = "the same film, for any node that takes a VIDEO"


def number(kind: str, field: str, tooltip: str, step: float = 1) -> tuple[str, dict[str, Any]]:
    said = f"{tooltip}; 0: the model family's default"
    return kind, {"default": 0, "min": 0, "max": RANGES[field][1], "step": step, "tooltip": said}


def text(default: str, tooltip: str) -> tuple[str, dict[str, Any]]:
    return "STRING", {"default": default, "multiline": True, "tooltip": tooltip}


SAMPLING_STEPS = number("INT", "sampling_steps", "denoising iterations of networks")
GUIDANCE_SCALE = number("FLOAT", "guidance_scale", "how closely networks follow the prompt", 0.1)


class Node:
    """What ComfyUI asks of every node of this folder: where it lists it, what it says of it, and what goes in."""

    CATEGORY: ClassVar[str] = "Paints-UNDO"
    DESCRIPTION: ClassVar[str]
    TITLE: ClassVar[str]
    OUTPUT_TOOLTIPS: ClassVar[tuple[str, ...]]
    REQUIRED: ClassVar[dict[str, Any]]
    OPTIONAL: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls) -> None:
        cls.DESCRIPTION = inspect.cleandoc(cls.__doc__ or "")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": cls.REQUIRED, "optional": cls.OPTIONAL}
