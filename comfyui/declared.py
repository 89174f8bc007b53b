"""What ComfyUI is told of the nodes: what every node says of itself, and the inputs that several nodes have."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from paints_undo.options import DEFAULTS, RANGES, SETTINGS

FAMILY = "PAINTS_UNDO_FAMILY"

# inputs that several nodes have
FROM_LOADER = (FAMILY, {"tooltip": "the output of Load Model Family"})
ARTWORK = ("IMAGE", {"tooltip": "one finished picture"})
MASK = ("MASK", {"tooltip": "the mask of the node that loads the artwork: what is transparent becomes white"})
SEED = (
    "INT",
    {
        "default": 0,
        "min": RANGES["seed"][0],
        "max": RANGES["seed"][1],
        "control_after_generate": True,
        "tooltip": "the same seed and inputs give the same pictures",
    },
)
FPS = (
    "INT",
    dict(zip(("min", "max"), RANGES["fps"], strict=True), default=DEFAULTS["fps"], tooltip=SETTINGS["fps"].help),
)
_STEPS = ", ".join(map(str, DEFAULTS["operation_steps"]))
OPERATION_STEPS = ("STRING", {"default": _STEPS, "tooltip": SETTINGS["operation_steps"].told})
PREFIX = (
    "STRING",
    {"default": "paints-undo", "tooltip": "how the file's name in ComfyUI's output folder begins; a folder/ may lead"},
)
FILE_TOOLTIP = "the path of the MP4 file"
VIDEO_TOOLTIP = "the same film, for any node that takes a VIDEO"


def number(setting: str, step: float = 1) -> tuple[str, dict[str, Any]]:
    """The number of a setting, which the family chooses where nobody does."""
    said = f"{SETTINGS[setting].help}; 0: the model family's default"
    kind = "FLOAT" if isinstance(DEFAULTS[setting], float) else "INT"
    return kind, {"default": 0, "min": 0, "max": RANGES[setting][1], "step": step, "tooltip": said}


def text(tooltip: str) -> tuple[str, dict[str, Any]]:
    return "STRING", {"default": "", "multiline": True, "tooltip": tooltip}


def text_of(setting: str) -> tuple[str, dict[str, Any]]:
    """The text of a setting, which the family chooses where nobody does."""
    return text(f"{SETTINGS[setting].help}; empty: the model family's default")


PROMPT = text("best as Tag Artwork writes it; strokes need none")


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
