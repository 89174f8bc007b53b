"""Paints-UNDO as nodes of ComfyUI, which finds them through the project's own __init__.py."""

from .host import find_paints_undo

find_paints_undo()

from .nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS  # noqa: E402

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
