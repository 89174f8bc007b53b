"""The widgets hand values on as they came and keep Gradio's own front end."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from paints_undo.web import components
from paints_undo.web.components import Artwork, OperationSteps, Slider


def test_values_are_handed_on_unchecked() -> None:
    assert Slider(1, 100).preprocess(2.7) == 2.7
    assert Slider(1, 100).preprocess(None) is None
    assert OperationSteps(list(range(1000)), multiselect=True).preprocess([5, 5, 2000]) == [5, 5, 2000]
    assert Artwork(type="filepath", image_mode=None).preprocess(None) is None


def test_they_look_like_what_they_come_from() -> None:
    assert Slider(1, 2).get_block_name() == gr.Slider(1, 2).get_block_name()
    assert Artwork().get_block_name() == "image"
    assert OperationSteps([1], multiselect=True).get_block_name() == "dropdown"
    assert not list(Path(components.__file__).parent.glob("*.pyi")), "gradio writes one for every other component"


def test_the_api_says_numbers() -> None:
    items = OperationSteps(list(range(1000)), multiselect=True).api_info()["items"]
    assert items == {"type": "integer", "minimum": 0, "maximum": 999}
