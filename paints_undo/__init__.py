"""Paints-UNDO: a picture goes in, and out comes a believable video of how it was drawn.

>>> from paints_undo import PaintsUndo
>>> timelapse = PaintsUndo.load().undo(artwork, out="outputs/artwork")  # doctest: +SKIP
"""

from importlib import import_module
from typing import Any

__version__ = "1.0.0"

# Loaded on first use: the networks' libraries take seconds to import, and `paints_undo.pictures` needs none of them.
_HOMES = {
    "PaintsUndo": "pipeline",
    "UndoOptions": "options",
    "Timelapse": "timelapse",
    "KeyframeOptions": "options",
    "SegmentOptions": "options",
    "Progress": "progress",
    "InputError": "errors",
    "CheckpointError": "errors",
    "Cancelled": "errors",
}
__all__ = list(_HOMES)  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "PaintsUndo":
        import_module(f"{__name__}.errors").check_descriptions()
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
