"""How ComfyUI loads a folder, draws widgets, and executes nodes and the workflows that ship with them.

No registry of packages has ComfyUI itself.  What it publishes stands for it here.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

ROOT = Path(__file__).parent.parent
WORKFLOWS = ROOT / "example_workflows"  # where ComfyUI looks


def load_package(folder: Path) -> ModuleType:
    """As ComfyUI loads a folder of custom_nodes: by its path, under a name that is no word."""
    name = str(folder).replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(name, folder / "__init__.py")
    assert spec and spec.loader
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return package


def execute(node: Any, inputs: dict[str, list]) -> tuple[list[list], dict | None]:
    """One node as ComfyUI executes it: every input and output is a list; the node says which it sees as such."""
    function = getattr(node(), node.FUNCTION)
    if getattr(node, "INPUT_IS_LIST", False):
        calls = [inputs]
    else:
        length = max((len(values) for values in inputs.values()), default=1)
        calls = [{name: values[min(i, len(values) - 1)] for name, values in inputs.items()} for i in range(length)]
    with torch.inference_mode():
        given = [function(**call) for call in calls]
    shown = next((each["ui"] for each in given if isinstance(each, dict)), None)
    results = [each["result"] if isinstance(each, dict) else each for each in given]
    is_list = getattr(node, "OUTPUT_IS_LIST", [False] * len(node.RETURN_TYPES))
    outputs = []
    for place in range(len(node.RETURN_TYPES)):
        values = [result[place] for result in results]
        outputs.append([item for value in values for item in value] if is_list[place] else values)
    return outputs, shown


class PreviewImage:
    """ComfyUI's own node, as far as needed."""

    FUNCTION, RETURN_TYPES = "show", ()

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        return {"required": {"images": ("IMAGE", {})}, "optional": {}}

    def show(self, images: torch.Tensor) -> tuple:
        assert images.ndim == 4 and images.shape[3] == 3
        return ()


def widgets(node: Any) -> dict[str, Any]:
    """What ComfyUI draws as a widget, in the order in which a workflow keeps their values, and how it is declared."""
    inputs = node.INPUT_TYPES()
    every = inputs["required"] | inputs["optional"]
    drawn = ("INT", "FLOAT", "STRING", "BOOLEAN")
    return {name: spec for name, spec in every.items() if isinstance(spec[0], list) or spec[0] in drawn}


def prompt_of(name: str, known: dict[str, Any]) -> dict[str, dict]:
    """The prompt that ComfyUI's page makes of a shipped workflow."""
    workflow = json.loads((WORKFLOWS / f"{name}.json").read_text())
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    prompt = {}
    for node in sorted(workflow["nodes"], key=lambda node: node["order"]):
        if node["type"] == "MarkdownNote":
            continue
        kept, inputs = iter(node["widgets_values"]), {}
        for widget, (_, how) in widgets(known[node["type"]]).items():
            inputs[widget] = next(kept)
            if how.get("control_after_generate"):
                assert next(kept) in ("fixed", "increment", "decrement", "randomize")
        assert not list(kept), "more values than widgets"
        inputs |= {given["name"]: links[given["link"]] for given in node["inputs"] if given["link"]}
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt


def run_workflow(prompt: dict, known: dict[str, Any]) -> dict[str, tuple]:
    """A prompt, node by node; what each put out and showed."""
    done: dict[str, tuple] = {}
    for number, step in prompt.items():
        inputs = {
            name: done[value[0]][0][value[1]] if isinstance(value, list) else [value]
            for name, value in step["inputs"].items()
        }
        done[number] = execute(known[step["class_type"]], inputs)
    return done
