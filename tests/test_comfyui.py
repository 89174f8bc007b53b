"""The ComfyUI nodes, imported and run the way ComfyUI does: its contract, its lists, its bar and its cancel button."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from paints_undo import InputError, KeyframeOptions, PaintsUndo, SegmentOptions, UndoOptions, examples
from paints_undo.pictures.fit import crop_to
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.video import read_video
from paints_undo.provenance.metadata import read_record

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "comfyui"
SMALL = {"width": 96, "height": 64, "sampling_steps": 2}


def load_package(folder: Path) -> ModuleType:
    """As ComfyUI loads a folder of custom_nodes: by its path, under a name that is no word."""
    name = str(folder / "__init__").replace(".", "_x_")
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    assert spec and spec.loader
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
    return package


@pytest.fixture(scope="module")
def nodes() -> dict[str, Any]:
    return load_package(FOLDER).NODE_CLASS_MAPPINGS


class Interrupted(BaseException):
    pass


@pytest.fixture
def comfyui(monkeypatch, tmp_path) -> SimpleNamespace:
    """The parts of ComfyUI that the nodes speak to."""
    seen = SimpleNamespace(bar=[], unloaded=0, interrupted=False, output=tmp_path)

    class ProgressBar:
        def __init__(self, total: int) -> None:
            self.total = total

        def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
            seen.bar.append((value, total, preview))

    def unload_all_models() -> None:
        seen.unloaded += 1

    def throw_exception_if_processing_interrupted() -> None:
        if seen.interrupted:
            raise Interrupted

    def get_save_image_path(prefix: str, folder: str, width: int, height: int) -> tuple:
        (Path(folder) / "sub").mkdir(exist_ok=True)
        return str(Path(folder) / "sub"), prefix, 1, "sub", prefix

    modules = {
        "comfy": {},
        "comfy.utils": {"ProgressBar": ProgressBar},
        "comfy.model_management": {
            "unload_all_models": unload_all_models,
            "soft_empty_cache": lambda: None,
            "throw_exception_if_processing_interrupted": throw_exception_if_processing_interrupted,
        },
        "folder_paths": {
            "get_output_directory": lambda: str(tmp_path),
            "get_save_image_path": get_save_image_path,
        },
    }
    for name, contents in modules.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    return seen


def execute(node: Any, inputs: dict[str, list]) -> tuple[list[list], dict | None]:
    """One node as ComfyUI executes it: every input and output is a list; the node says which it sees as such."""
    instance = node()
    function = getattr(instance, node.FUNCTION)
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


class LoadImage:
    """ComfyUI's own node, as far as needed: a file as a float picture 0..1."""

    FUNCTION, RETURN_TYPES = "load", ("IMAGE",)

    def load(self, image: str) -> tuple[torch.Tensor]:
        picture = np.asarray(Image.open(Path(examples.__file__).parent / image).convert("RGB"))
        return (torch.from_numpy(picture.astype(np.float32) / 255)[None],)


class PreviewImage:
    FUNCTION, RETURN_TYPES = "show", ()

    def show(self, images: torch.Tensor) -> tuple:
        assert images.ndim == 4 and images.shape[3] == 3
        return ()


def run_workflow(workflow: dict, known: dict[str, type]) -> dict[str, tuple]:
    """A workflow in the format of ComfyUI's API, node by node; what each put out and showed."""
    done: dict[str, tuple] = {}
    for number, step in workflow.items():  # written in their order
        inputs = {
            name: done[value[0]][0][value[1]] if isinstance(value, list) else [value]
            for name, value in step["inputs"].items()
        }
        done[number] = execute(known[step["class_type"]], inputs)
    return done


