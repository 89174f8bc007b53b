"""The ComfyUI nodes, imported and run the way ComfyUI does: its contract, its lists, its bar and its cancel button.

What ComfyUI publishes stands for it (comfyui_host.py), and the schema of workflow files, version 0.4
(docs.comfy.org/specs/workflow_json_0.4).
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from comfyui_host import ROOT, WORKFLOWS, PreviewImage, execute, load_package, prompt_of, run_workflow
from PIL import Image

from paints_undo import CheckpointError, InputError, KeyframeOptions, PaintsUndo, SegmentOptions, UndoOptions, examples
from paints_undo.errors import OutOfMemory
from paints_undo.pictures.fit import crop_to
from paints_undo.pictures.pixels import read_picture
from paints_undo.pictures.video import read_video
from paints_undo.provenance.metadata import read_record
from paints_undo.strokes_engine import Strokes

FOLDER = ROOT / "comfyui"
SMALL = {"width": 96, "height": 64, "sampling_steps": 2}


@pytest.fixture(scope="module")
def package() -> ModuleType:
    return load_package(ROOT)


@pytest.fixture(scope="module")
def nodes(package) -> dict[str, Any]:
    return package.NODE_CLASS_MAPPINGS


class Interrupted(BaseException):
    pass


@pytest.fixture
def comfyui(monkeypatch, tmp_path) -> SimpleNamespace:
    """The parts of ComfyUI that the nodes speak to."""
    seen = SimpleNamespace(bar=[], unloaded=[], interrupted=False, output=tmp_path)

    class ProgressBar:
        def __init__(self, total: int) -> None: ...

        def update_absolute(self, value: int, total: int | None = None, preview: Any = None) -> None:
            seen.bar.append((value, total, preview))

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
            "unload_all_models": lambda: seen.unloaded.append(1),
            "soft_empty_cache": lambda: None,
            "throw_exception_if_processing_interrupted": throw_exception_if_processing_interrupted,
        },
        "comfy_api": {},
        "comfy_api.input_impl": {"VideoFromFile": lambda file: f"VIDEO of {file}"},
        "folder_paths": {
            "models_dir": str(tmp_path / "models"),
            "get_output_directory": lambda: str(tmp_path),
            "get_save_image_path": get_save_image_path,
        },
    }
    for name, contents in modules.items():
        module = ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    return seen


def test_the_contract(package, nodes):
    assert set(package.NODE_DISPLAY_NAME_MAPPINGS) == set(nodes) and len(nodes) == 7
    pages = ROOT / package.WEB_DIRECTORY / "docs"
    assert {page.stem for page in pages.iterdir()} == set(nodes)
    for name, node in nodes.items():
        page = (pages / f"{name}.md").read_text("utf-8")
        inputs = node.INPUT_TYPES()
        assert set(inputs) == {"required", "optional"} and node.DESCRIPTION in page
        for field, (kind, options) in (inputs["required"] | inputs["optional"]).items():
            assert isinstance(kind, str | list) and options["tooltip"]
            told = options["tooltip"].split("; installed:")[0]  # what is there differs from place to place
            assert f"| `{field}` | {'COMBO' if isinstance(kind, list) else kind} | {told} |" in page
            if "min" in options:
                assert options["min"] <= options["default"] <= options["max"]
        assert isinstance(node.RETURN_TYPES, tuple)
        assert len(getattr(node, "OUTPUT_IS_LIST", node.RETURN_TYPES)) == len(node.RETURN_TYPES)
        for out in zip(node.RETURN_NAMES, node.RETURN_TYPES, node.OUTPUT_TOOLTIPS, strict=True):
            assert "| `{}` | {} | {} |".format(*out) in page
        assert callable(getattr(node(), node.FUNCTION)) and node.CATEGORY == "Paints-UNDO"
    ends = [node.__name__ for node in nodes.values() if getattr(node, "OUTPUT_NODE", False)]
    assert ends == ["JoinTimelapse", "DrawTimelapse"]


@pytest.mark.parametrize("file", sorted(WORKFLOWS.glob("*.json")), ids=lambda file: file.stem)
def test_workflows_keep_the_published_schema(file, nodes):
    workflow = json.loads(file.read_text("utf-8"))
    assert workflow["version"] == 0.4 and {"last_node_id", "last_link_id", "nodes", "links"} <= set(workflow)
    by_id = {node["id"]: node for node in workflow["nodes"]}
    assert len(by_id) == len(workflow["nodes"]) and max(by_id) == workflow["last_node_id"]
    for node in by_id.values():
        assert {"id", "type", "pos", "size", "flags", "order", "mode", "properties"} <= set(node)
        if node["type"] in nodes:
            ours = nodes[node["type"]]
            inputs = ours.INPUT_TYPES()
            assert [given["name"] for given in node["inputs"]] == [*inputs["required"], *inputs["optional"]]
            assert [(out["name"], out["type"]) for out in node["outputs"]] == list(
                zip(ours.RETURN_NAMES, ours.RETURN_TYPES, strict=True)
            )
        else:
            assert node["type"] in ("PreviewImage", "MarkdownNote")  # every ComfyUI has them
    for link, origin, output, target, place, kind in workflow["links"]:
        out, given = by_id[origin]["outputs"][output], by_id[target]["inputs"][place]
        assert link in out["links"] and given["link"] == link and kind == out["type"] == given["type"]
    assert workflow["last_link_id"] == len(workflow["links"])
    with Image.open(file.with_suffix(".jpg")) as thumbnail:  # beside it, as Browse Templates shows it
        assert thumbnail.format == "JPEG" and min(thumbnail.size) >= 400


def test_the_keyframe_workflow_draws_what_undo_draws(nodes, comfyui, tiny_family):
    known = {**nodes, "PreviewImage": PreviewImage}
    prompt = prompt_of("keyframe_by_keyframe", known)
    prompt["1"]["inputs"] |= {"models": str(tiny_family), "device": "cpu"}
    prompt["4"]["inputs"] |= SMALL | {"operation_steps": "999 500", "prompt": "1girl"}
    prompt["6"]["inputs"] |= {"sampling_steps": 1}
    done = run_workflow(prompt, known)

    artwork = Path(examples.__file__).parent / f"{prompt['2']['inputs']['picture']}.png"
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
    ((frames,), (file,), (video,)), shown = done["7"]
    assert np.array_equal((frames * 255).round().byte().numpy(), expected.frames)
    assert read_video(file).shape == expected.frames.shape and video == f"VIDEO of {file}"
    assert read_record(file).piece == "timelapse"  # the file says what made it
    assert shown["images"] == [{"filename": Path(file).name, "subfolder": "sub", "type": "output"}]
    assert Path(file).parent == comfyui.output / "sub"
    assert len(comfyui.unloaded) == 2 and done["3"][0][0][0]
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
    ((frames,), (file,), (video,)), _ = execute(
        nodes["PaintsUndoJoinTimelapse"], {"segments": segments, "fps": [8], "filename_prefix": ["x"]}
    )
    assert frames.shape[0] == 15 and Path(file).is_file() and video is None


def test_strokes_are_drawn_at_the_artwork_s_own_size(nodes, comfyui, monkeypatch):
    picture = read_picture(Path(examples.__file__).parent / "cat.png")[100:300, 100:261]
    artwork = torch.from_numpy(picture.copy())[None].float() / 255

    monkeypatch.setattr(nodes["PaintsUndoExampleArtwork"], "load", lambda node, picture: (artwork,))
    known = {**nodes, "PreviewImage": PreviewImage}
    prompt = prompt_of("timelapse", known)
    prompt["1"]["inputs"] |= {"models": "strokes"}
    prompt["4"]["inputs"] |= {"seconds": 3.0}
    done = run_workflow(prompt, known)
    ((keyframes,), (file,), (video,)), shown = done["4"]
    assert keyframes.shape[0] == 7 and shown["images"][0]["filename"] == Path(file).name in video
    assert read_video(file).shape == (72, 200, 160, 3)

    ((family,),) = done["1"][0]
    given = {"family": [family], "artwork": [artwork], "prompt": [""], "seed": [3]}
    drawn, _ = execute(
        nodes["PaintsUndoDrawKeyframes"], {**given, "operation_steps": ["300 800"], "negative_prompt": [""]}
    )
    ((whole,), (batch,), singles) = drawn
    assert torch.equal(whole, artwork) and batch.shape == (2, *artwork.shape[1:]) and comfyui.bar[-1][:2] == (2, 2)
    filling = {"family": [family], "artwork": [whole], "keyframes": singles, "seed": [3]}
    ((segments,), _) = execute(nodes["PaintsUndoFillSegments"], filling)
    assert len(segments) == 3 and torch.equal(segments[0][0], artwork[0]) and torch.equal(segments[1][0], batch[0])


def test_what_a_mask_says_is_transparent_is_white(nodes):
    seen: list[np.ndarray] = []
    family = Strokes()
    family.tag = lambda artwork: seen.append(read_picture(artwork)) or ""  # type: ignore[method-assign]
    artwork, mask = torch.zeros(1, 64, 48, 3), torch.zeros(1, 64, 48)
    mask[:, :32] = 1
    tag = nodes["PaintsUndoTagArtwork"]().tag
    tag(family, artwork, mask)
    assert (seen[0][:32] == 255).all() and not seen[0][32:].any()
    tag(family, artwork, mask[0])
    tag(family, artwork, torch.zeros(1, 64, 64))  # what Load Image puts out for a picture without transparency
    assert np.array_equal(seen[1], seen[0]) and not seen[2].any()


NO_DEVICE = "cuda" if sys.platform == "darwin" else "mps"
LINKED: list[tuple[str, dict[str, Any], str]] = [  # a node, what a link brings it, and what it says
    ("TagArtwork", {"family": "strokes"}, "the family is of the type str; connect the output of Load Model Family"),
    ("TagArtwork", {"artwork": None}, "the artwork is missing; give one picture"),
    ("TagArtwork", {"artwork": torch.rand(2, 64, 64, 3)}, "shape (2, 64, 64, 3); give one picture"),
    ("TagArtwork", {"artwork": torch.full((1, 64, 64, 3), torch.nan)}, "not finite"),
    ("TagArtwork", {"mask": "a mask"}, "the mask is of the type str; connect the MASK"),
    ("TagArtwork", {"mask": torch.ones(1, 9, 9)}, "mask has the shape (1, 9, 9) and the artwork (1, 64, 64, 3)"),
    ("DrawKeyframes", {"operation_steps": 3}, "operation steps are 3; give a list"),
    ("DrawKeyframes", {"prompt": 3}, "prompt is 3; use text"),
    ("DrawTimelapse", {"seconds": "long"}, "seconds is 'long'"),
    ("FillSegments", {"family": [None]}, "the family is missing"),
    ("FillSegments", {"keyframes": [torch.rand(64, 64)]}, "the keyframes are an IMAGE or MASK of the shape (64, 64)"),
    ("FillSegments", {"artwork": [torch.rand(1, 64, 64, 3)] * 2}, "2 artworks are given"),
    ("JoinTimelapse", {"segments": ["x"]}, "the segments are of the type str; connect an IMAGE"),
    ("JoinTimelapse", {"segments": [torch.rand(16, 8, 8, 3), torch.rand(16, 8, 16, 3)]}, "the list of one Fill Segm"),
    ("JoinTimelapse", {"fps": [2.5]}, "fps is 2.5"),
    ("JoinTimelapse", {"filename_prefix": [None]}, "filename prefix is None; use text"),
    ("ExampleArtwork", {"picture": 3}, "there is no example 3; choose cat"),
    ("LoadFamily", {"models": "none"}, "no model family at none"),
    ("LoadFamily", {"device": NO_DEVICE}, "choose auto as device"),
    ("LoadFamily", {"vram": "x"}, "'x'"),
    ("LoadFamily", {"dtype": 3}, "3"),
]


@pytest.mark.parametrize(("name", "wrong", "told"), LINKED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_a_link_should_not_bring_is_told_in_one_sentence(name, wrong, told, nodes):
    node, family, picture = nodes[f"PaintsUndo{name}"], Strokes(), torch.rand(1, 64, 64, 3)
    both = {"family": family, "artwork": picture}
    right: dict[str, dict[str, Any]] = {
        "LoadFamily": {"models": "mini", "device": "auto", "dtype": "auto", "noise": "cpu", "vram": 0},
        "ExampleArtwork": {},
        "TagArtwork": both,
        "DrawKeyframes": both | {"prompt": "", "seed": 1, "operation_steps": "500"},
        "FillSegments": {"family": [family], "artwork": [picture], "keyframes": [picture], "seed": [1]},
        "JoinTimelapse": {"segments": [torch.rand(16, 64, 64, 3)], "fps": [4], "filename_prefix": ["x"]},
        "DrawTimelapse": both | {"prompt": "", "seed": 1, "filename_prefix": "x"},
    }
    with pytest.raises((InputError, CheckpointError)) as refused:
        getattr(node(), node.FUNCTION)(**right[name] | wrong)
    assert told in str(refused.value) and "\n" not in str(refused.value) and "--" not in str(refused.value)


def test_operation_steps_and_memory_are_told_in_the_words_of_a_node(nodes, monkeypatch):
    draw, family = nodes["PaintsUndoDrawKeyframes"], Strokes()
    assert draw.VALIDATE_INPUTS("400,600; 999") is True and draw.VALIDATE_INPUTS(None) is True
    assert "operation step is 'many'" in draw.VALIDATE_INPUTS("many")
    assert "operation steps are empty" in draw.VALIDATE_INPUTS(" ")

    def too_much(*_: Any) -> Any:
        raise OutOfMemory("cuda: 3 GiB are needed; make the pictures smaller or use --device cpu")

    monkeypatch.setattr(family, "draw_keyframes", too_much)
    with pytest.raises(InputError, match="smaller or choose cpu as device in Load Model Family"):
        draw().draw(family, torch.rand(1, 64, 64, 3), "", "500", 1)


def test_a_family_that_is_not_installed_is_told_in_the_words_of_a_node(
    nodes, comfyui, tiny_family, monkeypatch, tmp_path
):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    load = nodes["PaintsUndoLoadFamily"]
    listed, how = load.INPUT_TYPES()["required"]["models"]
    assert listed == ["auto", "strokes", "mini", "released"]
    assert how["tooltip"].endswith("; installed: strokes, mini; not installed: released")
    told = load.VALIDATE_INPUTS("released")
    assert told.startswith("the model family released is not installed; choose strokes or mini, or install it as the")
    with pytest.raises(InputError, match=re.escape(told)):
        load().load("released", "auto", "auto", "cpu", 0)
    (tmp_path / "models" / "paints_undo").mkdir(parents=True)
    (tmp_path / "models" / "paints_undo" / "mine").symlink_to(tiny_family)
    assert load.INPUT_TYPES()["required"]["models"][0][-1] == "mine" and load.VALIDATE_INPUTS("mine") is True
    assert load().load("mine", "cpu", "auto", "cpu", 0)[0].family.keyframe_size
    assert load.VALIDATE_INPUTS("mini") is True and load.VALIDATE_INPUTS(None) is True
    assert "no model family at" in load.VALIDATE_INPUTS(str(tmp_path / "none"))
    first, missing = load.IS_CHANGED(str(tiny_family)), load.IS_CHANGED(str(tmp_path / "none"))
    assert first == load.IS_CHANGED(models=str(tiny_family), device="cpu") != load.IS_CHANGED(models="mini")
    assert missing != missing, "it is looked for again"


def test_requirements_are_those_of_the_project_without_torch_and_what_the_web_app_needs():
    ours, all_ = ((folder / "requirements.txt").read_text().splitlines() for folder in (FOLDER, ROOT))
    unneeded = re.compile("#|torch==|gradio|httpx|starlette")
    assert [line for line in all_ if not unneeded.match(line)] == [line for line in ours if line[0] != "#"]
