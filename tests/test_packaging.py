"""The packaging tells the truth: requirements, the commands of the README, and what an installation contains."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
OURS = {"paints_undo", "wd14_tagger", "gradio_app", "memory_management"}
# What a module is called where its distribution is called otherwise, for distributions that may not be installed.
MODULES = {
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "imageio-ffmpeg": "imageio_ffmpeg",
    "scikit-image": "skimage",
    "skia-python": "skia",
    "c2pa-python": "c2pa",
    "dicebear-core": "dicebear",
    "dicebear-styles": "dicebear_styles",
}


@cache
def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements() -> list[Requirement]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def extra(name: str) -> list[Requirement]:
    listed = [Requirement(line) for line in pyproject()["project"]["optional-dependencies"][name]]
    return [requirement for requirement in listed if requirement.name != "paints-undo"]


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate()


def module_of(requirement: Requirement) -> str:
    return MODULES.get(requirement.name, requirement.name.replace("-", "_"))


def product_files() -> list[Path]:
    files = [path for name in OURS for path in (ROOT / name).rglob("*.py")]
    return sorted(files + [ROOT / f"{name}.py" for name in OURS if (ROOT / f"{name}.py").exists()])


def third_party_imports(path: Path) -> set[str]:
    """Top-level names of what a file imports from outside the standard library and this project."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - OURS


def test_every_requirement_is_imported():
    imported = set().union(*(third_party_imports(path) for path in product_files()))
    assert {module_of(requirement) for requirement in requirements()} - imported == set()


def test_every_import_is_required():
    required = {module_of(requirement) for requirement in requirements()}
    for path in product_files():
        allowed = required | {module_of(r) for r in extra("xformers") + extra("c2pa")}
        if "training" in path.relative_to(ROOT).parts:
            allowed = allowed | {module_of(r) for r in extra("train")}
        if "batch" in path.relative_to(ROOT).parts:
            allowed = allowed | {module_of(r) for r in extra("cluster") + extra("datasets")}
        if path.name == "mcp_tools.py":
            allowed = allowed | {module_of(r) for r in extra("mcp")}
        if path.name == "triton_kernels.py":
            allowed = allowed | {"triton"}  # comes with the builds of PyTorch that it is for
        assert third_party_imports(path) <= allowed, path.relative_to(ROOT)


def test_tests_import_only_what_the_dev_extra_installs():
    extras = [r for name in ("dev", "train", "xformers", "c2pa", "cluster", "datasets", "mcp") for r in extra(name)]
    allowed = {module_of(r) for r in requirements() + extras}
    # packaging comes with pytest, tomli with pytest on Python 3.10, gradio_client with gradio
    allowed |= {"packaging", "tomli", "gradio_client"}
    local = {path.stem for path in (ROOT / "tests").glob("*.py")} | {"tests"}
    for path in (ROOT / "tests").glob("*.py"):
        assert third_party_imports(path) - local <= allowed, path.name


def test_requirements_are_ranges_and_torch_is_one_version():
    for requirement in requirements():
        operators = sorted(specifier.operator for specifier in requirement.specifier)
        assert operators == (["=="] if requirement.name == "torch" else ["<", ">="]), requirement
    assert not {"torchvision", "torchaudio", "xformers"} & {requirement.name for requirement in requirements()}


def test_every_python_gets_each_requirement_once():
    for python in ("3.10", "3.11", "3.12", "3.13"):
        names = [r.name for r in requirements() if r.marker is None or r.marker.evaluate({"python_version": python})]
        assert len(names) == len(set(names)) and {"torch", "diffusers", "huggingface_hub"} <= set(names)


@pytest.mark.parametrize("requirement", [r for r in requirements() if applies(r)], ids=lambda r: r.name)
def test_installed_version_is_in_the_range(requirement):
    installed = Version(importlib.metadata.version(requirement.name))
    assert requirement.specifier.contains(Version(installed.public)), installed


def test_pythons_and_dynamic_dependencies():
    assert pyproject()["project"]["requires-python"] == ">=3.10,<3.14"
    assert pyproject()["tool"]["setuptools"]["dynamic"]["dependencies"] == {"file": ["requirements.txt"]}


def test_command_exists():
    for target in pyproject()["project"]["scripts"].values():
        module, function = target.split(":")
        assert callable(getattr(importlib.import_module(module), function))


def test_version_is_the_same_everywhere():
    import paints_undo

    assert paints_undo.__version__ == pyproject()["project"]["version"]


def test_every_module_and_package_is_packaged():
    setuptools = pyproject()["tool"]["setuptools"]
    for path in product_files():
        relative = path.relative_to(ROOT)
        if len(relative.parts) == 1:
            assert relative.stem in setuptools["py-modules"]
        else:
            assert (path.parent / "__init__.py").exists(), f"{relative.parent} has no __init__.py and is left out"


def test_readme_commands_exist():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    scripts = set(re.findall(r"(?m)^(?:\./)?(\w+\.(?:sh|bat))\b", text))
    assert {"run.sh", "test.sh", "run.bat", "test.bat"} <= scripts
    for script in scripts:
        assert (ROOT / script).exists(), script


@pytest.mark.parametrize("document", [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")], ids=lambda path: path.name)
def test_links_and_named_files_exist(document):
    text = document.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    table = re.findall(r"(?m)^\| `([\w./-]+)` \|", text)
    for name in links + [name for name in table if "/" in name or "." in name]:
        places = (document.parent, ROOT / "paints_undo")  # rooms of the package stand by their own names
        assert any((place / name).exists() for place in places), f"{document.name} names {name}"


@pytest.mark.parametrize("script", ["run.sh", "test.sh", ".ci/run"])
def test_scripts_are_executable_and_parse(script):
    if sys.platform == "win32":
        pytest.skip("shell scripts")
    assert (ROOT / script).stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", str(ROOT / script)], capture_output=True).returncode == 0


@pytest.mark.parametrize("script", ["run.bat", "test.bat"])
def test_batch_files_have_windows_line_ends(script):
    data = (ROOT / script).read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n") > 0  # cmd.exe loses labels in files with bare line feeds
    data.decode("ascii")


def test_batch_labels_exist():
    text = (ROOT / "run.bat").read_text(encoding="ascii")
    labels = set(re.findall(r"(?m)^:(\w+)", text))
    assert set(re.findall(r"(?:goto|call) :(\w+)", text)) <= labels


def test_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text and "Version 2.0, January 2004" in text and "END OF TERMS AND CONDITIONS" in text
    assert pyproject()["project"]["license"] == "Apache-2.0"
