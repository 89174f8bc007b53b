"""The shape of the code: which way imports point, what importing does, and where some words may stand."""

import ast
import graphlib
import re
import subprocess
import sys

import pytest
from import_graph import ROOT, SOURCES, name_of, ours_imported_by, parsed, rooms

# What these are kept free of is more than the order of the rooms asks; the first name that matches decides.
MAY_IMPORT = {
    "wd14_tagger": ["wd14_tagger"],
    "memory_management": [],
    "paints_undo.errors": [],
    "paints_undo.progress": [],
    "paints_undo.validation": ["paints_undo.errors"],
    "paints_undo.diffusion": ["paints_undo.diffusion"],
    "paints_undo.models": ["paints_undo.models"],
    "paints_undo.headers": ["paints_undo.errors", "paints_undo.headers"],
    "paints_undo.execution": ["memory_management", "paints_undo.errors", "paints_undo.execution", "paints_undo.family"]
    + [
        "paints_undo.models",
        "paints_undo.options",
        "paints_undo.pictures.fit",
        "paints_undo.progress",
        "paints_undo.time_left",
    ],
    "paints_undo.strokes": ["paints_undo.atomic", "paints_undo.errors", "paints_undo.options", "paints_undo.progress"]
    + ["paints_undo.pictures.pixels", "paints_undo.strokes"],  # it knows no run
}


def test_imports_run_in_no_circle_among_the_rooms():
    graph = rooms()
    assert len(graph) > 30 and graph["paints_undo.run"] > {"paints_undo.engine", "paints_undo.strokes"}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))  # a node comes after those that it imports


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_imports_point_one_way(file):
    name = name_of(file)
    allowed = next((MAY_IMPORT[key] for key in MAY_IMPORT if (name + ".").startswith(key + ".")), None)
    imported = ours_imported_by(file) - {name}
    if allowed is not None:
        strays = {i for i in imported if not any((i + ".").startswith(a + ".") for a in allowed)}
        assert not strays, f"{name} imports {strays}"
    above = {"gradio_app", "paints_undo.cli", "paints_undo.web"}
    if not name.startswith(tuple(above)) and name != "paints_undo.__main__":
        assert not any(i.startswith(tuple(above)) for i in imported), f"{name} imports the app or the command line"


PRINTS = (
    "paints_undo.cli",
    "paints_undo.bench.work",
    "paints_undo.commands",
    "paints_undo.training.recipe",
    "gradio_app",
    "paints_undo.exports.command",
    "paints_undo.batch.command",
)


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_words_in_their_place(file):
    name, tree = name_of(file), parsed(file)
    # a network's first values come from the global generator: forked, it may be seeded
    forked = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and any("fork_rng" in ast.unparse(i) for i in node.items)
    ]
    within_fork = {id(inner) for block in forked for inner in ast.walk(block)}
    for node in ast.walk(tree):
        place = f"{name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Attribute):
            check_attribute(node, name, place)
        elif isinstance(node, ast.Call):
            check_call(node, name, place, id(node) in within_fork)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            programs = {"pickle", "dill", "cloudpickle", "joblib", "shelve"}
            assert not {n.split(".")[0] for n in names} & programs, f"{place} may read a program from a file"


def check_attribute(node, name, place):
    if name != "memory_management":
        assert node.attr not in ("cuda", "mps"), f"{place} asks about a device by itself"
    if node.attr in ("parent", "parents"):  # a module that moves would look elsewhere
        steps = ast.unparse(node)
        above = steps.endswith(".parents") or steps.count(".parent") > 1
        assert not (above and re.search(r"(?<!\.)__file__", steps)), f"{place} counts folders from its own file"
    if node.attr in ("parts", "planner", "memory", "noise_device"):  # others ask what engine.Engine has
        assert not re.search(r"\bengine$", ast.unparse(node.value)), f"{place} knows what an engine is made of"


def check_call(node, name, place, forked):
    called, given = ast.unparse(node.func), {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
    assert called != "print" or name in PRINTS, f"{place} prints"
    assert called != "torch.manual_seed" or forked, f"{place} sets the global seed"
    assert called != "sys.exit" or name in (*PRINTS, "paints_undo.__main__"), f"{place} ends the program"
    # weights are safetensors and ONNX; a training run's own checkpoint is the one file that torch.load may read
    assert given.get("allow_pickle", "False") == "False" and "trust_remote_code" not in given, place
    if called == "torch.load":
        assert name == "paints_undo.training.loop" and given["weights_only"] == "True", place


def test_no_file_without_a_home():
    assert not [file for file in SOURCES if file.stem in ("utils", "util", "helpers", "common", "misc")]


WATCH = """
import builtins, os, socket, sys
def forbid(name):
    def refuse(*arguments, **options):
        raise SystemExit(f"importing {{name}} {{arguments[:2]}}")
    return refuse
# third-party packages first: what they do on import is theirs
import {third_party}
before = dict(os.environ), set(os.listdir("."))
really_open = builtins.open
def reading(file, mode="r", *arguments, **options):
    if set(mode) & set("wax+"):
        raise SystemExit(f"importing writes {{file}}")
    return really_open(file, mode, *arguments, **options)
builtins.open = reading
socket.socket.connect = forbid("connects to")
socket.getaddrinfo = forbid("looks up")
os.mkdir = forbid("makes the folder")
torch = sys.modules.get("torch")
if torch is not None:
    torch.cuda._lazy_init = forbid("touches the GPU")
    torch.manual_seed = forbid("seeds")
sys.dont_write_bytecode = True
import {module}
assert (dict(os.environ), set(os.listdir("."))) == before, "importing changed the environment or the folder"
assert torch is None or not torch.cuda.is_initialized()
"""


@pytest.mark.parametrize(
    ("module", "third_party"),
    [
        ("paints_undo", "os"),
        ("paints_undo.pipeline", "torch, diffusers, transformers, cv2, onnxruntime, huggingface_hub"),
        ("wd14_tagger", "onnxruntime, huggingface_hub, PIL.Image"),
        ("gradio_app", "torch, diffusers, transformers, cv2, onnxruntime, huggingface_hub, gradio"),
        ("paints_undo.cli", "cv2"),
    ],
)
def test_importing_touches_nothing(module, third_party, tmp_path):
    code = WATCH.format(module=module, third_party=third_party)
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_tagger_needs_no_torch(tmp_path):
    code = "import sys; import wd14_tagger, wd14_tagger.tagger; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
