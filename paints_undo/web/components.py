"""Gradio widgets that hand their values on unchecked, so that the option classes can name the field and its range."""

from __future__ import annotations

from abc import ABCMeta
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.component_meta import ComponentMeta


class WithoutStub(ComponentMeta):
    """Makes a widget class without the .pyi file that Gradio writes beside its source: importing writes nothing."""

    def __new__(cls, name: str, bases: tuple[type, ...], attributes: dict[str, Any]) -> WithoutStub:
        return ABCMeta.__new__(cls, name, bases, attributes)


class Artwork(gr.Image, metaclass=WithoutStub):
    """A picture input that gives the path of the uploaded bytes.

    Gradio's own preprocessing opens the file and answers a broken one with its inner state; here the file stays as it
    was sent, and the picture reader says in one sentence what is wrong with it.
    """

    is_template = True

    def preprocess(self, payload: Any) -> str | None:
        return None if payload is None or payload.path is None else str(Path(payload.path))


class Slider(gr.Slider, metaclass=WithoutStub):
    """A slider whose value is checked by the option class: Gradio's message names neither the field nor both bounds."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return payload

    def api_info(self) -> dict[str, Any]:
        whole = isinstance(self.step, int) and isinstance(self.minimum, int)
        return {**super().api_info(), "type": "integer" if whole else "number"}


class OperationSteps(gr.Dropdown, metaclass=WithoutStub):
    """A choice of operation steps 0..999; Gradio's own check would print all thousand of them."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return payload

    def api_info(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 999}}
