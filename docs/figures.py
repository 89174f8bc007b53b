"""Prints the shape of the code in figures: `python docs/figures.py`."""

from __future__ import annotations

import ast
import graphlib
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from import_graph import SOURCES, parsed, rooms  # noqa: E402


def main() -> None:
    """Print the figures; the files are those that git knows."""
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = {name: (ROOT / name).read_text(encoding="utf-8").count("\n") for name in listed.stdout.split()}
    tests = {name: lines for name, lines in files.items() if name.startswith("tests/")}
    for told, counted in (("outside tests", dict(files.items() - tests.items())), ("of tests", tests)):
        longest = max(counted, key=lambda name: counted[name])
        print(
            f"{sum(counted.values()):,} lines {told} in {len(counted)} files; the longest has {counted[longest]} "
            f"({longest}), the median {statistics.median(counted.values()):.0f}"
        )
    print(f"circles between folders: {circle() or 'none'}")
    print(f"modules at the top: {sum(file.parent in (ROOT, ROOT / 'paints_undo') for file in SOURCES)}")
    print(f"indented imports: {sum(map(indented_imports, SOURCES))}")


def circle() -> str:
    """One of them, if there are any."""
    try:
        graphlib.TopologicalSorter(rooms()).prepare()
    except graphlib.CycleError as error:
        return " imports ".join(reversed(error.args[1]))
    return ""


def indented_imports(file: Path) -> int:
    """Imports inside of functions; what only type checkers read is none."""
    functions = [node for node in ast.walk(parsed(file)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    inner = {node for function in functions for node in ast.walk(function)}
    return sum(isinstance(node, ast.Import | ast.ImportFrom) for node in inner)


if __name__ == "__main__":
    main()
