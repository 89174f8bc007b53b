"""Which module of this project imports which others: read by test_structure.py, and by docs/figures.py."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = sorted(file for place in ("paints_undo", "wd14_tagger") for file in (ROOT / place).rglob("*.py")) + [
    ROOT / "gradio_app.py",
    ROOT / "memory_management.py",
]


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(file) for file in SOURCES}


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def ours_imported_by(file: Path) -> set[str]:
    """The modules of this project that a file imports, wherever and however the import stands."""
    package = name_of(file) if file.name == "__init__.py" else name_of(file).rpartition(".")[0]
    found = set()
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: len(package.split(".")) - node.level + 1], *base.split(".")])
            base = base.rstrip(".")
            found |= {name if (name := f"{base}.{alias.name}") in MODULES else base for alias in node.names}
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "later":  # commands.later("home:name")
            found.add("paints_undo." + re.findall(r"[\w.]+(?=:)", ast.unparse(node.args[0]))[0])
    return {name for name in found if name.split(".")[0] in ("paints_undo", "wd14_tagger", "memory_management")}


def room_of(module: str) -> str:
    """The folder of ours that a module lies in; a module outside of all folders is a room by itself."""
    return ".".join(module.split(".")[:2]) if module.startswith("paints_undo.") else module.split(".")[0]


def rooms() -> dict[str, set[str]]:
    """By room, the rooms that it imports."""
    graph: dict[str, set[str]] = {}
    for file in SOURCES:
        room = room_of(name_of(file))
        graph.setdefault(room, set()).update({room_of(name) for name in ours_imported_by(file)} - {room})
    return graph