def test_the_contract(nodes):
    display_names = sys.modules[next(name for name in sys.modules if name.endswith("comfyui/__init__"))]
    assert set(display_names.NODE_DISPLAY_NAME_MAPPINGS) == set(nodes) and len(nodes) == 6
    for node in nodes.values():
        inputs = node.INPUT_TYPES()
        assert set(inputs) <= {"required", "optional", "hidden"} and "required" in inputs
        for kind, *more in [spec for group in inputs.values() for spec in group.values()]:
            assert isinstance(kind, str | list) and all(isinstance(options, dict) for options in more)
            for options in more:
                if "min" in options:
                    assert options["min"] <= options["default"] <= options["max"]
        assert isinstance(node.RETURN_TYPES, tuple) and len(node.RETURN_NAMES) == len(node.RETURN_TYPES)
        assert len(getattr(node, "OUTPUT_IS_LIST", node.RETURN_TYPES)) == len(node.RETURN_TYPES)
        assert callable(getattr(node(), node.FUNCTION)) and node.CATEGORY == "Paints-UNDO"
    assert [node.__name__ for node in nodes.values() if getattr(node, "OUTPUT_NODE", False)] == [
        "JoinTimelapse",
        "DrawTimelapse",
    ]


def test_the_example_workflow_draws_what_undo_draws(nodes, comfyui, tiny_family):
    workflow = json.loads((FOLDER / "example_workflows" / "timelapse.json").read_text())
    workflow["1"]["inputs"] |= {"models": str(tiny_family), "device": "cpu"}
    workflow["4"]["inputs"] |= SMALL | {"operation_steps": "999 500", "prompt": "1girl"}
    workflow["6"]["inputs"] |= {"sampling_steps": 1}
    done = run_workflow(workflow, {**nodes, "LoadImage": LoadImage, "PreviewImage": PreviewImage})

    artwork = Path(examples.__file__).parent / "girl.png"
    options = UndoOptions(
        KeyframeOptions("1girl", operation_steps=[500, 999], **SMALL, seed=12345),
        SegmentOptions(seed=123, sampling_steps=1),
        fit="crop",  # the nodes cut the picture as the original does
    )
    expected = PaintsUndo.load(tiny_family, device="cpu").undo(artwork, options)
    (cropped,), (batch,), singles = done["4"][0]
    assert np.array_equal((cropped[0] * 255).byte().numpy(), crop_to(read_picture(artwork), 96, 64))
    assert torch.equal(torch.cat(singles), batch) and batch.dtype == torch.float32 and batch.shape == (2, 64, 96, 3)
    assert np.array_equal((batch * 255).round().byte().numpy(), expected.keyframes)
    (segments,) = done["6"][0]
    assert len(segments) == 3 and all(segment.shape[0] == 16 for segment in segments)
    ((frames,), (file,)), shown = done["7"]
    assert np.array_equal((frames * 255).round().byte().numpy(), expected.frames)
    assert read_video(file).shape == expected.frames.shape
    assert read_record(file).piece == "timelapse"  # the file says what made it
    assert shown["images"] == [{"filename": Path(file).name, "subfolder": "sub", "type": "output"}]
    assert Path(file).parent == comfyui.output / "sub"
    assert comfyui.unloaded == 2 and "solo" in done["3"][0][0][0]
    values = [(value, total) for value, total, _ in comfyui.bar]
    assert (4, 4) in values and all(0 <= value <= total for value, total in values)
    kind, picture, longest = next(preview for _, _, preview in comfyui.bar if preview)
    assert kind == "JPEG" and isinstance(picture, Image.Image) and longest > 0


def test_the_cancel_button_ends_a_run(nodes, comfyui, tiny_family):
    comfyui.interrupted = True
    node = nodes["PaintsUndoDrawKeyframes"]()
    family = PaintsUndo.load(tiny_family, device="cpu")
    with pytest.raises(Interrupted):
        node.draw(family, torch.rand(1, 64, 96, 3), "1girl", "500", 1, **SMALL)
    assert comfyui.bar == []


def test_own_pictures_as_keyframes_of_any_size(nodes, tiny_family):
    """Without ComfyUI around, with a batch and a single picture, and no white canvas."""
    family = PaintsUndo.load(tiny_family, device="cpu")
    given = {"keyframes": [torch.rand(1, 48, 48, 3)], "artwork": [torch.rand(1, 64, 96, 3)], "seed": [1]}
    others = {"sampling_steps": [1], "white_canvas": [False], "prompt": [""]}
    ((segments,), _) = execute(nodes["PaintsUndoFillSegments"], {"family": [family], **given, **others})
    assert len(segments) == 1 and 0 <= segments[0].min() <= segments[0].max() <= 1
    ((frames,), (file,)), _ = execute(
        nodes["PaintsUndoJoinTimelapse"], {"segments": segments, "fps": [8], "filename_prefix": ["x"]}
    )
    assert frames.shape[0] == 15 and Path(file).is_file()


def test_strokes_are_drawn_at_the_artwork_s_own_size(nodes, comfyui):
    artwork = torch.from_numpy(read_picture(Path(examples.__file__).parent / "cat.png")[100:300, 100:261].copy())
    artwork = artwork[None].float() / 255
    ((family,),), _ = execute(
        nodes["PaintsUndoLoadFamily"],
        {"models": ["strokes"], "device": ["auto"], "dtype": ["auto"], "noise": ["cpu"], "vram": [0]},
    )
    given = {"family": [family], "artwork": [artwork], "prompt": [""], "seed": [3]}
    drawn, _ = execute(
        nodes["PaintsUndoDrawKeyframes"], {**given, "operation_steps": ["300 800"], "negative_prompt": [""]}
    )
    ((whole,), (batch,), singles) = drawn
    assert torch.equal(whole, artwork) and batch.shape == (2, *artwork.shape[1:]) and comfyui.bar[-1][:2] == (2, 2)
    filling = {"family": [family], "artwork": [whole], "keyframes": singles, "seed": [3]}
    ((segments,), _) = execute(nodes["PaintsUndoFillSegments"], filling)
    assert len(segments) == 3 and torch.equal(segments[0][0], artwork[0]) and torch.equal(segments[1][0], batch[0])
    ((keyframes,), (file,)), shown = execute(
        nodes["PaintsUndoDrawTimelapse"], {**given, "filename_prefix": ["x"], "seconds": [3.0]}
    )
    assert keyframes.shape[0] == 7 and shown["images"][0]["filename"] == Path(file).name
    video = read_video(file)
    assert video.shape == (72, 200, 160, 3)


def test_bad_input_is_one_sentence(nodes):
    draw, join = nodes["PaintsUndoDrawKeyframes"], nodes["PaintsUndoJoinTimelapse"]
    tagger = SimpleNamespace(tag=lambda picture: "")
    assert draw.VALIDATE_INPUTS("400,600; 999") is True and draw.VALIDATE_INPUTS(None) is True
    assert "operation step is 'many'" in draw.VALIDATE_INPUTS("many")
    assert "operation steps are empty" in draw.VALIDATE_INPUTS(" ")
    with pytest.raises(InputError, match=r"shape \(2, 64, 64, 3\); give one picture"):
        nodes["PaintsUndoTagArtwork"]().tag(tagger, torch.rand(2, 64, 64, 3))
    with pytest.raises(InputError, match="not finite"):
        nodes["PaintsUndoTagArtwork"]().tag(tagger, torch.full((1, 64, 64, 3), torch.nan))
    with pytest.raises(InputError, match="give the list of one Fill Segments"):
        join().join([torch.rand(16, 8, 8, 3), torch.rand(16, 8, 16, 3)], [4], ["x"])


def test_a_family_that_changed_is_loaded_again(nodes, tiny_family, tmp_path):
    load = nodes["PaintsUndoLoadFamily"]
    first = load.IS_CHANGED(models=str(tiny_family), device="cpu", dtype="auto", noise="cpu", vram=0)
    assert first == load.IS_CHANGED(models=str(tiny_family), device="cpu", dtype="auto", noise="cpu", vram=0)
    missing = load.IS_CHANGED(models=str(tmp_path / "none"))
    assert missing != missing and first != load.IS_CHANGED(models="mini")


def test_requirements_are_those_of_the_project_without_torch_and_what_the_web_app_needs():
    def lines(file: Path) -> list[str]:
        kept = file.read_text().splitlines()
        return [line for line in kept if not re.match("#|torch==|gradio|httpx|starlette", line)]

    assert lines(FOLDER / "requirements.txt") == lines(ROOT / "requirements.txt")


def test_a_copy_far_from_the_project_says_what_to_do(tmp_path, monkeypatch, nodes):
    host = next(module for name, module in sys.modules.items() if name.endswith("comfyui/__init__.host"))
    monkeypatch.setattr(host, "__file__", str(tmp_path / "custom_nodes" / "paints" / "host.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="link the folder instead of copying it, or run `pip install --no-deps`"):
        host.find_paints_undo()
